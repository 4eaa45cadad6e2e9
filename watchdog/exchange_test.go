package watchdog

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"
)

func TestBothDirectionsStreamAtOnce(t *testing.T) {
	for name, env := range map[string][]string{
		"http":      nil,
		"streaming": {"mode=streaming", "function_process=cat"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := proxied(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
					t.Error(err)
				}
				_, _ = io.Copy(flushing{w}, r.Body)
			}), env...)
			body, feed := io.Pipe()
			res := make(chan *http.Response, 1)
			go func() {
				req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+addr, body)
				if err != nil {
					t.Error(err)
				}
				r, err := http.DefaultTransport.RoundTrip(req)
				if err != nil {
					t.Error(err)
				}
				res <- r
			}()
			var r *http.Response
			for i := range 50 {
				line := fmt.Sprintf("%d %s\n", i, strings.Repeat("x", i*100))
				if _, err := io.WriteString(feed, line); err != nil {
					t.Fatal(err)
				}
				if r == nil {
					if r = <-res; r == nil {
						return
					}
				}
				got := make([]byte, len(line))
				if _, err := io.ReadFull(r.Body, got); err != nil || string(got) != line {
					t.Fatalf("line %d: %q, %v", i, got, err)
				}
			}
			if err := feed.Close(); err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(r.Body); err != nil || len(rest) > 0 {
				t.Errorf("%q, %v", rest, err)
			}
			_ = r.Body.Close()
		})
	}
}

type flushing struct{ http.ResponseWriter }

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.ResponseWriter.Write(p)
	if err == nil {
		err = http.NewResponseController(f.ResponseWriter).Flush()
	}
	return n, err
}

func TestBodiesOfEveryKind(t *testing.T) {
	addr := proxied(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "%d %v %d", r.ContentLength, r.TransferEncoding, len(body))
	}))
	buffering := proxied(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%d %v", r.ContentLength, r.TransferEncoding)
	}), "buffer_http=true")
	for _, size := range []int{0, 1, smallBody, smallBody + 1, 100_000, 5 << 20} {
		if got := post(t, addr, bytes.NewReader(make([]byte, size))); got != fmt.Sprintf("%d [] %d", size, size) {
			t.Errorf("%d bytes: %s", size, got)
		}
		chunked := struct{ io.Reader }{bytes.NewReader(make([]byte, size))}
		want := fmt.Sprintf("-1 [chunked] %d", size)
		if got := post(t, addr, chunked); got != want {
			t.Errorf("%d bytes chunked: %s", size, got)
		}
		chunked = struct{ io.Reader }{bytes.NewReader(make([]byte, size))}
		if got := post(t, buffering, chunked); got != fmt.Sprintf("%d []", size) {
			t.Errorf("%d bytes buffered: %s", size, got)
		}
	}
}

func post(t *testing.T, addr string, body io.Reader) string {
	t.Helper()
	res, err := http.Post("http://"+addr+"/", "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTrailersAndInterimAnswers(t *testing.T) {
	addr := proxied(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprint(w, "body")
		w.Header().Set("X-Sum", "4")
	}))
	res, err := http.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != "body" || res.Trailer.Get("X-Sum") != "4" {
		t.Errorf("%v: %q, trailers %v", err, body, res.Trailer)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
}

// TestAnswerBeforeTheBodyIsSent reads the answer whatever becomes of the rest of
// the body. net/http's client gives it up when it meets a reset while it sends,
// as it may half a second after the answer, on a busy machine before it is read.
func TestAnswerBeforeTheBodyIsSent(t *testing.T) {
	addr := proxied(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	for range 10 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		var sending sync.WaitGroup
		sending.Go(func() {
			_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
			_, _ = httputil.NewChunkedWriter(conn).Write(make([]byte, 4<<20))
		})
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("no answer: %v", err)
		} else if res.StatusCode != http.StatusForbidden {
			t.Errorf("status %d", res.StatusCode)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		sending.Wait()
	}
}

func TestAnswerThatBreaksOffIsNotWhole(t *testing.T) {
	addr := proxied(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	res, err := http.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err == nil || string(body) != "half" {
		t.Errorf("%q, %v", body, err)
	}
	_ = res.Body.Close()
}
