package lambda

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

// publishLayer publishes a layer of these files and returns its ARN.
func (h *harness) publishLayer(name string, files map[string][]byte) string {
	h.t.Helper()
	return h.publishZip(name, lambdatest.Zip(h.t, files))
}

func (h *harness) publishZip(name string, zip []byte) string {
	h.t.Helper()
	out, err := h.Lambda.PublishLayerVersion(h.t.Context(), &lambda.PublishLayerVersionInput{
		LayerName: &name, Content: &types.LayerVersionContentInput{ZipFile: zip},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return aws.ToString(out.LayerVersionArn)
}

func (h *harness) sh(name, command string) string {
	h.t.Helper()
	return string(h.Invoke(name, fmt.Sprintf(`{"Do":"sh","Text":%q}`, command)).Payload)
}

func (h *harness) setLayers(name string, arns ...string) error {
	_, err := h.Lambda.UpdateFunctionConfiguration(h.t.Context(), &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &name, Layers: append([]string{}, arns...),
	})
	return err
}

func TestLayersRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := start(t, Options{Dir: dir})
	first := h.publishLayer("first", map[string][]byte{"a": []byte("1"), "both": []byte("1"), "dir/one": []byte("1"), "kind/x": nil, "swap": nil})
	second := h.publishLayer("second", map[string][]byte{"b": []byte("2"), "both": []byte("2"), "dir/two": []byte("2"), "kind": []byte("2"), "swap/y": nil})
	h.Deploy("f", func(in *lambda.CreateFunctionInput) { in.Layers = []string{first, second} })
	const look = "cd /opt && cat a b both dir/one dir/two kind && ls swap"
	if got := h.sh("f", look); got != "122122y" {
		t.Errorf("two layers: %q", got)
	}
	if got := h.sh("f", "touch /opt/new 2>&1; true"); !strings.Contains(got, "Read-only") {
		t.Errorf("write to /opt: %q", got)
	}
	if err := h.setLayers("f", second, first); err != nil {
		t.Fatal(err)
	}
	h.Updated("f")
	if got := h.sh("f", "cat /opt/both; ls /opt/kind"); got != "1x" {
		t.Errorf("other order: %q", got)
	}
	// What is deleted stays with those who have it, over a restart too.
	for _, name := range []string{"first", "second"} {
		if _, err := h.Lambda.DeleteLayerVersion(t.Context(), &lambda.DeleteLayerVersionInput{LayerName: &name, VersionNumber: aws.Int64(1)}); err != nil {
			t.Fatal(err)
		}
	}
	h.stop()
	h = start(t, Options{Dir: dir})
	if got := h.sh("f", "cat /opt/both /opt/b"); got != "12" {
		t.Errorf("deleted layers: %q", got)
	}
	if third := h.publishLayer("first", map[string][]byte{"a": nil}); !strings.HasSuffix(third, ":layer:first:2") {
		t.Errorf("number given again: %s", third)
	}
	lambdatest.WantError(t, h.setLayers("f", first), "InvalidParameterValueException", "Layer version "+first+" does not exist.")
	if err := h.setLayers("f"); err != nil {
		t.Fatal(err)
	}
	h.Updated("f")
	if got := h.sh("f", "ls /opt"); got != "" {
		t.Errorf("no layers: %q", got)
	}
}

// A layer may bring the runtime itself.
func TestLayerWithBootstrap(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	layer := h.publishZip("runtime", lambdatest.Packed())
	h.Deploy("f", func(in *lambda.CreateFunctionInput) {
		in.Code, in.Layers = zipCode(lambdatest.Zip(t, map[string][]byte{"data": []byte("d")})), []string{layer}
	})
	if got := h.sh("f", "cat data"); got != "d" {
		t.Errorf("answer = %q", got)
	}
}

func TestLayerVersions(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	files := map[string][]byte{"a": []byte("1")}
	h.services.Objects = bucket{"layer.zip": lambdatest.Zip(t, files)}
	in := &lambda.PublishLayerVersionInput{
		LayerName: aws.String("l"), Description: aws.String("d"), LicenseInfo: aws.String("MIT"),
		Content:            &types.LayerVersionContentInput{S3Bucket: aws.String(lambdatest.Bucket), S3Key: aws.String("layer.zip")},
		CompatibleRuntimes: []types.Runtime{"provided.al2023", "nodejs14.x"}, CompatibleArchitectures: []types.Architecture{"x86_64"},
	}
	for number := int64(1); number <= 3; number++ {
		out, err := h.Lambda.PublishLayerVersion(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		zip := lambdatest.Zip(t, files)
		if out.Version != number || aws.ToString(out.Description) != "d" || aws.ToString(out.LicenseInfo) != "MIT" ||
			len(out.CompatibleRuntimes) != 2 || aws.ToString(out.Content.CodeSha256) != codeSha256(zipHash(zip)) ||
			out.Content.CodeSize != int64(len(zip)) || aws.ToString(out.LayerArn) != "arn:aws:lambda:us-east-1:000000000000:layer:l" {
			t.Errorf("published = %+v", out)
		}
	}
	got, err := h.Lambda.GetLayerVersionByArn(t.Context(), &lambda.GetLayerVersionByArnInput{Arn: aws.String("arn:aws:lambda:us-east-1:000000000000:layer:l:2")})
	if err != nil || got.Version != 2 {
		t.Fatalf("by ARN: %+v, %v", got, err)
	}
	if zip := download(t, aws.ToString(got.Content.Location)); !bytes.Equal(zip, lambdatest.Zip(t, files)) {
		t.Errorf("downloaded %d bytes", len(zip))
	}
	h.publishLayer("other", files)
	var numbers []int64
	pages := lambda.NewListLayerVersionsPaginator(h.Lambda, &lambda.ListLayerVersionsInput{LayerName: aws.String("l"), MaxItems: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.LayerVersions {
			numbers = append(numbers, v.Version)
		}
	}
	if fmt.Sprint(numbers) != "[3 2 1]" {
		t.Errorf("versions = %v", numbers)
	}
	for filter, want := range map[types.Runtime]string{"": "[l 3 other 1]", "provided.al2023": "[l 3]", "python3.12": "[]"} {
		out, err := h.Lambda.ListLayers(t.Context(), &lambda.ListLayersInput{CompatibleRuntime: filter})
		if err != nil {
			t.Fatal(err)
		}
		list := []any{}
		for _, l := range out.Layers {
			list = append(list, aws.ToString(l.LayerName), l.LatestMatchingVersion.Version)
		}
		if fmt.Sprint(list) != want {
			t.Errorf("layers for %q = %v, want %s", filter, list, want)
		}
	}
}

func TestLayersAreRefused(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	files := map[string][]byte{"a": nil}
	one, two := h.publishLayer("l", files), h.publishLayer("l", files)
	h.Deploy("f", nil)
	six := make([]string, 6)
	for i := range six {
		six[i] = h.publishLayer(fmt.Sprint("n", i), files)
	}
	large, larger := h.publishZip("large", zeroZip(t, "zeros", 130)), h.publishZip("larger", zeroZip(t, "zeros", 133))
	for _, test := range []struct {
		name          string
		layers        []string
		code, message string
	}{
		{"six", six, "InvalidParameterValueException", "Cannot reference more than 5 layers."},
		{"two versions", []string{one, two}, "InvalidParameterValueException", "Two different versions of the same layer are not allowed to be referenced in the same function. " + one + " and " + two + " are versions of the same layer."},
		{"one version twice", []string{one, one}, "InvalidParameterValueException", one + " and " + one + " are versions"},
		{"absent", []string{"arn:aws:lambda:us-east-1:000000000000:layer:no:1"}, "InvalidParameterValueException", "Layer version arn:aws:lambda:us-east-1:000000000000:layer:no:1 does not exist."},
		{"other region", []string{"arn:aws:lambda:us-west-2:000000000000:layer:l:1"}, "InvalidParameterValueException", "Layers are not in the same region as the function. Layers are expected to be in region us-east-1."},
		{"other account", []string{"arn:aws:lambda:us-east-1:123456789012:layer:l:1"}, "AccessDeniedException", "lambda:GetLayerVersion"},
		{"no number", []string{strings.TrimSuffix(one, ":1")}, "ValidationException", "at 'layers' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 2048"},
		{"too large together", []string{large, larger, one}, "InvalidParameterValueException", "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The actual size is 26"},
	} {
		t.Run(test.name, func(t *testing.T) {
			lambdatest.WantError(t, h.setLayers("f", test.layers...), test.code, test.message)
			in := lambdatest.CreateInput("new", nil)
			in.Code = zipCode(lambdatest.Zip(t, files))
			in.Layers = test.layers
			_, err := h.Lambda.CreateFunction(t.Context(), in)
			lambdatest.WantError(t, err, test.code, test.message)
		})
	}
	small := h.publishZip("small", zeroZip(t, "zeros", 1))
	if err := h.setLayers("f", small); err != nil {
		t.Fatal(err)
	}
	h.Updated("f")
	_, err := h.Lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: zeroZip(t, "zeros", 262)})
	lambdatest.WantError(t, err, "InvalidParameterValueException", "The actual size is 263000000 bytes.")
}
