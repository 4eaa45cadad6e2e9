// Command fn is the function of the black-box cases: what it does is said by its
// first argument.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: fn WHAT …")
	}
	switch os.Args[1] {
	case "argv":
		for _, arg := range os.Args[1:] {
			fmt.Printf("[%s]", arg)
		}
	case "exit3":
		fmt.Println("out-before")
		fmt.Fprintln(os.Stderr, "err-line")
		os.Exit(3)
	case "ignore": // stdin
		fmt.Print("done")
	case "long-line":
		fmt.Fprintln(os.Stderr, strings.Repeat("x", 100_000))
		fmt.Fprintln(os.Stderr, "after the long line")
	case "http":
		serve()
	case "forks":
		log.Fatal(http.ListenAndServe(os.Args[2], http.HandlerFunc(forks)))
	default:
		log.Fatal("what is ", os.Args[1])
	}
}

// forks is the least that a server can do to start a process for a request.
func forks(w http.ResponseWriter, r *http.Request) {
	cmd := exec.CommandContext(r.Context(), "/bin/cat")
	cmd.Stdin, cmd.Stdout = r.Body, w
	if err := cmd.Run(); err != nil {
		log.Print(err)
	}
}

func serve() {
	if d, err := time.ParseDuration(os.Getenv("LISTEN_AFTER")); err == nil {
		<-time.After(d)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			log.Print(err)
		}
		w.Header().Add("X-Back", "1")
		w.Header().Add("X-Back", "2")
		w.Header().Set("X-Duration-Seconds", "mine")
		fmt.Fprintf(w, "%s %s %s X-A=%q body=%s", r.Method, r.RequestURI, r.Host, r.Header["X-A"], body)
	})
	mux.HandleFunc("/length", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.ContentLength, r.TransferEncoding) })
	mux.HandleFunc("/302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
	mux.HandleFunc("/204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/500", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "mine", http.StatusInternalServerError) })
	mux.HandleFunc("/sleep", func(_ http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.FormValue("d"))
		if err != nil {
			log.Print(err)
		}
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/exit", func(_ http.ResponseWriter, r *http.Request) {
		code := 0
		if r.FormValue("code") == "3" {
			code = 3
		}
		os.Exit(code)
	})
	seen := make(chan struct{})
	mux.HandleFunc("/seen", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case seen <- struct{}{}:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		for i := range 3 {
			fmt.Fprintf(w, "event %d\n", i)
			w.(http.Flusher).Flush()
			select {
			case <-seen: // the client has it
			case <-r.Context().Done():
			}
		}
	})
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	log.Fatal(http.ListenAndServe(os.Args[2], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.RequestURI, "/raw/") { // which the mux would clean
			fmt.Fprint(w, r.RequestURI)
			return
		}
		mux.ServeHTTP(w, r)
	})))
}
