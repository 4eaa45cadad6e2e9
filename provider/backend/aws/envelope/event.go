// Package envelope is the form in which an HTTP request travels to a function as an
// event, and the answer back: what function URLs and API Gateway send (payload format
// version 2.0) and take, with a field of our own for what those lose
// (docs/envelope.md).
package envelope

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Versions of the field faasLambda (docs/envelope.md). What the first can say is
// said in the first.
const (
	envelopeVersion     = 1
	envelopeVersionBody = 2 // has a member body
)

// Event is an HTTP request in the form in which function URLs and API Gateway
// send one (AWS: payload format version 2.0), with our envelope. The body comes
// last, after everything that says how to read it, so that bootstrap can stream
// it.
type Event struct {
	request *http.Request // its URL is the one that the function shall see
	time    time.Time
	source  string
	path    string
	names   []string    // of the headers that travel, sorted
	Length  int64       // of the body; -1 when unknown
	carrier http.Header // further headers, such as traceparent; they win
}

// Body says where and how a body travels that is not simply in the event.
type Body struct {
	URL      string // empty: in the event
	Encoding string // gzip or empty
	Size     int64  // as the function reads it
}

// hopByHop headers belong to one connection (RFC 9110, section 7.6.1).
var hopByHop = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true, "Proxy-Connection": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Expect": true,
}

// New describes r, with a body of length bytes, -1 when that is not known yet, and
// the headers of carrier in the place of r's own. What an event cannot carry is
// backend.ErrInvalid.
func New(r *http.Request, length int64, carrier http.Header, now time.Time) (*Event, error) {
	e := &Event{request: r, time: now, path: rawPath(r), Length: length, carrier: carrier}
	var err error
	if e.source, _, err = net.SplitHostPort(r.RemoteAddr); err != nil {
		e.source = r.RemoteAddr
	}
	e.names = make([]string, 0, len(r.Header)+2)
	for name, values := range r.Header {
		if hopByHop[name] || len(values) == 0 || name == "Content-Length" || name == "Host" || name == "Cookie" || carrier[name] != nil || namedBy(r.Header["Connection"], name) {
			continue
		}
		for _, value := range values {
			if !utf8.ValidString(value) {
				return nil, backend.Errorf(backend.ErrInvalid, "header %s is not UTF-8, which an event of Lambda cannot carry", name)
			}
		}
		e.names = append(e.names, name)
	}
	for name := range carrier {
		e.names = append(e.names, name)
	}
	slices.Sort(e.names)
	if !utf8.ValidString(e.path) || !utf8.ValidString(r.URL.RawQuery) {
		return nil, backend.Errorf(backend.ErrInvalid, "the request's path or query is not UTF-8, which an event of Lambda cannot carry: write it percent-encoded")
	}
	return e, nil
}

func (e *Event) values(name string) []string {
	if values := e.carrier[name]; values != nil {
		return values
	}
	return e.request.Header[name]
}

// rawPath returns the path as the client wrote it.
func rawPath(r *http.Request) string {
	switch {
	case r.URL.RawPath != "":
		return r.URL.RawPath
	case r.URL.Path == "":
		return "/"
	}
	return r.URL.EscapedPath()
}

// namedBy says whether a Connection header names the header.
func namedBy(connection []string, name string) bool {
	for _, line := range connection {
		for token := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(token), name) {
				return true
			}
		}
	}
	return false
}
