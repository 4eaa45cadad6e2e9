// Command listener is a function that prints what it hears, for triggers, whose
// senders read no answer.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Printf("heard %s %s %s\n", r.Method, r.URL.RequestURI(), body)
		w.Header().Set("X-Topic", r.Header.Get("X-Topic"))
		fmt.Fprintf(w, `{"heard":%d}`, len(body))
	})
	log.Fatal(http.ListenAndServe(":8082", nil)) //nolint:gosec // a function behind a watchdog, which sets the timeouts
}
