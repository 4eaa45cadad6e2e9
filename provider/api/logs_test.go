package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	faaslogs "github.com/openfaas/faas-provider/logs"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// printing is a backend whose function prints what comes from a channel.
type printing struct {
	backend.Backend
	lines chan string
	asked chan faaslogs.Request
	ended chan struct{} // closed when the query's context has ended
}

func newPrinting() printing {
	return printing{lines: make(chan string), asked: make(chan faaslogs.Request, 1), ended: make(chan struct{})}
}

func (p printing) Query(ctx context.Context, r faaslogs.Request) (<-chan faaslogs.Message, error) {
	p.asked <- r
	out := make(chan faaslogs.Message)
	go func() {
		defer close(p.ended)
		defer close(out)
		for {
			select {
			case <-ctx.Done():
				return
			case text, ok := <-p.lines:
				if !ok {
					return
				}
				select {
				case out <- faaslogs.Message{Name: r.Name, Namespace: r.Namespace, Instance: "i", Text: text}:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out, nil
}

// follow asks for logs and returns the answer and its lines.
func follow(t *testing.T, ctx context.Context, address string) (*http.Response, *bufio.Scanner) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", address+"/system/logs?name=f&follow=true&tail=-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res, bufio.NewScanner(res.Body)
}

// print hands a line to the function and reads it from the answer, so that each
// line has to come before the next one is printed.
func (p printing) print(t *testing.T, lines *bufio.Scanner, text string) {
	t.Helper()
	p.lines <- text
	if !lines.Scan() {
		t.Fatalf("no line: %v", lines.Err())
	}
	var m faaslogs.Message
	if err := json.Unmarshal(lines.Bytes(), &m); err != nil || m.Text != text || m.Name != "f" || m.Namespace != namespace {
		t.Errorf("%s, %v", lines.Bytes(), err)
	}
}

func TestFollowedLogsComeLineByLine(t *testing.T) {
	p := newPrinting()
	res, lines := follow(t, t.Context(), start(t, p))
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%d as %s before anything was printed", res.StatusCode, res.Header.Get("Content-Type"))
	}
	for _, text := range []string{"one", "", "<&> \"quoted\"\nand broken", "ä"} {
		p.print(t, lines, text)
	}
	if r := <-p.asked; !r.Follow || r.Tail != 0 {
		t.Errorf("asked for %+v", r)
	}
	close(p.lines)
	if lines.Scan() || lines.Err() != nil {
		t.Errorf("after the last line: %q, %v", lines.Text(), lines.Err())
	}
}

func TestFollowedLogsEndWithTheClient(t *testing.T) {
	p := newPrinting()
	ctx, leave := context.WithCancel(t.Context())
	_, lines := follow(t, ctx, start(t, p))
	p.print(t, lines, "one")
	leave()
	<-p.ended
}

func TestFollowedLogsEndWithTheServer(t *testing.T) {
	p := newPrinting()
	closing := make(chan struct{})
	_, lines := follow(t, t.Context(), start(t, p, func(o *Options) { o.Closing = closing }))
	p.print(t, lines, "one")
	close(closing)
	if lines.Scan() || lines.Err() != nil {
		t.Errorf("when the server closes: %q, %v", lines.Text(), lines.Err())
	}
	<-p.ended
}

func TestAClientThatReadsNothingIsGone(t *testing.T) {
	p := newPrinting()
	follow(t, t.Context(), start(t, p, func(o *Options) { o.WriteTimeout = 10 * time.Millisecond }))
	long := string(make([]byte, 64<<10))
	for range 10_000 { // until the connection's buffers are full
		select {
		case p.lines <- long:
		case <-p.ended:
			return
		}
	}
	t.Error("640 MB were written to a client that reads nothing")
}

func TestLogQueries(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	earlier := now.Add(-5 * time.Minute)
	for query, want := range map[string]faaslogs.Request{
		"name=f":                            {Name: "f"},
		"name=f&namespace=n&instance=i":     {Name: "f", Namespace: "n", Instance: "i"},
		"name=f&tail=10&follow=1":           {Name: "f", Tail: 10, Follow: true},
		"name=f&tail=-1&follow=false":       {Name: "f"},
		"name=f&since=5m":                   {Name: "f", Since: &earlier},
		"name=f&since=2026-07-01T11:55:00Z": {Name: "f", Since: &earlier},
		"name=f&since=0001-01-01T00:00:00Z": {Name: "f"},
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := logRequest(values, now)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", query, err, diff)
		}
	}
}

func FuzzLogRequest(f *testing.F) {
	f.Add("name=f&tail=10&follow=true&since=5m")
	f.Add("name=f&since=9999999999h")
	f.Add("name=&tail=x")
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		got, err := logRequest(values, now)
		if err != nil && !errors.Is(err, backend.ErrInvalid) {
			t.Errorf("%v", err)
		}
		if err == nil && (got.Name == "" || got.Tail < 0 || got.Since != nil && got.Since.IsZero()) {
			t.Errorf("%+v", got)
		}
	})
}
