package watchdog

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"
)

// BenchmarkProxy is a request of 1 KB through http mode, all in one process: for
// profiles.
func BenchmarkProxy(b *testing.B) {
	addr := proxied(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	body := bytes.Repeat([]byte("x"), 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		res, err := http.Post("http://"+addr+"/", "text/plain", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			b.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFork is a request in streaming mode without a server before it, beside
// the same process started by os/exec.
func BenchmarkFork(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 1<<10)
	b.Run("raw", func(b *testing.B) {
		for b.Loop() {
			cmd := exec.Command("/bin/cat")
			cmd.Stdin = bytes.NewReader(body)
			if out, err := cmd.Output(); err != nil || len(out) != len(body) {
				b.Fatal(err)
			}
		}
	})
	b.Run("streaming", func(b *testing.B) {
		w := started(b, OfWatchdog, []string{"PATH=/usr/bin:/bin", "fprocess=cat"})
		for b.Loop() {
			answer := httptest.NewRecorder()
			w.ServeHTTP(answer, httptest.NewRequest("POST", "/", bytes.NewReader(body)))
			if answer.Body.Len() != len(body) {
				b.Fatal(answer.Code)
			}
		}
	})
}
