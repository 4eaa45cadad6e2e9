package lambda

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

// testRegistry is one within this program and, for pushing to it, on loopback too.
type testRegistry struct {
	nowhere
	t       testing.TB
	handler http.Handler
	server  *httptest.Server
}

const registryHost = "000000000000.dkr.ecr.us-east-1.amazonaws.com"

func newRegistry(t testing.TB) *testRegistry {
	r := &testRegistry{t: t, handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	r.server = httptest.NewServer(r.handler)
	t.Cleanup(r.server.Close)
	return r
}

func (r *testRegistry) Registry(host string) http.Handler {
	if host == registryHost {
		return r.handler
	}
	return nil
}

// push makes an image of the test runtime as /bin/entry, with the files, and returns the name that Lambda has for it.
func (r *testRegistry) push(tag string, config v1.Config, files map[string]string) string {
	r.t.Helper()
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	write := func(name, text string, mode int64) error {
		err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(text))})
		_, writeErr := io.WriteString(w, text)
		return errors.Join(err, writeErr)
	}
	err := write("bin/entry", string(lambdatest.Program), 0o755)
	for name, text := range files {
		err = errors.Join(err, write(name, text, 0o755))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		r.t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data.Bytes())), nil }, tarball.WithCompressionLevel(1))
	if err != nil {
		r.t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		r.t.Fatal(err)
	}
	if img, err = mutate.Config(img, config); err != nil {
		r.t.Fatal(err)
	}
	ref, err := name.ParseReference(r.host() + "/f:" + tag)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := remote.Write(ref, img, remote.WithContext(r.t.Context())); err != nil {
		r.t.Fatal(err)
	}
	return registryHost + "/f:" + tag
}

func (r *testRegistry) host() string { return strings.TrimPrefix(r.server.URL, "http://") }

func imageInput(name, uri string) *lambda.CreateFunctionInput {
	return &lambda.CreateFunctionInput{
		FunctionName: aws.String(name), Role: aws.String(lambdatest.Role), PackageType: types.PackageTypeImage,
		Code: &types.FunctionCode{ImageUri: &uri}, Timeout: aws.Int32(20), MemorySize: aws.Int32(256),
	}
}

func (h *harness) deployImage(in *lambda.CreateFunctionInput) {
	h.t.Helper()
	if _, err := h.Lambda.CreateFunction(h.t.Context(), in); err != nil {
		h.t.Fatal(err)
	}
	h.Active(*in.FunctionName)
}

func TestImageFunction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := start(t, Options{Dir: dir})
	r := newRegistry(t)
	h.services.Registries = r
	config := v1.Config{Entrypoint: []string{"entry"}, Cmd: []string{"one"}, Env: []string{"PATH=/bin", "MINE=1"}, WorkingDir: "/work"}
	uri := r.push("v1", config, map[string]string{"work/file": "first", "other/file": "other"})
	h.deployImage(imageInput("f", uri))
	got, err := h.Lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	if err != nil {
		t.Fatal(err)
	}
	c, code := got.Configuration, got.Code
	if c.PackageType != "Image" || c.CodeSize != 0 || c.Runtime != "" || c.Handler != nil || aws.ToString(code.RepositoryType) != "ECR" ||
		aws.ToString(code.ImageUri) != uri || aws.ToString(code.ResolvedImageUri) != registryHost+"/f@sha256:"+aws.ToString(c.CodeSha256) {
		t.Errorf("function = %+v, code %+v", c, code)
	}
	const file, args = `{"Do":"read","Text":"file"}`, `{"Do":"read","Text":"/proc/self/cmdline"}`
	if got := string(h.Invoke("f", file).Payload); got != "first" {
		t.Errorf("answer = %q", got)
	}
	// The tag moves; the function stays until it is updated, over a restart without the registry too.
	r.push("v1", config, map[string]string{"work/file": "second", "other/file": "other"})
	h.stop()
	h = start(t, Options{Dir: dir})
	if got := string(h.Invoke("f", file).Payload); got != "first" {
		t.Errorf("after the tag moved: %q", got)
	}
	h.services.Registries = r
	if _, err := h.Lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ImageUri: &uri}); err != nil {
		t.Fatal(err)
	}
	h.Updated("f")
	if got := string(h.Invoke("f", file).Payload); got != "second" {
		t.Errorf("after the update: %q", got)
	}
	set := func(config *types.ImageConfig) *lambda.UpdateFunctionConfigurationOutput {
		out, err := h.Lambda.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), ImageConfig: config})
		if err != nil {
			t.Fatal(err)
		}
		h.Updated("f")
		return out
	}
	out := set(&types.ImageConfig{EntryPoint: []string{"/bin/entry", "ours"}, Command: []string{"two"}, WorkingDirectory: aws.String("/other")})
	if out.ImageConfigResponse == nil || aws.ToString(out.ImageConfigResponse.ImageConfig.WorkingDirectory) != "/other" {
		t.Errorf("image config = %+v", out.ImageConfigResponse)
	}
	if got, want := string(h.Invoke("f", file).Payload)+string(h.Invoke("f", args).Payload), "other/bin/entry\x00ours\x00two\x00"; got != want {
		t.Errorf("with image config: %q", got)
	}
	if out := set(&types.ImageConfig{}); out.ImageConfigResponse != nil {
		t.Errorf("image config = %+v", out.ImageConfigResponse)
	}
	if got := string(h.Invoke("f", args).Payload); got != "entry\x00one\x00" {
		t.Errorf("without image config: %q", got)
	}
}

// An image may come from any registry, and run as often as a zip does.
func TestImageFromElsewhere(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	r := newRegistry(t)
	r.push("v1", v1.Config{Entrypoint: []string{"/bin/entry"}}, nil)
	in := imageInput("f", r.host()+"/f:v1")
	in.Publish = true
	h.deployImage(in)
	for _, name := range []string{"f", "f", "f:1"} {
		if got := string(h.Invoke(name, `"x"`).Payload); got != `"x"` {
			t.Errorf("answer = %q", got)
		}
	}
}

func TestImageThatCannotRun(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	r := newRegistry(t)
	h.services.Registries = r
	uri := r.push("v1", v1.Config{}, map[string]string{"script": "no program"})
	for _, test := range []struct {
		name   string
		config types.ImageConfig
		want   string
	}{
		{"absent", types.ImageConfig{EntryPoint: []string{"/nothing"}}, `{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: ID Error: fork/exec /nothing: no such file or directory"}`},
		{"directory", types.ImageConfig{EntryPoint: []string{"/bin/entry"}, WorkingDirectory: aws.String("/nowhere")}, `{"errorType":"Runtime.InvalidWorkingDir","errorMessage":"RequestId: ID Error: chdir /nowhere: no such working directory"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := imageInput(test.name, uri)
			in.ImageConfig = &test.config
			h.deployImage(in)
			out := h.Invoke(test.name, "{}")
			got := regexp.MustCompile(`RequestId: [0-9a-f-]+ `).ReplaceAllString(string(out.Payload), "RequestId: ID ")
			if got != test.want || aws.ToString(out.FunctionError) != "Unhandled" {
				t.Errorf("answer = %s", got)
			}
		})
	}
}

func TestImagesAreRefused(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	r := newRegistry(t)
	h.services.Registries = r
	uri := r.push("v1", v1.Config{Entrypoint: []string{"/bin/entry"}}, nil)
	ref, err := name.ParseReference(r.host() + "/f:index")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, empty.Index); err != nil {
		t.Fatal(err)
	}
	h.Deploy("zip", nil)
	h.deployImage(imageInput("image", uri))
	type input = lambda.CreateFunctionInput
	for _, test := range []struct {
		name    string
		change  func(*input)
		message string
	}{
		{"no registry", func(in *input) { in.Code.ImageUri = aws.String("busybox") }, "Source image busybox is not valid. Provide a valid source image."},
		{"absent", func(in *input) { in.Code.ImageUri = aws.String(registryHost + "/f:v2") }, "Source image " + registryHost + "/f:v2 does not exist. Provide a valid source image."},
		{"index", func(in *input) { in.Code.ImageUri = aws.String(registryHost + "/f:index") }, "The image manifest, config or layer media type for the source image " + registryHost + "/f:index is not supported."},
		{"zip", func(in *input) { in.Code = &types.FunctionCode{ZipFile: lambdatest.Packed()} }, "Please provide ImageUri"},
		{"handler", func(in *input) { in.Handler = aws.String("h") }, "Please don't provide Handler or Runtime or Layer"},
		{"zip type", func(in *input) {
			in.PackageType, in.Runtime, in.Handler = "Zip", "provided.al2023", aws.String("h")
		}, "Please don't provide ImageUri"},
		{"image config of a zip", func(in *input) {
			*in = *lambdatest.CreateInput("new", nil)
			in.ImageConfig = &types.ImageConfig{Command: []string{"x"}}
		}, "Please don't provide ImageConfig"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := imageInput("new", uri)
			test.change(in)
			_, err := h.Lambda.CreateFunction(t.Context(), in)
			lambdatest.WantError(t, err, "InvalidParameterValueException", test.message)
		})
	}
	_, err = h.Lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("image"), ZipFile: lambdatest.Packed()})
	lambdatest.WantError(t, err, "InvalidParameterValueException", "Please provide ImageUri when updating a function with packageType Image.")
	_, err = h.Lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("zip"), ImageUri: &uri})
	lambdatest.WantError(t, err, "InvalidParameterValueException", "Please don't provide ImageUri when updating a function with packageType Zip.")
}

// What cannot be unpacked fails the function in the background, with a reason.
func TestBrokenImage(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	r := newRegistry(t)
	h.services.Registries = r
	uri := r.push("v1", v1.Config{Entrypoint: []string{"/bin/entry"}}, map[string]string{"../out": "x"})
	if _, err := h.Lambda.CreateFunction(t.Context(), imageInput("f", uri)); err != nil {
		t.Fatal(err)
	}
	lambdatest.WaitFor(t, "the function failed", func() bool {
		out, err := h.Lambda.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("f")})
		return err == nil && out.State == "Failed" && out.StateReasonCode == "InvalidImage" && strings.Contains(aws.ToString(out.StateReason), "leads out")
	})
}
