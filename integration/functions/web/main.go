// Command web is a function as the golang-middleware template builds it: an
// HTTP server on port 8082 behind a watchdog. What it answers is chosen by the
// path, so that one image shows every kind of answer.
package main

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/faas-lambda/faas-lambda/integration/functions/picture"
)

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/", page)
	mux.HandleFunc("/image.png", imagePNG)
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/request", request)
	mux.HandleFunc("/status/{code}", status)
	mux.HandleFunc("/headers", headers)
	mux.HandleFunc("/stream", stream)
	mux.HandleFunc("/sleep/{duration}", sleep)
	mux.HandleFunc("/exit/{code}", exit)
	mux.HandleFunc("/file", file)
	mux.HandleFunc("/fill/{megabytes}", fill)
	listener, err := net.Listen("tcp", ":8082")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("web listens on", listener.Addr())
	log.Fatal(http.Serve(listener, mux)) //nolint:gosec // a function behind a watchdog, which sets the timeouts
}

// page answers HTML with the request's body in it.
func page(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Println("page for", r.URL.Path)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<h1>Hello, %s!</h1>\n", html.EscapeString(string(body)))
}

// imagePNG answers a PNG.
func imagePNG(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(picture.PNG())
}

// echo answers the request's body and content type.
func echo(w http.ResponseWriter, r *http.Request) {
	// net/http throws away what was not read of a request when the answer begins.
	_ = http.NewResponseController(w).EnableFullDuplex()
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	_, _ = io.Copy(w, r.Body)
}

// request answers what arrived, as JSON.
func request(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"method": r.Method, "uri": r.RequestURI, "host": r.Host, "header": r.Header, "body": string(body),
		"environment": os.Environ(),
	})
}

func status(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.PathValue("code"))
	if err != nil || code < 200 || code > 599 {
		http.Error(w, "status must be 200 to 599", http.StatusBadRequest)
		return
	}
	if code >= 300 && code < 400 {
		w.Header().Set("Location", "/elsewhere")
	}
	w.WriteHeader(code)
}

// headers answers repeated headers and two cookies.
func headers(w http.ResponseWriter, r *http.Request) {
	w.Header()["X-Repeated"] = r.Header.Values("X-Repeated")
	http.SetCookie(w, &http.Cookie{Name: "one", Value: "1"})
	http.SetCookie(w, &http.Cookie{Name: "two", Value: "2"})
	w.WriteHeader(http.StatusTeapot)
}

// stream answers one line, and the second only when the reader of the first has
// had the time to say so: ?n lines, each flushed.
func stream(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil {
		n = 3
	}
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for i := range n {
		fmt.Fprintf(w, "data: %d\n\n", i)
		if control.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

func sleep(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.PathValue("duration"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case <-r.Context().Done():
	case <-time.After(d):
		fmt.Fprintln(w, "slept", d)
	}
}

func exit(_ http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.PathValue("code"))
	if err != nil {
		code = 1
	}
	os.Exit(code)
}

// file writes the body to ?path and answers what can be read back.
func file(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Query().Get("path")
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = os.WriteFile(path, body, 0o600)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	_, _ = w.Write(data)
}

// fill uses the given amount of memory, to meet the limit.
func fill(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("megabytes"))
	if err != nil || n < 0 || n > 4096 {
		http.Error(w, "megabytes must be 0 to 4096", http.StatusBadRequest)
		return
	}
	memory := make([]byte, n<<20)
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	fmt.Fprintln(w, len(memory)>>20, "MB used")
}
