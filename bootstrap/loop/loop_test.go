package loop_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/faas-lambda/faas-lambda/bootstrap/lambdatest"
	"github.com/faas-lambda/faas-lambda/bootstrap/launch"
	"github.com/faas-lambda/faas-lambda/watchdog/watchdogtest"
)

// httpEvent is a function URL's event in AWS's own order of members; with
// envelope, as our provider sends it.
func httpEvent(method, path, query string, header map[string]string, body []byte, envelope bool) []byte {
	h, err := json.Marshal(header)
	if err != nil {
		panic(err)
	}
	text := fmt.Sprintf(`{"version":"2.0","routeKey":"$default","rawPath":%q,"rawQueryString":%q,"cookies":["c=1","d=2"],"headers":%s,`+
		`"requestContext":{"accountId":"anonymous","apiId":"x","domainName":"fn.example","http":{"method":%q,"path":%q,"protocol":"HTTP/1.1","sourceIp":"203.0.113.7","userAgent":"t"},"requestId":"1","timeEpoch":1},`,
		path, query, h, method, path)
	if envelope {
		text += `"isBase64Encoded":true,"faasLambda":{"version":1,"multiValueHeaders":{"x-a":["1","2"]}},"body":"` + base64.StdEncoding.EncodeToString(body) + `"}`
	} else {
		text += `"body":"` + base64.StdEncoding.EncodeToString(body) + `","isBase64Encoded":true}`
	}
	return []byte(text)
}

// metadata is how an HTTP answer begins, or what a buffered one is.
type metadata struct {
	StatusCode        int                 `json:"statusCode"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Cookies           []string            `json:"cookies"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

// split parses a streamed HTTP answer.
func split(t *testing.T, r lambdatest.Result) (metadata, []byte) {
	t.Helper()
	if r.ContentType != "application/vnd.awslambda.http-integration-response" || !r.Streamed {
		t.Fatalf("not a streamed HTTP answer: %q, streamed %v, error %s %s, body %q", r.ContentType, r.Streamed, r.ErrorType, r.ErrorBody, r.Body)
	}
	head, body, ok := bytes.Cut(r.Body, make([]byte, 8))
	if !ok {
		t.Fatalf("no separator in %q", r.Body)
	}
	var m metadata
	if err := json.Unmarshal(head, &m); err != nil {
		t.Fatalf("metadata %s: %v", head, err)
	}
	return m, body
}

func invoke(t *testing.T, p *runtimeProcess, event []byte) lambdatest.Result {
	t.Helper()
	r, err := p.api.Invoke(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestStreamedHTTPAnswer(t *testing.T) {
	p := startHTTP(t)
	event := httpEvent("POST", "/headers%2Fx/../headers", "q=1&r=%20", map[string]string{"host": "fn.example", "x-a": "1,2", "x-b": "b",
		"x-lambda-request-id": "spoofed", "x-lambda-Tenant-Id": "spoofed", "x-amzn-request-context": "spoofed", "x-amzn-trace-id": "spoofed"}, nil, true)
	event = bytes.Replace(event, []byte("/headers%2Fx/../headers"), []byte("/headers"), 1)
	m, body := split(t, invoke(t, p, event))
	if m.StatusCode != http.StatusTeapot {
		t.Errorf("status %d", m.StatusCode)
	}
	if diff := cmp.Diff([]string{"a=1; Path=/", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"}, m.Cookies); diff != "" {
		t.Errorf("cookies (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string][]string{"x-multi": {"one", "two, three"}}, m.MultiValueHeaders); diff != "" {
		t.Errorf("multiValueHeaders (-want +got)\n%s", diff)
	}
	if m.Headers["x-multi"] != "one, two, three" || m.Headers["content-type"] != "text/html; charset=utf-8" {
		t.Errorf("headers %v", m.Headers)
	}
	got := string(body)
	for _, want := range []string{
		"POST /headers?q=1&r=%20 host=fn.example\n", `X-A=["1" "2"]`, `X-B=["b"]`, `Cookie=["c=1; d=2"]`,
		`X-Lambda-Request-Id=["00000000-0000-4000-8000-000000000001"]`, `X-Amzn-Trace-Id=["Root=1-5bef4de7`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the function did not see %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "spoofed") {
		t.Errorf("a client's header passed for context:\n%s", got)
	}
}

func TestBodiesArriveAsSent(t *testing.T) {
	p := startHTTP(t)
	for _, size := range []int{0, 1, 1000, 32 << 10, 32<<10 + 1, 64 << 10, 200_000, 4 << 20} {
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(i * 7 / 3)
		}
		header := map[string]string{"content-type": "image/png", "content-length": fmt.Sprint(size)}
		for name, event := range map[string][]byte{
			"streamed": httpEvent("POST", "/", "", header, body, true),
			"chunked":  httpEvent("POST", "/", "", map[string]string{"content-type": "image/png"}, body, true),
		} {
			t.Run(fmt.Sprintf("%s %d", name, size), func(t *testing.T) {
				m, got := split(t, invoke(t, p, event))
				if m.StatusCode != 200 || m.Headers["content-type"] != "image/png" || !bytes.Equal(got, body) {
					t.Errorf("status %d, headers %v, %d bytes, want %d", m.StatusCode, m.Headers, len(got), len(body))
				}
			})
		}
		t.Run(fmt.Sprintf("buffered %d", size), func(t *testing.T) {
			r := invoke(t, p, httpEvent("POST", "/", "", header, body, false))
			var m metadata
			if err := json.Unmarshal(r.Body, &m); err != nil || r.ContentType != "application/json" || r.Streamed {
				t.Fatalf("%v: %s streamed %v %.200q", err, r.ContentType, r.Streamed, r.Body)
			}
			got := []byte(m.Body)
			if m.IsBase64Encoded {
				var err error
				if got, err = base64.StdEncoding.DecodeString(m.Body); err != nil {
					t.Fatal(err)
				}
			}
			if m.StatusCode != 200 || m.Headers["content-type"] != "image/png" || !bytes.Equal(got, body) {
				t.Errorf("status %d, headers %v, %d bytes", m.StatusCode, m.Headers, len(got))
			}
		})
	}
}

func TestOtherEventsArePostedAsTheyAre(t *testing.T) {
	p := startHTTP(t)
	for name, event := range map[string]string{
		"number":       `42`,
		"string":       `"hé\u00e9"`,
		"object":       `{"Records":[{"eventSource":"aws:sqs"}]}`,
		"version only": `{"version":"2.0","x":1}`,
		"null":         `null`,
		"spaces":       "  {\n }\n",
		"large string": `"` + strings.Repeat("a", 5<<20) + `"`,
		"large object": `{"x":{"body":"` + strings.Repeat(`\"`, 1<<20) + `"}}`,
		"large body":   `{"body":"` + strings.Repeat("x", 300_000) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := invoke(t, p, []byte(event))
			if string(r.Body) != event || r.ContentType != "application/json" || r.ErrorType != "" {
				t.Errorf("%q (%d bytes), %s, error %s %s", cut(r.Body), len(r.Body), r.ContentType, r.ErrorType, r.ErrorBody)
			}
		})
	}
}

func cut(b []byte) []byte { return b[:min(len(b), 100)] }

func TestStatusesWithoutBody(t *testing.T) {
	p := startHTTP(t)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/status/204", 204}, {"GET", "/status/304", 304}, {"HEAD", "/headers", http.StatusTeapot}, {"HEAD", "/large", 200},
	} {
		m, body := split(t, invoke(t, p, httpEvent(c.method, c.path, "", map[string]string{}, nil, true)))
		if m.StatusCode != c.status || len(body) != 0 {
			t.Errorf("%s %s: status %d, %d bytes", c.method, c.path, m.StatusCode, len(body))
		}
	}
}

func TestFunctionThatDies(t *testing.T) {
	p := startHTTP(t)
	for range 3 {
		m, _ := split(t, invoke(t, p, httpEvent("GET", "/exit", "", map[string]string{}, nil, true)))
		if m.StatusCode != http.StatusInternalServerError || m.Headers["x-openfaas-internal"] != "of-watchdog" {
			t.Errorf("answer of a dying function: %+v", m)
		}
		r := invoke(t, p, []byte(`"still here"`))
		if string(r.Body) != `"still here"` {
			t.Errorf("the next invocation: %q, error %s %s", r.Body, r.ErrorType, r.ErrorBody)
		}
	}
}

func TestAnswerThatBreaksOff(t *testing.T) {
	p := startHTTP(t)
	r := invoke(t, p, httpEvent("GET", "/half", "", map[string]string{}, nil, true))
	if !bytes.HasSuffix(r.Body, []byte("half")) || r.ErrorType != "Function.RequestFailed" || !strings.Contains(r.ErrorBody, "read response") {
		t.Errorf("streamed: body %q, trailers %s %s", r.Body, r.ErrorType, r.ErrorBody)
	}
	r = invoke(t, p, httpEvent("GET", "/half", "", map[string]string{}, nil, false))
	if len(r.Body) != 0 || r.ErrorType != "Function.RequestFailed" {
		t.Errorf("buffered: body %q, error %s %s", r.Body, r.ErrorType, r.ErrorBody)
	}
}

func TestDeadlineIsAnsweredBeforeLambdaKills(t *testing.T) {
	p := startHTTP(t)
	p.api.Timeout = 600 * time.Millisecond
	began := time.Now() // the watchdog's own limit is 30 s
	m, body := split(t, invoke(t, p, httpEvent("GET", "/sleep", "", map[string]string{}, nil, true)))
	if took := time.Since(began); m.StatusCode != http.StatusGatewayTimeout || len(body) != 0 || took > 25*time.Second {
		t.Errorf("%+v after %s", m, took)
	}
	p.api.Timeout = 0
	if r := invoke(t, p, []byte(`1`)); string(r.Body) != "1" {
		t.Errorf("the next invocation: %q", r.Body)
	}
}

func TestTooLargeAnswerCostsOneInvocation(t *testing.T) {
	p := startHTTP(t)
	p.api.TooLarge = 6 << 20
	for range 3 {
		if r := invoke(t, p, httpEvent("GET", "/large", "", map[string]string{}, nil, true)); r.ErrorType != "Function.ResponseSizeTooLarge" {
			t.Errorf("streamed: error %q", r.ErrorType)
		}
		if r := invoke(t, p, httpEvent("GET", "/large", "", map[string]string{}, nil, false)); r.ErrorType != "Function.ResponseSizeTooLarge" {
			t.Errorf("buffered: error %q", r.ErrorType)
		}
		if r := invoke(t, p, []byte(`1`)); string(r.Body) != "1" {
			t.Errorf("the next invocation: %q, error %s %s", r.Body, r.ErrorType, r.ErrorBody)
		}
	}
}

func TestBodyThatNobodyReads(t *testing.T) {
	p := startHTTP(t)
	body := make([]byte, 3<<20)
	for range 5 {
		m, _ := split(t, invoke(t, p, httpEvent("POST", "/refuse", "", map[string]string{}, body, true)))
		if m.StatusCode != http.StatusForbidden {
			t.Errorf("status %d", m.StatusCode)
		}
	}
}

func TestForkModes(t *testing.T) {
	for name, c := range map[string]struct {
		watchdog launch.Watchdog
		env      []string
		want     string // content type
	}{
		"streaming": {launch.OfWatchdog, []string{"fprocess=cat"}, "application/octet-stream"},
		"classic":   {launch.Classic, []string{"fprocess=cat"}, "text/foo"},
	} {
		t.Run(name, func(t *testing.T) {
			p := startProcess(t, built(t, ".."), "LAMBDA_TASK_ROOT="+taskRoot(t, c.watchdog, c.env...))
			for _, size := range []int{0, 5, 100_000, 3 << 20} {
				body := bytes.Repeat([]byte{'x'}, size)
				m, got := split(t, invoke(t, p, httpEvent("POST", "/", "", map[string]string{"content-type": "text/foo"}, body, true)))
				if m.StatusCode != 200 || m.Headers["content-type"] != c.want || !bytes.Equal(got, body) {
					t.Errorf("status %d, headers %v, %d bytes of %d", m.StatusCode, m.Headers, len(got), size)
				}
			}
		})
	}
}

func TestFailedInitializationNamesItsCause(t *testing.T) {
	addr := watchdogtest.FreeAddr(t)
	function := built(t, "./testdata/function")
	for name, c := range map[string]struct {
		env  []string
		kind string
		want []string
	}{
		"no such program":    {[]string{"mode=http", "fprocess=./nothing x", "upstream_url=http://" + addr}, "Function.ProgramNotFound", []string{"./nothing x", "no such file"}},
		"not in PATH":        {[]string{"mode=http", "fprocess=nothing-of-this-name", "upstream_url=http://" + addr}, "Function.StartFailed", []string{"nothing-of-this-name", "not found in $PATH"}},
		"ends at start":      {[]string{"mode=http", "fprocess=false", "upstream_url=http://" + addr}, "Function.ExitedAtStart", []string{`"false"`, "exit status 1", addr}},
		"never listens":      {[]string{"mode=http", "fprocess=" + function, "MUTE=1", "upstream_url=http://" + addr}, "Function.NotListening", []string{function, addr, "within"}},
		"no upstream":        {[]string{"mode=http", "fprocess=true"}, "Function.InvalidConfiguration", []string{"upstream_url"}},
		"unknown mode":       {[]string{"mode=magic", "fprocess=true"}, "Function.InvalidConfiguration", []string{"mode", "magic"}},
		"no command":         {[]string{"mode=streaming"}, "Function.InvalidConfiguration", []string{"fprocess"}},
		"bad own setting":    {[]string{"fprocess=cat", "FAAS_LAMBDA_INVOKE_MODE=X"}, "Function.InvalidConfiguration", []string{"FAAS_LAMBDA_INVOKE_MODE"}},
		"unreadable package": {nil, "Runtime.InvalidLaunchSpec", []string{"launch.json"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if c.env != nil {
				root = taskRoot(t, launch.OfWatchdog, c.env...)
			}
			patience := "1m" // for what fails by itself, however busy the machine is
			if c.kind == "Function.NotListening" {
				patience = "300ms"
			}
			extra := slices.DeleteFunc(slices.Clone(c.env), func(kv string) bool { return !strings.HasPrefix(kv, "FAAS_") })
			status, failed := initFailure(t, append(extra, "LAMBDA_TASK_ROOT="+root, "FAAS_LAMBDA_INIT_TIMEOUT="+patience)...)
			if status == 0 {
				t.Error("bootstrap exited 0")
			}
			if failed.ErrorType != c.kind {
				t.Errorf("type %s, want %s: %s", failed.ErrorType, c.kind, failed.ErrorBody)
			}
			var body struct {
				Message string `json:"errorMessage"`
			}
			if err := json.Unmarshal([]byte(failed.ErrorBody), &body); err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(body.Message, want) {
					t.Errorf("message %q lacks %q", body.Message, want)
				}
			}
		})
	}
}

// initFailure starts bootstrap, which must fail, and returns its exit status and
// what it told Lambda.
func initFailure(t *testing.T, env ...string) (int, lambdatest.Result) {
	t.Helper()
	api, err := lambdatest.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	}()
	cmd := command(t, built(t, ".."), append(env, "PATH="+os.Getenv("PATH"), "AWS_LAMBDA_RUNTIME_API="+api.Addr())...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("bootstrap exited 0:\n%s", out)
	}
	select {
	case failed := <-api.InitFailed:
		return cmd.ProcessState.ExitCode(), failed
	default:
		t.Fatalf("nothing was reported; %v, output:\n%s", err, out)
		return 0, lambdatest.Result{}
	}
}
