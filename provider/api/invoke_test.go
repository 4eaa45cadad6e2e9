package api

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// function is a backend whose one function is written in Go.
type function struct {
	backend.Backend
	invoke func(context.Context, backend.Name, *http.Request) (*http.Response, error)
}

func (f function) Invoke(ctx context.Context, name backend.Name, r *http.Request) (*http.Response, error) {
	return f.invoke(ctx, name, r)
}

// says is a function that always answers the same.
func says(code int, body string, headers ...string) function {
	return function{invoke: func(context.Context, backend.Name, *http.Request) (*http.Response, error) {
		header := http.Header{}
		for i := 0; i < len(headers); i += 2 {
			header.Add(headers[i], headers[i+1])
		}
		return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
	}}
}

func TestPathAndQueryReachTheFunctionAsWritten(t *testing.T) {
	for line, want := range map[string]struct{ path, query string }{
		"/function/f":                      {"/", ""},
		"/function/f/":                     {"/", ""},
		"/function/f?":                     {"/", ""},
		"/function/f?a=1&a=%20+":           {"/", "a=1&a=%20+"},
		"/function/f/a%20b/%2F/c":          {"/a%20b/%2F/c", ""},
		"/function/f//a/../b/./":           {"//a/../b/./", ""},
		"/function/f/function/f/x":         {"/function/f/x", ""},
		"/function/f/\"a\"|ä?q=\"":         {"/\"a\"|ä", "q=\""},
		"/function/f.openfaas-fn/%41":      {"/%41", ""},
		"http://host/function/f/absolute?": {"/absolute", ""},
	} {
		t.Run(line, func(t *testing.T) {
			url := start(t, function{invoke: func(_ context.Context, name backend.Name, r *http.Request) (*http.Response, error) {
				if name.Function != "f" {
					return nil, backend.NotFound(name)
				}
				return says(200, r.URL.RawPath+" "+r.URL.RawQuery).Invoke(t.Context(), name, r)
			}})
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, "GET "+line+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != 200 || string(body) != want.path+" "+want.query {
				t.Errorf("%d %q %v, want %q", res.StatusCode, body, err, want.path+" "+want.query)
			}
		})
	}
}

func TestRequestHeaders(t *testing.T) {
	var got http.Header
	var host, remote string
	url := start(t, function{invoke: func(_ context.Context, name backend.Name, r *http.Request) (*http.Response, error) {
		got, host, remote = r.Header, r.Host, r.RemoteAddr
		return says(200, "").Invoke(t.Context(), name, r)
	}})
	first := send(t, "POST", url+"/function/f", "x", "X-A", "1", "X-A", "2", "Authorization", "Bearer mine")
	if diff := cmp.Diff([]string{"1", "2"}, got["X-A"]); diff != "" || got.Get("Authorization") != "Bearer mine" {
		t.Errorf("header %v", got)
	}
	if got.Get("X-Forwarded-Host") != host || got.Get("X-Forwarded-For") != "127.0.0.1" || remote == "" {
		t.Errorf("X-Forwarded-Host %q for %q, X-Forwarded-For %q", got.Get("X-Forwarded-Host"), host, got.Get("X-Forwarded-For"))
	}
	id := got.Get("X-Call-Id")
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) || first.header.Get("X-Call-Id") != id {
		t.Errorf("X-Call-Id %q to the function, %q to the client", id, first.header.Get("X-Call-Id"))
	}
	second := send(t, "POST", url+"/function/f", "x", "X-Call-Id", "mine", "X-Forwarded-For", "10.0.0.1", "X-Forwarded-Host", "gateway")
	if got.Get("X-Call-Id") != "mine" || second.header.Get("X-Call-Id") != "mine" || got.Get("X-Forwarded-For") != "10.0.0.1" || got.Get("X-Forwarded-Host") != "gateway" {
		t.Errorf("from a gateway: function got %v, client %v", got, second.header)
	}
}

func TestAnswerComesAsTheFunctionMadeIt(t *testing.T) {
	for _, c := range []struct {
		name        string
		f           function
		sent        string // Content-Type of the request
		code        int
		body, ctype string
	}{
		{"its own type", says(200, "<p>", "Content-Type", "text/html"), "text/x", 200, "<p>", "text/html"},
		{"the request's type", says(200, "x"), "text/x", 200, "x", "text/x"},
		{"no type at all", says(200, "<p>"), "", 200, "<p>", "text/plain"},
		{"redirect", says(302, "", "Location", "http://elsewhere/"), "", 302, "", "text/plain"},
		{"error", says(500, "mine", "X-Own", "1"), "", 500, "mine", "text/plain"},
		{"no content", says(204, ""), "", 204, "", "text/plain"},
		{"not modified", says(304, "ignored"), "", 304, "", ""},
		{"odd status", says(799, "x"), "", 799, "x", "text/plain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var headers []string
			if c.sent != "" {
				headers = []string{"Content-Type", c.sent}
			}
			got := send(t, "POST", start(t, c.f)+"/function/f", "", headers...)
			if got.code != c.code || got.body != c.body || got.header.Get("Content-Type") != c.ctype {
				t.Errorf("%d %q as %q", got.code, got.body, got.header.Get("Content-Type"))
			}
			if got.header.Get("X-Duration-Seconds") == "" || got.header.Get("X-OpenFaaS-Internal") != "" {
				t.Errorf("header %v", got.header)
			}
		})
	}
	got := send(t, "HEAD", start(t, says(200, "", "Content-Length", "42", "X-Duration-Seconds", "0.1"))+"/function/f", "")
	if got.code != 200 || got.header.Get("Content-Length") != "42" || got.header.Get("X-Duration-Seconds") != "0.1" {
		t.Errorf("HEAD: %d %v", got.code, got.header)
	}
	cookies := send(t, "GET", start(t, says(200, "", "Set-Cookie", "a=1", "Set-Cookie", "b=2"))+"/function/f", "").header["Set-Cookie"]
	if diff := cmp.Diff([]string{"a=1", "b=2"}, cookies); diff != "" {
		t.Errorf("cookies (-want +got)\n%s", diff)
	}
	if got := send(t, "GET", start(t, says(99, ""))+"/function/f", ""); got.code != 500 || !strings.Contains(got.body, "99") {
		t.Errorf("impossible status: %d %q", got.code, got.body)
	}
}

func TestAnswerStreams(t *testing.T) {
	reader, writer := io.Pipe()
	url := start(t, function{invoke: func(context.Context, backend.Name, *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: reader}, nil
	}})
	req, err := http.NewRequestWithContext(t.Context(), "GET", url+"/function/f", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(writer, "data: 1\n\n") }()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	for _, next := range []string{"data: 2\n\n", "data: 3\n\n", ""} {
		// The function writes on only after the client has read.
		if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: ") {
			t.Fatalf("%q, %v", line, err)
		}
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if next != "" {
			go func() { _, _ = io.WriteString(writer, next) }()
		}
	}
	if err := writer.CloseWithError(errors.New("function died")); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(lines); err == nil {
		t.Errorf("an answer that was cut short ended well with %q", rest)
	}
}

func TestClientGoneEndsTheInvocation(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	url := start(t, function{invoke: func(ctx context.Context, _ backend.Name, _ *http.Request) (*http.Response, error) {
		close(began)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}})
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-began
		leave()
	}()
	req, err := http.NewRequestWithContext(ctx, "GET", url+"/function/f", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultClient.Do(req); !errors.Is(err, context.Canceled) {
		t.Errorf("client got %v", err)
	}
	<-ended
}

func TestTheAnswerMayBeginBeforeTheRequestIsRead(t *testing.T) {
	url := start(t, function{invoke: func(_ context.Context, _ backend.Name, r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(r.Body)}, nil
	}})
	for _, size := range []int{0, 1, 100_000, 1 << 20} {
		body := strings.Repeat("x", size)
		if got := send(t, "POST", url+"/function/f", body); got.code != 200 || got.body != body {
			t.Errorf("%d and %d bytes of %d", got.code, len(got.body), size)
		}
	}
}

// TestRequestsThatNobodyReads: what is left of them is not in the way of the next
// one on the same connection.
func TestRequestsThatNobodyReads(t *testing.T) {
	url := start(t, says(200, "ok"))
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := range 120 {
		var body io.Reader = strings.NewReader(strings.Repeat("x", []int{0, 10, 5_000, 100_000, 300_000}[i%5]))
		if i%2 == 1 {
			body = struct{ io.Reader }{body} // of unknown length, as they come from a gateway
		}
		req, err := http.NewRequestWithContext(t.Context(), "POST", url+"/function/f", body)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(req)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		data, err := io.ReadAll(answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode != 200 || string(data) != "ok" {
			t.Fatalf("request %d: %d %q, %v", i, answer.StatusCode, data, err)
		}
	}
}
