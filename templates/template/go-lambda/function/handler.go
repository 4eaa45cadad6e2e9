package function

import (
	"fmt"
	"html"
	"io"
	"net/http"
)

// Handle answers one request. Any method, header, content type and status may
// be used; what is written arrives at the caller as it is.
func Handle(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<p>Hello, %s!</p>\n", html.EscapeString(string(body)))
}
