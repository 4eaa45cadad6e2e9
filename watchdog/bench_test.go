package watchdog

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"testing"
	"time"
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

// BenchmarkFork is a request in streaming mode without a server before it, as
// bootstrap runs it, beside the same process started by os/exec, in turns.
func BenchmarkFork(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 1<<10)
	w := started(b, OfWatchdog, []string{"PATH=/usr/bin:/bin", "fprocess=/bin/cat"})
	var raw, ours []time.Duration
	for b.Loop() {
		for range 25 {
			began := time.Now()
			cmd := exec.Command("/bin/cat")
			cmd.Stdin = bytes.NewReader(body)
			if out, err := cmd.Output(); err != nil || len(out) != len(body) {
				b.Fatal(err)
			}
			middle := time.Now()
			answer := httptest.NewRecorder()
			w.ServeHTTP(answer, httptest.NewRequest("POST", "/", bytes.NewReader(body)))
			if answer.Body.Len() != len(body) {
				b.Fatal(answer.Code)
			}
			raw, ours = append(raw, middle.Sub(began)), append(ours, time.Since(middle))
		}
	}
	slices.Sort(raw)
	slices.Sort(ours)
	b.ReportMetric(float64(raw[len(raw)/2].Nanoseconds())/1e3, "raw-p50-µs")
	b.ReportMetric(float64(ours[len(ours)/2].Nanoseconds())/1e3, "ours-p50-µs")
	b.ReportMetric(float64(ours[len(ours)/2])/float64(raw[len(raw)/2]), "ratio")
}
