package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/auth"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/memory"
)

const namespace = "openfaas-fn"

// start serves b and returns its address.
func start(t *testing.T, b backend.Backend, change ...func(*Options)) string {
	t.Helper()
	opts := Options{Namespace: namespace, Version: "1.2.3", SHA: "abc", ReadTimeout: time.Minute, WriteTimeout: time.Minute}
	for _, c := range change {
		c(&opts)
	}
	server := httptest.NewServer(New(b, opts))
	t.Cleanup(server.Close)
	return server.URL
}

type answer struct {
	code   int
	header http.Header
	body   string
}

func send(t *testing.T, method, url, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req) // follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(data)}
}

const hello = `{"service":"hello","image":"example.com/hello:1","annotations":{"a":"b"}}`

func TestStatusCodes(t *testing.T) {
	long := `{"service":"hello","image":"x","annotations":{"a":"` + strings.Repeat("x", maxBody) + `"}}`
	for _, c := range []struct {
		name, method, path, body string
		code                     int
		says                     string
	}{
		{"deploy", "POST", "/system/functions", hello, 202, ""},
		{"deploy an existing function", "POST", "/system/functions", `{"service":"there","image":"i"}`, 202, ""},
		{"deploy by namespace in the query", "POST", "/system/functions?namespace=openfaas-fn", hello, 202, ""},
		{"deploy, two namespaces", "POST", "/system/functions?namespace=a", `{"service":"a","image":"i","namespace":"b"}`, 400, `"b" in the body`},
		{"deploy, unknown namespace", "POST", "/system/functions", `{"service":"a","image":"i","namespace":"b"}`, 400, `namespace "b" not found`},
		{"deploy without a name", "POST", "/system/functions", `{"image":"i"}`, 400, "service"},
		{"deploy without an image", "POST", "/system/functions", `{"service":"a"}`, 400, "image"},
		{"deploy a bad name", "POST", "/system/functions", `{"service":"a/b","image":"i"}`, 400, "a/b"},
		{"deploy no JSON", "POST", "/system/functions", "{\n \"service\": hello}", 400, "line 2, column 13"},
		{"deploy a list", "POST", "/system/functions", `[]`, 400, "the body must be an object, not array"},
		{"deploy of the wrong type", "POST", "/system/functions", `{"service":7}`, 400, "service must be a string, not number"},
		{"scale below zero", "POST", "/system/scale-function/hello", `{"replicas":-1}`, 400, "replicas must be a whole number from 0 on"},
		{"deploy half a JSON", "POST", "/system/functions", `{"service":"a"`, 400, "line 1, column 14"},
		{"deploy two JSONs", "POST", "/system/functions", `{"service":"a","image":"i"}{}`, 400, "line 1, column 28"},
		{"deploy a wrong type", "POST", "/system/functions", `{"service":"a","envVars":{"A":1}}`, 400, "envVars"},
		{"deploy nothing", "POST", "/system/functions", ``, 400, "empty"},
		{"deploy too much", "POST", "/system/functions", long, 413, "1048576"},
		{"update", "PUT", "/system/functions", `{"service":"there","image":"i"}`, 202, ""},
		{"update a missing function", "PUT", "/system/functions", `{"service":"missing","image":"i"}`, 404, "missing"},
		{"delete", "DELETE", "/system/functions", `{"functionName":"there"}`, 202, ""},
		{"delete by name and namespace", "DELETE", "/system/functions", `{"functionName":"there.openfaas-fn"}`, 202, ""},
		{"delete in a namespace of the body", "DELETE", "/system/functions", `{"functionName":"there","namespace":"openfaas-fn"}`, 202, ""},
		{"delete in a namespace of the query", "DELETE", "/system/functions?namespace=openfaas-fn", `{"functionName":"there"}`, 202, ""},
		{"delete a missing function", "DELETE", "/system/functions", `{"functionName":"missing"}`, 404, "missing"},
		{"delete in a missing namespace", "DELETE", "/system/functions", `{"functionName":"there","namespace":"x"}`, 404, "x"},
		{"delete nothing", "DELETE", "/system/functions", `{}`, 400, "functionName"},
		{"status", "GET", "/system/function/there?usage=false", "", 200, `"name":"there"`},
		{"status by name and namespace", "GET", "/system/function/there.openfaas-fn", "", 200, `"name":"there"`},
		{"status by namespace in the query", "GET", "/system/function/there?namespace=openfaas-fn", "", 200, `"name":"there"`},
		{"status of a missing function", "GET", "/system/function/missing", "", 404, "missing"},
		{"status in a missing namespace", "GET", "/system/function/there?namespace=x", "", 404, "x"},
		{"status with what was consumed", "GET", "/system/function/there?consumption=2026-01-02T15:04:05Z", "", 200, `"consumption":{"requests":0,"gbSeconds":0}`},
		{"status with what was consumed since no time", "GET", "/system/function/there?consumption=june", "", 400, "consumption=june"},
		{"status with usage", "GET", "/system/function/there?usage=1", "", 200, `"usage":{"totalMemoryBytes":134217728}`},
		{"list", "GET", "/system/functions", "", 200, `"name":"there"`},
		{"list of a missing namespace", "GET", "/system/functions?namespace=x", "", 404, "x"},
		{"scale", "POST", "/system/scale-function/there", `{"serviceName":"there","replicas":2}`, 202, ""},
		{"scale to zero", "POST", "/system/scale-function/there", `{"replicas":0}`, 202, ""},
		{"scale a missing function", "POST", "/system/scale-function/missing", `{"replicas":2}`, 404, "missing"},
		{"scale to nothing", "POST", "/system/scale-function/there", `{}`, 400, "replicas"},
		{"scale below zero", "POST", "/system/scale-function/there", `{"replicas":-1}`, 400, "replicas"},
		{"namespaces", "GET", "/system/namespaces", "", 200, `["openfaas-fn"]`},
		{"namespace", "POST", "/system/namespace/", `{"name":"x"}`, 201, ""},
		{"namespace that exists", "POST", "/system/namespace/", `{"name":"openfaas-fn"}`, 409, "openfaas-fn"},
		{"namespace, two names", "PUT", "/system/namespace/x", `{"name":"y"}`, 400, `"y" in the body`},
		{"namespace, bad name", "POST", "/system/namespace/", `{"name":"A_b"}`, 400, "A_b"},
		{"read a namespace", "GET", "/system/namespace/openfaas-fn", "", 200, `"name":"openfaas-fn"`},
		{"read a missing namespace", "GET", "/system/namespace/x", "", 404, "x"},
		{"update a missing namespace", "PUT", "/system/namespace/x", `{"name":"x"}`, 404, "x"},
		{"delete the default namespace", "DELETE", "/system/namespace/openfaas-fn", "", 409, "default"},
		{"secrets", "GET", "/system/secrets", "", 200, "[]"},
		{"create a secret", "POST", "/system/secrets", `{"name":"s","value":"v"}`, 201, ""},
		{"create a secret without value", "POST", "/system/secrets", `{"name":"s"}`, 400, "no value"},
		{"create a secret of no base64", "POST", "/system/secrets", `{"name":"s","rawValue":"!!"}`, 400, "rawValue is not base64"},
		{"create a secret with a path for a name", "POST", "/system/secrets", `{"name":"../s","value":"v"}`, 400, "../s"},
		{"update a missing secret", "PUT", "/system/secrets", `{"name":"s","value":"v"}`, 404, "s"},
		{"delete a missing secret", "DELETE", "/system/secrets", `{"name":"s"}`, 404, "s"},
		{"logs", "GET", "/system/logs?name=there&tail=-1&since=5m", "", 200, ""},
		{"logs of a missing function", "GET", "/system/logs?name=missing", "", 404, "missing"},
		{"logs of nothing", "GET", "/system/logs", "", 400, "name"},
		{"logs since no time", "GET", "/system/logs?name=there&since=soon", "", 400, "since=soon"},
		{"async", "POST", "/async-function/there", "x", 202, ""},
		{"async, missing function", "POST", "/async-function/missing", "x", 404, "missing"},
		{"readyz", "GET", "/readyz", "", 200, ""},
		{"healthz", "GET", "/healthz", "", 200, ""},
		{"healthz, HEAD", "HEAD", "/healthz", "", 200, ""},
		{"wrong method", "PATCH", "/system/functions", "", 405, "method PATCH is not allowed"},
		{"unknown route", "GET", "/system/nothing", "", 404, ""},
		{"invoke", "POST", "/function/there", "x", 200, "x"},
		{"invoke in a namespace", "POST", "/function/there.openfaas-fn/a/b", "x", 200, "x"},
		{"invoke a missing function", "POST", "/function/missing", "x", 404, "missing"},
		{"invoke in another namespace", "POST", "/function/there.other", "x", 404, "there.other"},
		{"invoke by TRACE", "TRACE", "/function/there", "", 405, "TRACE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := memory.New()
			if err := b.Deploy(t.Context(), types.FunctionDeployment{Service: "there", Image: "i", Namespace: namespace}); err != nil {
				t.Fatal(err)
			}
			got := send(t, c.method, start(t, b)+c.path, c.body)
			if got.code != c.code || !strings.Contains(got.body, c.says) {
				t.Errorf("%d %q, want %d and %q", got.code, got.body, c.code, c.says)
			}
			if allow := got.header.Get("Allow"); (c.code == 405) != strings.Contains(allow, "GET") || strings.Contains(allow, c.method) {
				t.Errorf("%d allows %q", got.code, allow)
			}
		})
	}
}

func TestListIsNeverNull(t *testing.T) {
	got := send(t, "GET", start(t, memory.New())+"/system/functions", "")
	if got.body != "[]" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("answered %q as %s", got.body, got.header.Get("Content-Type"))
	}
}

func TestInfo(t *testing.T) {
	url := start(t, memory.New()) + "/system/info"
	var provider types.ProviderInfo
	if err := json.Unmarshal([]byte(send(t, "GET", url, "").body), &provider); err != nil {
		t.Fatal(err)
	}
	want := types.ProviderInfo{Name: "faas-lambda", Orchestration: "memory", Version: &types.VersionInfo{SHA: "abc", Release: "1.2.3"}}
	if diff := cmp.Diff(want, provider); diff != "" {
		t.Errorf("a gateway gets (-want +got)\n%s", diff)
	}
	var gateway gatewayInfo
	if err := json.Unmarshal([]byte(send(t, "GET", url, "", "User-Agent", "faas-cli/0.18.0").body), &gateway); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, gateway.Provider.ProviderInfo); diff != "" || gateway.Version == nil || gateway.Arch == "" {
		t.Errorf("faas-cli gets %+v (-want +got)\n%s", gateway, diff)
	}
	forwarded := send(t, "GET", url, "", "User-Agent", "faas-cli/0.18.0", "X-Forwarded-Host", "gateway")
	if err := json.Unmarshal([]byte(forwarded.body), &provider); err != nil {
		t.Errorf("faas-cli behind a gateway gets %s", forwarded.body)
	}
}

func TestBasicAuth(t *testing.T) {
	url := start(t, memory.New(), func(o *Options) {
		o.Credentials = &auth.BasicAuthCredentials{User: "admin", Password: "secret"}
	})
	for _, c := range []struct{ method, path string }{
		{"GET", "/system/functions"}, {"POST", "/system/functions"}, {"PUT", "/system/functions"}, {"DELETE", "/system/functions"},
		{"GET", "/system/function/x"}, {"POST", "/system/scale-function/x"}, {"GET", "/system/info"}, {"GET", "/system/secrets"},
		{"GET", "/system/logs"}, {"GET", "/system/namespaces"}, {"GET", "/system/namespace/x"}, {"POST", "/system/namespace/"},
	} {
		t.Run(c.method+c.path, func(t *testing.T) {
			for _, login := range []string{"", "Basic YWRtaW46d3Jvbmc=", "Bearer secret"} {
				got := send(t, c.method, url+c.path, "{}", "Authorization", login)
				if got.code != 401 || got.header.Get("WWW-Authenticate") != `Basic realm="Restricted"` {
					t.Errorf("%q: %d %v", login, got.code, got.header)
				}
			}
			if got := send(t, c.method, url+c.path, "{}", "Authorization", "Basic YWRtaW46c2VjcmV0"); got.code == 401 {
				t.Errorf("right login: %d %s", got.code, got.body)
			}
		})
	}
	for path, code := range map[string]int{"/function/x": 404, "/healthz": 200, "/metrics": 200} {
		if got := send(t, "GET", url+path, ""); got.code != code {
			t.Errorf("%s without login: %d, want %d", path, got.code, code)
		}
	}
}

func TestMetricsAreBounded(t *testing.T) {
	url := start(t, memory.New())
	for i := range 20 {
		send(t, "GET", url+fmt.Sprintf("/system/function/f%d", i), "")
		send(t, fmt.Sprintf("M%d", i), url+fmt.Sprintf("/function/f%d/path%d", i, i), "")
	}
	got := send(t, "GET", url+"/metrics", "").body
	for _, line := range []string{
		`provider_http_requests_total{code="404",method="GET",path="/system/function"} 20`,
		`provider_http_requests_total{code="405",method="other",path="/function"} 20`,
		`provider_http_request_duration_seconds_count{code="404",method="GET",path="/system/function"} 20`,
	} {
		if !strings.Contains(got, line) {
			t.Errorf("no %s in\n%s", line, got)
		}
	}
}

// failing answers every call by an error.
type failing struct {
	backend.Backend
	err error
}

func (f failing) Invoke(context.Context, backend.Name, *http.Request) (*http.Response, error) {
	return nil, f.err
}
func (f failing) Status(context.Context, backend.Name) (types.FunctionStatus, error) {
	return types.FunctionStatus{}, f.err
}

func TestErrorsBecomeStatusCodes(t *testing.T) {
	fault := &backend.FunctionError{Type: "Runtime.ExitError", Message: "exit status 127"}
	for _, c := range []struct {
		name  string
		err   error
		code  int
		retry string
	}{
		{"invalid", backend.Errorf(backend.ErrInvalid, "why"), 400, ""},
		{"not found", backend.Errorf(backend.ErrNotFound, "why"), 404, ""},
		{"exists", backend.Errorf(backend.ErrExists, "why"), 409, ""},
		{"conflict", backend.Errorf(backend.ErrConflict, "why"), 409, ""},
		{"too large", backend.Errorf(backend.ErrTooLarge, "why"), 413, ""},
		{"throttled", backend.Errorf(backend.ErrThrottled, "why"), 429, "1"},
		{"throttled for a while", &backend.Throttled{After: 2500 * time.Millisecond, Err: errors.New("why")}, 429, "3"},
		{"not ready yet", &backend.Throttled{After: 7 * time.Second, Err: backend.Errorf(backend.ErrUnavailable, "why")}, 503, "7"},
		{"unsupported", backend.Errorf(backend.ErrUnsupported, "why"), 501, ""},
		{"unavailable", backend.Errorf(backend.ErrUnavailable, "why"), 503, "1"},
		{"timed out", backend.Errorf(backend.ErrTimeout, "why"), 504, ""},
		{"function failed", fmt.Errorf("why: %w", fault), 500, ""},
		{"wrapped", fmt.Errorf("outer: %w", backend.Errorf(backend.ErrConflict, "why")), 409, ""},
		{"unknown", errors.New("why"), 500, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := start(t, failing{err: c.err})
			for _, path := range []string{"/function/f", "/system/function/f"} {
				got := send(t, "GET", url+path, "")
				if got.code != c.code || got.header.Get("Retry-After") != c.retry || !strings.Contains(got.body, "why") {
					t.Errorf("%s: %d, Retry-After %q, %q", path, got.code, got.header.Get("Retry-After"), got.body)
				}
				if internal := got.header.Get("X-OpenFaaS-Internal") != ""; internal != (path == "/function/f") {
					t.Errorf("%s: X-OpenFaaS-Internal %q", path, got.header.Get("X-OpenFaaS-Internal"))
				}
			}
		})
	}
	if got := send(t, "GET", start(t, failing{err: fault})+"/function/f", "").body; !strings.Contains(got, "Runtime.ExitError") || !strings.Contains(got, "exit status 127") {
		t.Errorf("a function's failure says %q", got)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("name.openfaas-fn", "")
	f.Add("a.b.c", "c")
	f.Add(".openfaas-fn", "openfaas-fn")
	known := []string{"openfaas-fn", "c"}
	f.Fuzz(func(t *testing.T, raw, namespace string) {
		if namespace != "" && namespace != "c" {
			namespace = "openfaas-fn"
		}
		got := split(raw, namespace, known[0], known)
		if got.Namespace != "openfaas-fn" && got.Namespace != "c" {
			t.Errorf("namespace %q", got.Namespace)
		}
		if got.Function != raw && got.Function+"."+got.Namespace != raw {
			t.Errorf("%q became %q", raw, got)
		}
		if namespace != "" && got.Namespace != namespace {
			t.Errorf("namespace %q became %q", namespace, got.Namespace)
		}
	})
}

func FuzzWhere(f *testing.F) {
	f.Add([]byte("{\n \"a\": x}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var d types.FunctionDeployment
		if err := json.Unmarshal(body, &d); err != nil {
			if err := where(body, err); !errors.Is(err, backend.ErrInvalid) || !bytes.Contains([]byte(err.Error()), []byte("line")) {
				t.Errorf("%v", err)
			}
		}
	})
}
