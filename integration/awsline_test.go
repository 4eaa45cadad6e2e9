package integration

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// awsLine is the way from one replica to AWS: it can be cut, calls can be held on
// it, and AWS's clock can be another one than the replica's.
type awsLine struct {
	URL   string
	proxy *httputil.ReverseProxy

	mu    sync.Mutex // guards the rest
	cut   bool
	ahead time.Duration // AWS's clock, of ours; signatures that are five minutes off are refused
	later time.Duration // how much time is said to have gone by since everything that AWS tells
	gate  *gate         // nil: none
}

// gate holds the first call that is of one kind.
type gate struct {
	call   func(*http.Request) bool
	done   bool          // AWS does the call, and the answer is held
	held   chan struct{} // closed when the call is here
	open   chan struct{} // closed to let it go on
	passed bool
}

func newAWSLine(t *testing.T, aws string) *awsLine {
	t.Helper()
	to, err := url.Parse(aws)
	if err != nil {
		t.Fatal(err)
	}
	l := &awsLine{}
	l.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		FlushInterval:  -1,
		ModifyResponse: l.tellTime,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { cutOff(w) },
	}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	l.URL = server.URL
	return l
}

// set changes the line.
func (l *awsLine) set(change func(*awsLine)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

// hold makes the line hold the first call that fits.
func (l *awsLine) hold(done bool, call func(*http.Request) bool) *gate {
	g := &gate{call: call, done: done, held: make(chan struct{}), open: make(chan struct{})}
	l.set(func(l *awsLine) { l.gate = g })
	return g
}

func (l *awsLine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := fixture.TakeBody(r); err != nil {
		return // the replica went
	}
	l.mu.Lock()
	cut, ahead, g := l.cut, l.ahead, l.gate
	holds := g != nil && !g.passed && g.call(r)
	if holds {
		g.passed = true
	}
	l.mu.Unlock()
	switch {
	case cut:
		cutOff(w)
	case ahead != 0 && !signedAt(r, time.Now().Add(ahead)):
		w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		w.Header().Set("X-Amzn-ErrorType", "InvalidSignatureException")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"message":"Signature expired: it is not within 5 minutes of now"}`)
	case holds && g.done:
		l.proxy.ServeHTTP(httptest.NewRecorder(), r)
		close(g.held)
		<-g.open
		cutOff(w)
	case holds:
		close(g.held)
		<-g.open
		l.proxy.ServeHTTP(w, r)
	default:
		l.proxy.ServeHTTP(w, r)
	}
}

// cutOff ends the connection without an answer.
func cutOff(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// signedAt tells whether a request's signature, in its headers or its query, is
// one that AWS takes at that time.
func signedAt(r *http.Request, now time.Time) bool {
	const form, most = "20060102T150405Z", 5 * time.Minute
	if at := r.URL.Query().Get("X-Amz-Date"); at != "" {
		signed, err := time.Parse(form, at)
		seconds, numberErr := strconv.Atoi(r.URL.Query().Get("X-Amz-Expires"))
		return err == nil && numberErr == nil && now.After(signed.Add(-most)) && now.Before(signed.Add(time.Duration(seconds)*time.Second))
	}
	signed, err := time.Parse(form, r.Header.Get("X-Amz-Date"))
	return err == nil && now.Sub(signed).Abs() <= most
}

var modified = regexp.MustCompile(`"LastModified":"([^"]*)"`)

// tellTime makes an answer one of AWS's clock.
func (l *awsLine) tellTime(answer *http.Response) error {
	l.mu.Lock()
	ahead, later := l.ahead, l.later
	l.mu.Unlock()
	if ahead == 0 && later == 0 {
		return nil
	}
	answer.Header.Set("Date", time.Now().Add(ahead+later).UTC().Format(http.TimeFormat))
	if ahead == 0 || !strings.Contains(answer.Header.Get("Content-Type"), "json") {
		return nil
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	const form = "2006-01-02T15:04:05.000-0700"
	body = modified.ReplaceAllFunc(body, func(match []byte) []byte {
		at, err := time.Parse(form, string(modified.FindSubmatch(match)[1]))
		if err != nil {
			return match
		}
		return []byte(`"LastModified":"` + at.Add(ahead).Format(form) + `"`)
	})
	answer.Body = io.NopCloser(bytes.NewReader(body))
	answer.ContentLength = int64(len(body))
	answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}
