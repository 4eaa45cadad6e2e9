// Command function is the function of the loop's tests: it serves HTTP on the
// address in LISTEN and does what the path says.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/", echo)
	mux.HandleFunc("/headers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("X-Multi", "one")
		w.Header().Add("X-Multi", "two, three")
		w.Header().Add("Set-Cookie", "a=1; Path=/")
		w.Header().Add("Set-Cookie", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s host=%s\n", r.Method, r.RequestURI, r.Host)
		for name, values := range r.Header {
			fmt.Fprintf(w, "%s=%q\n", name, values)
		}
	})
	mux.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(3) })
	mux.HandleFunc("/half", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/sleep", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(time.Minute):
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/status/204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/status/304", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 8<<20))
	})
	mux.HandleFunc("/refuse", func(w http.ResponseWriter, _ *http.Request) { // reads nothing of the body
		w.WriteHeader(http.StatusForbidden)
	})
	mux.HandleFunc("/meet/{n}", meet())
	mux.HandleFunc("/sum", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if err != nil {
			log.Print(err)
		}
		fmt.Fprintf(w, "%d %d %x", r.ContentLength, n, sum.Sum(nil))
	})
	if note := os.Getenv("NOTE"); note != "" {
		end := make(chan os.Signal, 1)
		signal.Notify(end, syscall.SIGTERM) // before anybody can know that it runs
		go noteEnd(note, end)
	}
	if os.Getenv("MUTE") != "" {
		<-time.After(time.Hour)
	}
	handler := http.Handler(mux)
	if os.Getenv("BROKEN") != "" {
		handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, "out of order")
		})
	}
	log.Fatal(http.ListenAndServe(os.Getenv("LISTEN"), handler))
}

// meet answers with the body once n requests are there at the same time.
func meet() http.HandlerFunc {
	arrived := make(chan struct{})
	var mu sync.Mutex // guards count
	count := 0
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("n"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mu.Lock()
		if count++; count == n {
			close(arrived)
		}
		mu.Unlock()
		<-arrived
		echo(w, r)
	}
}

// noteEnd writes down the signal that ends the function.
func noteEnd(path string, end <-chan os.Signal) {
	s := <-end
	if err := os.WriteFile(path, []byte(s.String()), 0o600); err != nil {
		log.Print(err)
	}
	os.Exit(0)
}

func echo(w http.ResponseWriter, r *http.Request) {
	if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
		log.Print(err)
	}
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	if r.ContentLength >= 0 {
		w.Header().Set("Content-Length", fmt.Sprint(r.ContentLength))
	}
	if _, err := io.Copy(w, r.Body); err != nil {
		log.Print(err)
	}
}
