package fetch

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func TestAddresses(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://h/k?q=secret": true, "https://h:8443/k": true, "http://127.0.0.1:9000/k?secret": true, "http://[::1]/k": true, "http://localhost/": true,
		"http://h/k?secret": false, "http://10.0.0.1/?secret": false, "http://localhost.evil.example/?secret": false, "http://127.0.0.1.evil.example/?secret": false,
		"https:///k?secret": false, "https:k?secret": false, "ftp://127.0.0.1/?secret": false, "https://u:secret@h/": false, "https://%zz?secret": false, "": false,
	} {
		_, err := parse(address)
		if (err == nil) != ok || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// FuzzAddress checks that no error repeats a query, and that plain HTTP stays on
// this machine.
func FuzzAddress(f *testing.F) {
	f.Add("https://h/k")
	f.Add("http://127.0.0.1:9000/\x00")
	f.Add("http://[::1%25eth0]")
	f.Fuzz(func(t *testing.T, address string) {
		u, err := parse(address + "?X-Amz-Signature=secret")
		if err != nil && strings.Contains(err.Error(), "X-Amz-Signature") && !strings.Contains(address, "X-Amz") {
			t.Fatal(err)
		}
		if err == nil && u.Scheme != "https" && !loopback(u.Hostname()) {
			t.Fatalf("%q is let through", address)
		}
	})
}

func TestAsksAgainBeforeTheFirstByte(t *testing.T) {
	const cut = -1 // the connection, before an answer
	for name, c := range map[string]struct {
		answers []int // the last one again and again
		asked   int32
		want    string // of the body, or of the error
	}{
		"answered":           {[]int{200}, 1, "body"},
		"slow down":          {[]int{503, 200}, 2, "body"},
		"internal error":     {[]int{500, 500, 200}, 3, "body"},
		"cut connection":     {[]int{cut, 200}, 2, "body"},
		"never better":       {[]int{503}, 3, "it answered status 503"},
		"cut every time":     {[]int{cut}, 3, "it ended early"},
		"refused":            {[]int{403, 200}, 1, "it answered status 403"},
		"not implemented":    {[]int{501, 200}, 1, "it answered status 501"},
		"gone elsewhere":     {[]int{302, 200}, 1, "it answered status 302"},
		"none after a cut":   {[]int{cut, 404, 200}, 2, "it answered status 404"},
		"partial content":    {[]int{206, 200}, 1, "it answered status 206"},
		"slow down, refused": {[]int{503, 403}, 2, "it answered status 403"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				n := int(asked.Add(1))
				status := c.answers[min(n, len(c.answers))-1]
				if status == cut {
					panic(http.ErrAbortHandler)
				}
				w.WriteHeader(status)
				_, _ = io.WriteString(w, "body")
			}))
			t.Cleanup(s.Close)
			body, err := New(nil).Open(t.Context(), s.URL+"/k?secret")
			var got string
			if err != nil {
				got = err.Error()
			} else {
				read, err := io.ReadAll(body)
				if err != nil {
					t.Error(err)
				}
				if err := body.Close(); err != nil {
					t.Error(err)
				}
				got = string(read)
			}
			if asked.Load() != c.asked || !strings.HasSuffix(got, c.want) || strings.Contains(got, "secret") {
				t.Errorf("asked %d times, %q; want %d, %q", asked.Load(), got, c.asked, c.want)
			}
		})
	}
}
