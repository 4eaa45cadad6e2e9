package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

func TestLifecycle(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	h := start(t, Options{Settle: func(context.Context, string) { <-hold }})
	in := lambdatest.CreateInput("f", map[string]string{"AA": "b"})
	in.Description, in.Tags = aws.String("first"), map[string]string{"k": "v"}
	created, err := h.Lambda.CreateFunction(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if created.State != "Pending" || aws.ToString(created.StateReason) != "The function is being created." || created.StateReasonCode != "Creating" || created.LastUpdateStatus != "" {
		t.Errorf("created = %+v", created)
	}
	_, err = h.Lambda.CreateFunction(t.Context(), in)
	lambdatest.WantError(t, err, "ResourceConflictException", "Function already exist: f")
	_, err = h.TryInvoke(t.Context(), "f", "{}")
	lambdatest.WantError(t, err, "ResourceConflictException", "The operation cannot be performed at this time. The function is currently in the following state: Pending")
	_, err = h.Lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: lambdatest.Packed()})
	lambdatest.WantError(t, err, "ResourceConflictException", "following state: Pending")
	hold <- struct{}{}
	h.Active("f")

	got, err := h.Lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	if err != nil {
		t.Fatal(err)
	}
	c := got.Configuration
	if c.State != "Active" || c.LastUpdateStatus != "Successful" || c.StateReason != nil || c.Environment.Variables["AA"] != "b" || got.Tags["k"] != "v" {
		t.Errorf("active = %+v, tags %v", c, got.Tags)
	}
	if aws.ToString(c.RevisionId) == aws.ToString(created.RevisionId) {
		t.Error("revision did not change")
	}
	if zip := download(t, aws.ToString(got.Code.Location)); !bytes.Equal(zip, lambdatest.Packed()) {
		t.Errorf("downloaded %d bytes, want %d", len(zip), len(lambdatest.Packed()))
	}

	updated, err := h.Lambda.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
		FunctionName: aws.String("f"), MemorySize: aws.Int32(512), Environment: &types.Environment{Variables: map[string]string{"AA": "c"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if updated.State != "Active" || updated.LastUpdateStatus != "InProgress" || updated.LastUpdateStatusReasonCode != "Creating" || aws.ToInt32(updated.MemorySize) != 512 {
		t.Errorf("updated = %+v", updated)
	}
	for name, call := range map[string]func() error{
		"code": func() error {
			_, err := h.Lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: lambdatest.Packed()})
			return err
		},
		"configuration": func() error {
			_, err := h.Lambda.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f")})
			return err
		},
	} {
		t.Run("conflict "+name, func(t *testing.T) {
			lambdatest.WantError(t, call(), "ResourceConflictException", "The operation cannot be performed at this time. An update is in progress for resource: arn:aws:lambda:us-east-1:000000000000:function:f")
		})
	}
	env := h.Invoke("f", `{"Do":"env"}`) // what was runs on
	if !strings.Contains(string(env.Payload), `"AA=b"`) {
		t.Errorf("environment = %s", env.Payload)
	}
	close(hold)
	h.Updated("f")
	env = h.Invoke("f", `{"Do":"env"}`)
	if !strings.Contains(string(env.Payload), `"AA=c"`) || !strings.Contains(string(env.Payload), "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512") {
		t.Errorf("environment = %s", env.Payload)
	}

	if _, err := h.Lambda.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: aws.String("f")}); err != nil {
		t.Fatal(err)
	}
	_, err = h.Lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	lambdatest.WantError(t, err, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f")
	_, err = h.TryInvoke(t.Context(), "f", "{}")
	lambdatest.WantError(t, err, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST")
}

func download(t *testing.T, url string) []byte {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("download: %d, %v", r.StatusCode, err)
	}
	if err := r.Body.Close(); err != nil {
		t.Error(err)
	}
	return data
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("taken", nil)
	long := strings.Repeat("a", 65)
	tiny := lambdatest.Zip(t, map[string][]byte{"bootstrap": nil})
	layer := "arn:aws:lambda:us-east-1:000000000000:layer:l:1"
	tags := map[string]string{}
	for i := range 51 {
		tags[fmt.Sprint(i)] = "v"
	}
	type input = lambda.CreateFunctionInput
	for _, test := range []struct {
		name          string
		change        func(*input)
		code, message string
	}{
		{"taken", func(in *input) { in.FunctionName = aws.String("taken") }, "ResourceConflictException", "Function already exist: taken"},
		{"long name", func(in *input) { in.FunctionName = &long }, "InvalidParameterValueException", "1 validation error detected: Value '" + long + "' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64"},
		{"dot in name", func(in *input) { in.FunctionName = aws.String("a.b") }, "ValidationException", "1 validation error detected: Value 'a.b' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: " + createNamePattern},
		{"name and qualifier too long", func(in *input) { in.FunctionName = aws.String("my-function:" + strings.Repeat("a", 129)) }, "ValidationException", "Member must have length less than or equal to 140"},
		{"two problems", func(in *input) {
			in.FunctionName = aws.String("arn:aws:lambda:invalid-region:000000000000:function:" + strings.Repeat("a", 170))
		}, "ValidationException", "2 validation errors detected: Value 'arn:"},
		{"other region", func(in *input) { in.FunctionName = aws.String("arn:aws:lambda:ap-southeast-1:000000000000:function:f") }, "ResourceNotFoundException", "Functions from 'ap-southeast-1' are not reachable in this region ('us-east-1')"},
		{"other account", func(in *input) { in.FunctionName = aws.String("arn:aws:lambda:us-east-1:123456789012:function:f") }, "AccessDeniedException", ""},
		{"role", func(in *input) { in.Role = aws.String("r1") }, "ValidationException", `1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+`},
		{"runtime", func(in *input) { in.Runtime = "non-existent-runtime" }, "InvalidParameterValueException", "Value non-existent-runtime at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, python3.14, provided.al2023, "},
		{"retired runtime", func(in *input) { in.Runtime = "provided" }, "InvalidParameterValueException", "The runtime parameter of provided is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions."},
		{"no runtime", func(in *input) { in.Runtime = "" }, "InvalidParameterValueException", "Runtime and Handler are mandatory parameters for functions created with deployment packages."},
		{"two architectures", func(in *input) { in.Architectures = []types.Architecture{"x86_64", "arm64"} }, "ValidationException", "Value '[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member must have length less than or equal to 1"},
		{"architecture", func(in *input) { in.Architectures = []types.Architecture{"X86_64"} }, "ValidationException", "Value '[X86_64]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"},
		{"little memory", func(in *input) { in.MemorySize = aws.Int32(127) }, "ValidationException", "Value '127' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128"},
		{"much memory", func(in *input) { in.MemorySize = aws.Int32(10241) }, "ValidationException", "Value '10241' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 10240"},
		{"no time", func(in *input) { in.Timeout = aws.Int32(0) }, "ValidationException", "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"much time", func(in *input) { in.Timeout = aws.Int32(901) }, "ValidationException", "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"},
		{"storage", func(in *input) { in.EphemeralStorage = &types.EphemeralStorage{Size: aws.Int32(511)} }, "ValidationException", "'ephemeralStorage.size'"},
		{"snap start", func(in *input) { in.SnapStart = &types.SnapStart{ApplyOn: "invalidOption"} }, "ValidationException", "Value 'invalidOption' at 'snapStart.applyOn' failed to satisfy constraint: Member must satisfy enum value set: [PublishedVersions, None]"},
		{"no zip", func(in *input) { in.Code = zipCode([]byte("bad zip")) }, "InvalidParameterValueException", "Could not unzip uploaded file. Please check your file, then try to upload again."},
		{"empty zip", func(in *input) { in.Code = zipCode([]byte{}) }, "InvalidParameterValueException", ""},
		{"zip too large", func(in *input) { in.Code = zipCode(make([]byte, maxZip+1)) }, "RequestEntityTooLargeException", "Zipped size must be smaller than 52428800 bytes"},
		{"request too large", func(in *input) { in.Code = zipCode(make([]byte, maxRequest*3/4)) }, "RequestEntityTooLargeException", "Request must be smaller than 70167211 bytes for the CreateFunction operation"},
		{"unzipped too large", func(in *input) { in.Code = zipCode(zeroZip(t, "zeros", 263)) }, "InvalidParameterValueException", "Unzipped size must be smaller than 262144000 bytes"},
		{"bucket", func(in *input) { in.Code = &types.FunctionCode{S3Bucket: aws.String("other"), S3Key: aws.String("k")} }, "InvalidParameterValueException", "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist"},
		{"tags", func(in *input) { in.Tags = tags }, "InvalidParameterValueException", "Number of tags exceeds resource tag limit."},
		{"layers", func(in *input) { in.Layers = []string{layer, layer, layer, layer, layer, layer} }, "InvalidParameterValueException", "Cannot reference more than 5 layers."},
		{"large environment", func(in *input) { in.Environment = lambdatest.Vars("LARGE_VAR", strings.Repeat("x", 4096)) }, "InvalidParameterValueException", `Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {"LARGE_VAR":"xxx`},
		{"reserved variable", func(in *input) { in.Environment = lambdatest.Vars("AWS_REGION", "x") }, "InvalidParameterValueException", "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_REGION"},
		{"variable name", func(in *input) { in.Environment = lambdatest.Vars("1A", "x") }, "ValidationException", "Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := lambdatest.CreateInput("new", nil)
			in.Code = zipCode(tiny)
			test.change(in)
			_, err := h.Lambda.CreateFunction(t.Context(), in)
			lambdatest.WantError(t, err, test.code, test.message)
		})
	}
	if list, err := h.Lambda.ListFunctions(t.Context(), nil); err != nil || len(list.Functions) != 1 {
		t.Errorf("left behind: %+v, %v", list, err)
	}
}

// The environment may be 4,096 bytes long, as compact JSON.
func TestLargestEnvironment(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", func(in *lambda.CreateFunctionInput) {
		in.Environment = lambdatest.Vars("LONG", strings.Repeat("<", 4096-len(`{"LONG":""}`)))
	})
	_, err := h.Lambda.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
		FunctionName: aws.String("f"), Environment: lambdatest.Vars("LONG", strings.Repeat("<", 4097-len(`{"LONG":""}`))),
	})
	lambdatest.WantError(t, err, "InvalidParameterValueException", "exceeded the 4KB limit")
}

// send makes a request without the SDK, which would not send it.
func (h *harness) send(method, path, body string) (int, http.Header, string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.http.URL+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	out, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	data, err := io.ReadAll(out.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := out.Body.Close(); err != nil {
		h.t.Error(err)
	}
	return out.StatusCode, out.Header, string(data)
}

func TestRawAnswers(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	const functions = "/2015-03-31/functions"
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		kind, want               string
	}{
		{"not found uses Message", "GET", functions + "/f", "", 404, "ResourceNotFoundException", `{"Message":"Function not found: arn:aws:lambda:us-east-1:000000000000:function:f","Type":"User"}`},
		{"others use message", "POST", functions + "/f/invocations", "x", 400, "InvalidRequestContentException", `"message":"Could not parse`},
		{"nothing given", "POST", functions, "{}", 400, "ValidationException", `3 validation errors detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null; Value null at 'role'`},
		{"JSON that is none", "POST", functions, "{", 400, "SerializationException", "Could not parse request body into json"},
		{"unknown operation", "GET", "/2025-11-30/capacity-providers/", "", 404, "UnknownOperationException", "GET /2025-11-30/capacity-providers/"},
		{"unknown path", "POST", "/", "", 404, "UnknownOperationException", ""},
		{"trailing slash", "GET", functions + "/", "", 200, "", `{"Functions":[]}`},
		{"function version", "GET", functions + "?FunctionVersion=invalid", "", 400, "ValidationException", "Value 'invalid' at 'functionVersion' failed to satisfy constraint: Member must satisfy enum value set: [ALL]"},
		{"invocation type", "POST", "/2021-11-15/functions/f/response-streaming-invocations", "{}", 404, "ResourceNotFoundException", ":f:$LATEST"},
		{"bad marker", "GET", functions + "?Marker=*", "", 400, "InvalidParameterValueException", ""},
		{"no tag keys", "DELETE", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af", "", 400, "ValidationException", "Value null at 'tagKeys' failed to satisfy constraint: Member must not be null"},
		{"code of nobody", "GET", "/_emulator/code/00.zip", "", 404, "ResourceNotFoundException", ""},
		{"code outside", "GET", "/_emulator/code/..%2F..%2Flock.zip", "", 404, "UnknownOperationException", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, header, body := h.send(test.method, test.path, test.body)
			if status != test.status || header.Get("x-amzn-ErrorType") != test.kind || !strings.Contains(body, test.want) {
				t.Errorf("answer = %d %s %s", status, header.Get("x-amzn-ErrorType"), body)
			}
			if header.Get("x-amzn-RequestId") == "" {
				t.Error("no request id")
			}
			if body != "" && !json.Valid([]byte(body)) {
				t.Errorf("body is no JSON: %s", body)
			}
		})
	}
}
