package aws

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Limits of an invocation's payload in bytes: 6 MiB and a little for one that is
// waited for (recorded on the real service), 1 MiB for one that is queued
// (docs.aws.amazon.com/lambda, "Lambda quotas").
const (
	maxPayload = 6_291_556
	maxQueued  = 1 << 20
)

// Versions of the field faasLambda (docs/envelope.md). What the first can say is
// said in the first.
const (
	envelopeVersion     = 1
	envelopeVersionBody = 2 // has a member body
)

// event is an HTTP request in the form in which function URLs and API Gateway
// send one (AWS: payload format version 2.0), with our envelope. The body comes
// last, after everything that says how to read it, so that bootstrap can stream
// it.
type event struct {
	request *http.Request // its URL is the one that the function shall see
	time    time.Time
	source  string
	path    string
	names   []string    // of the headers that travel, sorted
	length  int64       // of the body; -1 when unknown
	carrier http.Header // further headers, such as traceparent; they win
}

// outside says where and how a body travels that is not simply in the event.
type outside struct {
	url      string // empty: in the event
	encoding string // gzip or empty
	size     int64  // as the function reads it
}

// hopByHop headers belong to one connection (RFC 9110, section 7.6.1).
var hopByHop = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true, "Proxy-Connection": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Expect": true,
}

// newEvent describes r, with a body of length bytes.
func newEvent(r *http.Request, length int64, carrier http.Header, now time.Time) (*event, error) {
	e := &event{request: r, time: now, path: rawPath(r), length: length, carrier: carrier}
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

func (e *event) values(name string) []string {
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
