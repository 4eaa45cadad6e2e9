package lambda

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

// withURL deploys a function that answers what is said, with a URL.
func (h *harness) withURL(name, answer string, change ...func(*lambda.CreateFunctionUrlConfigInput)) string {
	h.t.Helper()
	h.Deploy(name, func(in *lambda.CreateFunctionInput) { in.Environment = lambdatest.Vars("ANSWER", answer) })
	in := &lambda.CreateFunctionUrlConfigInput{FunctionName: &name, AuthType: types.FunctionUrlAuthTypeNone}
	for _, c := range change {
		c(in)
	}
	out, err := h.Lambda.CreateFunctionUrlConfig(h.t.Context(), in)
	if err != nil {
		h.t.Fatal(err)
	}
	return *out.FunctionUrl
}

// open lets everybody call the URL of a function.
func (h *harness) openURL(name string) {
	h.t.Helper()
	for _, in := range []*lambda.AddPermissionInput{
		{StatementId: aws.String("call"), Action: aws.String("lambda:InvokeFunctionUrl"), FunctionUrlAuthType: types.FunctionUrlAuthTypeNone},
		{StatementId: aws.String("invoke"), Action: aws.String("lambda:InvokeFunction"), InvokedViaFunctionUrl: aws.Bool(true)},
	} {
		in.FunctionName, in.Principal = &name, aws.String("*")
		if _, err := h.Lambda.AddPermission(h.t.Context(), in); err != nil {
			h.t.Fatal(err)
		}
	}
}

// ask sends a request and reads the answer.
func ask(t testing.TB, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(data)
}

func TestURLConfigs(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", nil)
	ctx, name := t.Context(), aws.String("f")
	create := &lambda.CreateFunctionUrlConfigInput{FunctionName: name, AuthType: types.FunctionUrlAuthTypeNone, Cors: &types.Cors{AllowOrigins: []string{"*"}}}
	made, err := h.Lambda.CreateFunctionUrlConfig(ctx, create)
	if err != nil || *made.FunctionArn != "arn:aws:lambda:us-east-1:000000000000:function:f" || made.InvokeMode != "" {
		t.Fatalf("created %+v, %v", made, err)
	}
	_, err = h.Lambda.CreateFunctionUrlConfig(ctx, create)
	lambdatest.WantError(t, err, "ResourceConflictException", "Failed to create function url config for [functionArn = arn:aws:lambda:us-east-1:000000000000:function:f]. Error message:  FunctionUrlConfig exists for this Lambda function")
	got, err := h.Lambda.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: name})
	if err != nil || *got.FunctionUrl != *made.FunctionUrl || got.InvokeMode != types.InvokeModeBuffered || *got.CreationTime != *made.CreationTime || got.Cors.AllowOrigins[0] != "*" {
		t.Errorf("got %+v, %v", got, err)
	}
	changed, err := h.Lambda.UpdateFunctionUrlConfig(ctx, &lambda.UpdateFunctionUrlConfigInput{FunctionName: name, AuthType: types.FunctionUrlAuthTypeAwsIam})
	if err != nil || changed.AuthType != types.FunctionUrlAuthTypeAwsIam || *changed.FunctionUrl != *made.FunctionUrl {
		t.Errorf("changed %+v, %v", changed, err)
	}
	list, err := h.Lambda.ListFunctionUrlConfigs(ctx, &lambda.ListFunctionUrlConfigsInput{FunctionName: name})
	if err != nil || len(list.FunctionUrlConfigs) != 1 || list.FunctionUrlConfigs[0].InvokeMode != types.InvokeModeBuffered {
		t.Errorf("listed %+v, %v", list, err)
	}
	if _, err := h.Lambda.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := http.Get(*made.FunctionUrl); err == nil {
		t.Error("deleted, and still served")
	}
	for qualifier, code := range map[string]string{"": "ResourceNotFoundException", "$LATEST": "ValidationException", "7": "ValidationException", "none": "ResourceNotFoundException"} {
		in := &lambda.GetFunctionUrlConfigInput{FunctionName: name}
		if qualifier != "" {
			in.Qualifier = &qualifier
		}
		_, err := h.Lambda.GetFunctionUrlConfig(ctx, in)
		lambdatest.WantError(t, err, code, "")
	}
	create.FunctionName = aws.String("none")
	_, err = h.Lambda.CreateFunctionUrlConfig(ctx, create)
	lambdatest.WantError(t, err, "ResourceNotFoundException", "Function does not exist")
}

func TestURLIsCalled(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	url := h.withURL("f", "")
	answer, body := ask(t, "GET", url, "")
	if answer.StatusCode != 403 || body != `{"Message":"Forbidden"}` {
		t.Errorf("without permission: %d %s", answer.StatusCode, body)
	}
	h.openURL("f")
	answer, body = ask(t, "POST", url+"a/b%20c?x=1&x=2&y=", "hello", "Content-Type", "text/plain", "X-Two", "1", "X-Two", "2", "Cookie", "a=1; b=2")
	var e urlEvent
	if err := json.Unmarshal([]byte(body), &e); err != nil || answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v %s", answer.StatusCode, answer.Header, body)
	}
	c := e.RequestContext
	if e.Version != "2.0" || e.RawPath != "/a/b%20c" || e.RawQueryString != "x=1&x=2&y=" || e.QueryStringParameters["x"] != "1,2" || e.Headers["x-two"] != "1,2" ||
		strings.Join(e.Cookies, "|") != "a=1|b=2" || e.Body != "hello" || e.IsBase64Encoded || c.HTTP.Method != "POST" || c.HTTP.Path != "/a/b c" || c.AccountID != "anonymous" {
		t.Errorf("event %s", body)
	}
	_, body = ask(t, "PUT", url, "\x00\xff", "Content-Type", "image/png")
	if err := json.Unmarshal([]byte(body), &e); err != nil || !e.IsBase64Encoded || e.Body != "AP8=" {
		t.Errorf("binary event %s", body)
	}
	answer, body = ask(t, "POST", url, strings.Repeat("x", maxSyncPayload+1))
	if answer.StatusCode != 413 {
		t.Errorf("too large: %d %s", answer.StatusCode, body)
	}
}

// What a buffered answer is taken for.
func TestURLAnswers(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	for name, c := range map[string]struct {
		answer string
		status int
		body   string
		header string // "Name: value"
	}{
		"response": {`{"statusCode":201,"headers":{"Content-Type":"text/html","X-N":7},"body":"<p>","cookies":["a=1; Secure"]}`, 201, "<p>", "X-N: 7"},
		"cookie":   {`{"statusCode":200,"cookies":["a=1; Secure"]}`, 200, "", "Set-Cookie: a=1; Secure"},
		"base64":   {`{"statusCode":"200","isBase64Encoded":true,"body":"AP8="}`, 200, "\x00\xff", ""},
		"object":   {`{"message":"hi"}`, 200, `{"message":"hi"}`, "Content-Type: application/json"},
		"text":     {`"hi"`, 200, `"hi"`, "Content-Type: application/json"},
		"status":   {`{"statusCode":"many"}`, 502, "Internal Server Error\n", ""},
		"encoding": {`{"statusCode":200,"isBase64Encoded":true,"body":"%"}`, 502, "Internal Server Error\n", ""},
	} {
		url := h.withURL(name, c.answer)
		h.openURL(name)
		answer, body := ask(t, "GET", url, "")
		if answer.StatusCode != c.status || body != c.body {
			t.Errorf("%s: %d %q", name, answer.StatusCode, body)
		}
		if key, value, ok := strings.Cut(c.header, ": "); ok && answer.Header.Get(key) != value {
			t.Errorf("%s: header %v", name, answer.Header)
		}
	}
	h.Deploy("failing", func(in *lambda.CreateFunctionInput) { in.Environment = lambdatest.Vars("FAIL", "rawPath") })
	out, err := h.Lambda.CreateFunctionUrlConfig(t.Context(), &lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("failing"), AuthType: types.FunctionUrlAuthTypeNone})
	if err != nil {
		t.Fatal(err)
	}
	h.openURL("failing")
	if answer, body := ask(t, "GET", *out.FunctionUrl, ""); answer.StatusCode != 502 {
		t.Errorf("failed: %d %q", answer.StatusCode, body)
	}
}

func TestURLStreams(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	streaming := func(in *lambda.CreateFunctionUrlConfigInput) { in.InvokeMode = types.InvokeModeResponseStream }
	h.Deploy("f", func(in *lambda.CreateFunctionInput) {
		in.Environment = lambdatest.Vars("STREAM", `{"statusCode":202,"headers":{"X-A":"b"},"cookies":["c=d"]}`)
	})
	out, err := h.Lambda.CreateFunctionUrlConfig(t.Context(), &lambda.CreateFunctionUrlConfigInput{FunctionName: aws.String("f"), AuthType: types.FunctionUrlAuthTypeNone, InvokeMode: types.InvokeModeResponseStream})
	if err != nil {
		t.Fatal(err)
	}
	h.openURL("f")
	answer, body := ask(t, "GET", *out.FunctionUrl, "")
	if answer.StatusCode != 202 || answer.Header.Get("X-A") != "b" || answer.Header.Get("Set-Cookie") != "c=d" || body != "chunk 0\nchunk 1\nchunk 2\n" {
		t.Errorf("%d %v %q", answer.StatusCode, answer.Header, body)
	}
	// A function that does not stream is answered for as it is.
	url := h.withURL("g", `{"statusCode":201}`, streaming)
	h.openURL("g")
	if answer, body := ask(t, "GET", url, ""); answer.StatusCode != 200 || body != `{"statusCode":201}` {
		t.Errorf("%d %q", answer.StatusCode, body)
	}
}

func TestURLWantsASignature(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	url := h.withURL("f", "", func(in *lambda.CreateFunctionUrlConfigInput) { in.AuthType = types.FunctionUrlAuthTypeAwsIam })
	if answer, body := ask(t, "GET", url, ""); answer.StatusCode != 403 || body != `{"Message":"Forbidden"}` {
		t.Errorf("unsigned: %d %s", answer.StatusCode, body)
	}
	signature := "AWS4-HMAC-SHA256 Credential=AKID/20260102/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00"
	answer, body := ask(t, "GET", url, "", "Authorization", signature)
	if answer.StatusCode != 200 || !strings.Contains(body, `"accessKey":"AKID"`) {
		t.Errorf("signed: %d %s", answer.StatusCode, body)
	}
}

func TestURLOfOtherOrigins(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	url := h.withURL("f", "", func(in *lambda.CreateFunctionUrlConfigInput) {
		in.Cors = &types.Cors{AllowOrigins: []string{"https://*.example.com"}, AllowMethods: []string{"GET"}, AllowHeaders: []string{"x-a"}, MaxAge: aws.Int32(60)}
	})
	h.openURL("f")
	preflight, _ := ask(t, "OPTIONS", url, "", "Origin", "https://a.example.com", "Access-Control-Request-Method", "GET")
	if preflight.Header.Get("Access-Control-Allow-Origin") != "https://a.example.com" || preflight.Header.Get("Access-Control-Allow-Methods") != "GET" || preflight.Header.Get("Access-Control-Max-Age") != "60" {
		t.Errorf("preflight %v", preflight.Header)
	}
	if own, _ := ask(t, "GET", url, "", "Origin", "https://a.example.com"); own.Header.Get("Access-Control-Allow-Origin") == "" || own.StatusCode != 200 {
		t.Errorf("request %v", own.Header)
	}
	if other, _ := ask(t, "GET", url, "", "Origin", "https://other.org"); other.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("of another origin %v", other.Header)
	}
}

func TestURLsOutliveTheProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := start(t, Options{Dir: dir})
	url := h.withURL("f", `"hi"`)
	h.openURL("f")
	h.stop()
	h = start(t, Options{Dir: dir})
	got, err := h.Lambda.GetFunctionUrlConfig(t.Context(), &lambda.GetFunctionUrlConfigInput{FunctionName: aws.String("f")})
	if err != nil {
		t.Fatal(err)
	}
	if answer, body := ask(t, "GET", *got.FunctionUrl, ""); answer.StatusCode != 200 || body != `"hi"` {
		t.Errorf("%s, was %s: %d %s", *got.FunctionUrl, url, answer.StatusCode, body)
	}
	if _, err := h.Lambda.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: aws.String("f")}); err != nil {
		t.Fatal(err)
	}
	if _, err := http.Get(*got.FunctionUrl); err == nil {
		t.Error("its function is deleted, and it is still served")
	}
}
