package watchdog

import (
	"bytes"
	"io"
	"net/http"
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
