package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/integration/functions/picture"
)

func TestMiddlewareImage(t *testing.T) {
	ref := push(t, "functions/web:1", middleware(t, "web"))
	deploy(t, types.FunctionDeployment{Service: "web", Image: ref, EnvVars: map[string]string{"greeting": "hi"}})

	allBytes := make([]byte, 300<<10)
	for i := range allBytes {
		allBytes[i] = byte(i ^ i>>8)
	}
	for name, c := range map[string]struct {
		method, path string
		body         []byte
		sends        string
		status       int
		gets         string
		want         []byte
	}{
		"HTML":                   {"POST", "/", []byte("world"), "text/plain", 200, "text/html; charset=utf-8", []byte("<h1>Hello, world!</h1>\n")},
		"a PNG, byte for byte":   {"GET", "/image.png", nil, "", 200, "image/png", picture.PNG()},
		"a PNG both ways":        {"POST", "/echo", picture.PNG(), "image/png", 200, "image/png", picture.PNG()},
		"every byte, 300 KB":     {"PUT", "/echo", allBytes, "application/octet-stream", 200, "application/octet-stream", allBytes},
		"text beyond ASCII":      {"POST", "/echo", []byte("naïve ☃ \u2028 \x01"), "text/plain; charset=utf-8", 200, "text/plain; charset=utf-8", []byte("naïve ☃ \u2028 \x01")},
		"no body":                {"DELETE", "/", nil, "", 200, "text/html; charset=utf-8", []byte("<h1>Hello, !</h1>\n")},
		"204":                    {"GET", "/status/204", nil, "", 204, "", nil},
		"304":                    {"GET", "/status/304", nil, "", 304, "", nil},
		"a redirect is returned": {"GET", "/status/302", nil, "", 302, "", nil},
		"404 of the function":    {"GET", "/status/404", nil, "", 404, "", nil},
		"500 of the function":    {"GET", "/status/500", nil, "", 500, "", nil},
		"503 of the function":    {"GET", "/status/503", nil, "", 503, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var header []string
			if c.sends != "" {
				header = []string{"Content-Type", c.sends}
			}
			got := do(t, c.method, "/function/web"+c.path, c.body, header...)
			if got.Status != c.status || !bytes.Equal(got.Body, c.want) {
				t.Errorf("answer %d, %d bytes %.80q; want %d, %d bytes", got.Status, len(got.Body), got.Body, c.status, len(c.want))
			}
			if c.gets != "" && got.Header.Get("Content-Type") != c.gets {
				t.Errorf("content type %q, want %q", got.Header.Get("Content-Type"), c.gets)
			}
		})
	}
	t.Run("16 MB both ways, through S3", func(t *testing.T) {
		large := make([]byte, 16<<20)
		_, _ = rand.NewChaCha8([32]byte{1}).Read(large)
		got := do(t, "POST", "/function/web/echo", large, "Content-Type", "application/octet-stream")
		if got.Status != 200 || !bytes.Equal(got.Body, large) {
			t.Errorf("answer %d, %d bytes %.300q", got.Status, len(got.Body), got.Body)
		}
	})
	t.Run("what the function sees", func(t *testing.T) { seenRequest(t) })
	t.Run("repeated headers and cookies", func(t *testing.T) { repeatedHeaders(t) })
	t.Run("HEAD has no body", func(t *testing.T) {
		if got := do(t, "HEAD", "/function/web/image.png", nil); got.Status != 200 || len(got.Body) != 0 {
			t.Errorf("HEAD answered %d with %d bytes", got.Status, len(got.Body))
		}
	})
	t.Run("a method that OpenFaaS lacks", func(t *testing.T) {
		if got := do(t, "PROPFIND", "/function/web/", nil); got.Status != http.StatusMethodNotAllowed {
			t.Errorf("PROPFIND answered %d", got.Status)
		}
	})
	t.Run("events arrive as they are sent", func(t *testing.T) { streamed(t) })
	t.Run("by its full name", func(t *testing.T) {
		if got := do(t, "GET", "/function/web.openfaas-fn/status/201", nil); got.Status != 201 {
			t.Errorf("answered %d: %s", got.Status, got.Body)
		}
	})
	t.Run("a function that exits fails this invocation alone", func(t *testing.T) {
		got := do(t, "GET", "/function/web/exit/7", nil)
		if got.Status < 500 {
			t.Errorf("exit answered %d: %s", got.Status, got.Body)
		}
		if got := do(t, "GET", "/function/web/status/200", nil); got.Status != 200 {
			t.Errorf("the next answered %d: %s", got.Status, got.Body)
		}
	})
	t.Run("several at a time", func(t *testing.T) {
		var group sync.WaitGroup
		for i := range 12 {
			group.Go(func() {
				body := []byte(fmt.Sprintf("caller %d", i))
				got, err := shared.up.Do(t.Context(), "POST", "/function/web/echo", body, "Content-Type", "text/plain")
				if err != nil || got.Status != 200 || !bytes.Equal(got.Body, body) {
					t.Errorf("caller %d: %d %q, %v", i, got.Status, got.Body, err)
				}
			})
		}
		group.Wait()
	})
}

func seenRequest(t *testing.T) {
	got := do(t, "POST", "/function/web/request?q=1&r=%20&q=2&empty", []byte("body"),
		"X-Many", "a", "X-Many", "b, c", "Cookie", "one=1; two=2", "X-Call-Id", "call-7", "Content-Type", "text/plain")
	var seen struct {
		Method, URI, Host, Body string
		Header                  http.Header
		Environment             []string
	}
	if err := json.Unmarshal(got.Body, &seen); err != nil {
		t.Fatalf("%v in %d %s", err, got.Status, got.Body)
	}
	if seen.Method != "POST" || seen.URI != "/request?q=1&r=%20&q=2&empty" || seen.Body != "body" {
		t.Errorf("the function saw %s %s with body %q", seen.Method, seen.URI, seen.Body)
	}
	if want := strings.TrimPrefix(shared.up.URL, "http://"); seen.Host != want {
		t.Errorf("the function saw host %q, want %q", seen.Host, want)
	}
	for name, want := range map[string][]string{
		"X-Many": {"a", "b, c"}, "Cookie": {"one=1; two=2"}, "X-Call-Id": {"call-7"}, "Content-Length": nil,
	} {
		if diff := cmp.Diff(want, seen.Header.Values(name)); diff != "" && want != nil {
			t.Errorf("header %s (-want +seen)\n%s", name, diff)
		}
	}
	for _, want := range []string{"greeting=hi", "mode=http", "AWS_LAMBDA_FUNCTION_NAME=web"} {
		if !slices.Contains(seen.Environment, want) {
			t.Errorf("the function's environment lacks %s:\n%s", want, strings.Join(seen.Environment, "\n"))
		}
	}
	if got.Header.Get("X-Call-Id") != "call-7" || got.Header.Get("X-Duration-Seconds") == "" {
		t.Errorf("the answer's headers lack the call id or the duration: %v", got.Header)
	}
}

func repeatedHeaders(t *testing.T) {
	got := do(t, "GET", "/function/web/headers", nil, "X-Repeated", "1", "X-Repeated", "2, 3")
	if got.Status != http.StatusTeapot {
		t.Errorf("status %d", got.Status)
	}
	if diff := cmp.Diff([]string{"1", "2, 3"}, got.Header.Values("X-Repeated")); diff != "" {
		t.Errorf("X-Repeated (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"one=1", "two=2"}, got.Header.Values("Set-Cookie")); diff != "" {
		t.Errorf("Set-Cookie (-want +got)\n%s", diff)
	}
}

// streamed reads the first event while the function has not sent the last.
func streamed(t *testing.T) {
	req, err := http.NewRequestWithContext(t.Context(), "GET", shared.up.URL+"/function/web/stream?n=1000", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	// 1,000 events take the function 50 seconds: whoever reads the first line
	// and leaves has not waited for the whole.
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	if err != nil || line != "data: 0\n" || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("read %q of type %s, %v", line, res.Header.Get("Content-Type"), err)
	}
}

func TestClassicImage(t *testing.T) {
	ref := push(t, "functions/cat:1", classic(t))
	deploy(t, types.FunctionDeployment{Service: "cat", Image: ref})
	for name, body := range map[string][]byte{"text": []byte("hello\n"), "a PNG": picture.PNG(), "nothing": nil} {
		t.Run(name, func(t *testing.T) {
			got := do(t, "POST", "/function/cat", body, "Content-Type", "text/foo")
			if got.Status != 200 || !bytes.Equal(got.Body, body) || got.Header.Get("Content-Type") != "text/foo" {
				t.Errorf("answer %d %s %.60q", got.Status, got.Header.Get("Content-Type"), got.Body)
			}
		})
	}
}

func TestOwnTemplate(t *testing.T) {
	img, err := fixture.GoLambda(arch, program(t, "templates/template/go-lambda", arch), program(t, "watchdog/fwatchdog", arch))
	if err != nil {
		t.Fatal(err)
	}
	deploy(t, types.FunctionDeployment{Service: "go-lambda", Image: push(t, "functions/go-lambda:1", img)})
	got := do(t, "POST", "/function/go-lambda", []byte("<world>"))
	if want := "<p>Hello, &lt;world&gt;!</p>\n"; got.Status != 200 || string(got.Body) != want {
		t.Errorf("answer %d %q, want %q", got.Status, got.Body, want)
	}
}

func TestSandbox(t *testing.T) {
	deploy(t, types.FunctionDeployment{Service: "sandbox", Image: push(t, "functions/web:1", middleware(t, "web")),
		Limits: &types.FunctionResources{Memory: "128Mi"}})
	for name, c := range map[string]struct {
		path   string
		status int
	}{
		"/tmp is writable":                    {"/file?path=/tmp/a", 200},
		"the root is not":                     {"/file?path=/a", 403},
		"the package is not":                  {"/file?path=/var/task/a", 403},
		"the host's own files are not there":  {"/file?path=" + programs + "/a", 403},
		"what the function may not overwrite": {"/file?path=/etc/passwd", 403},
	} {
		t.Run(name, func(t *testing.T) {
			if got := do(t, "POST", "/function/sandbox"+c.path, []byte("x")); got.Status != c.status {
				t.Errorf("answered %d: %s", got.Status, got.Body)
			}
		})
	}
}
