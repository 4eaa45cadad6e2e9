package lambda

import (
	"bytes"
	"io"
	"net/http"
	"testing"
)

// BenchmarkInvoke is a warm invocation over HTTP, without an SDK's own time.
func BenchmarkInvoke(b *testing.B) {
	h := start(b, Options{})
	h.Deploy("f", nil)
	h.Invoke("f", "{}")
	b.Run("1 KB", func(b *testing.B) { h.bench(b, 1<<10) })
	b.Run("5 MB", func(b *testing.B) { h.bench(b, 5<<20) })
}

func (h *harness) bench(b *testing.B, size int) {
	payload := bytes.Repeat([]byte("x"), size)
	payload[0], payload[size-1] = '"', '"'
	for b.Loop() {
		r, err := http.Post(h.http.URL+"/2015-03-31/functions/f/invocations", "application/json", bytes.NewReader(payload))
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil || n != int64(size) || r.Header.Get("X-Amz-Function-Error") != "" {
			b.Fatalf("answer has %d bytes, %v", n, err)
		}
		if err := r.Body.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
