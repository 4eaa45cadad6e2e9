package event

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// EnvelopeVersion is the highest version of the member "faasLambda" that this
// package reads. A sender writes the lowest that can say what it needs; a higher
// one is refused, and the error names it. docs/envelope.md is the contract, with
// who does what.
//
// Version 1 has the headers with more than one value. They take the place of
// those joined by commas in "headers":
//
//	"faasLambda": {"version": 1, "multiValueHeaders": {"x-a": ["1", "2"]}}
//
// Version 2 also says where and how the body is, when it is too large for the
// payload as it stands. It is compressed in the event ("isBase64Encoded" is true),
// size being its length without the compression:
//
//	"faasLambda": {"version": 2, "body": {"encoding": "gzip", "size": 12000000}}
//
// or it lies at a URL, and the event has no member "body":
//
//	"faasLambda": {"version": 2, "body": {"url": "https://…", "size": 52428800}}
//
// or both: a URL with the encoding gzip. A size may be left out when it is not
// known. A body that turns out to be of another size is an error.
//
// When "isBase64Encoded", "headers" and "faasLambda" come before "body", and
// "body" is the last member, the body is streamed; in any other order it is held
// in memory.
const EnvelopeVersion = 2

// gzipEncoding is the one encoding of a body.
const gzipEncoding = "gzip"

// envelope is what the member faasLambda says besides the headers.
type envelope struct {
	version  int  // 0: there is none
	body     bool // it says something of the body
	url      string
	encoding string
	size     int64 // of the body without its encoding; -1 when unknown
}

func (e *envelope) set(v []byte, f *fields) error {
	*e = envelope{version: -1, size: -1}
	err := members(v, func(name string, v []byte) error {
		switch name {
		case "version":
			e.version, _ = strconv.Atoi(string(v))
		case "multiValueHeaders":
			return f.setMulti(v)
		case "body":
			return e.setBody(v)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case e.version < 1 || e.version > EnvelopeVersion:
		return fmt.Errorf("%w: faasLambda: version %d, this bootstrap reads versions 1 to %d: deploy the function again", ErrInvalid, e.version, EnvelopeVersion)
	case e.body && e.version < 2:
		return fmt.Errorf("%w: faasLambda: body needs version 2, this is version %d", ErrInvalid, e.version)
	case e.encoding != "" && e.encoding != gzipEncoding:
		return fmt.Errorf("%w: faasLambda: body: encoding %q is not gzip", ErrInvalid, e.encoding)
	}
	return nil
}

func (e *envelope) setBody(v []byte) error {
	if isNull(v) {
		return nil
	}
	e.body = true
	return members(v, func(name string, v []byte) error {
		var ok bool
		switch name {
		case "url":
			if e.url, ok = text(v); !ok || e.url == "" {
				return fmt.Errorf("%w: faasLambda: body: url is not a string", ErrInvalid)
			}
		case "encoding":
			if e.encoding, ok = text(v); !ok {
				return fmt.Errorf("%w: faasLambda: body: encoding is not a string", ErrInvalid)
			}
		case "size":
			var err error
			if e.size, err = strconv.ParseInt(string(v), 10, 64); err != nil || e.size < 0 {
				return fmt.Errorf("%w: faasLambda: body: size %q is not a number of bytes", ErrInvalid, v)
			}
		}
		return nil
	})
}

// Fetch says where the body of an event lies that has none itself.
type Fetch struct {
	URL  string // a secret
	gzip bool
	size int64
}

// Receive makes src the event's body: what was found at Fetch.URL, length bytes
// or -1. It reads nothing yet.
func (e *Event) Receive(src io.Reader, length int64) error {
	f := e.Fetch
	switch {
	case f.gzip:
		e.Body, e.Length = inflated(src, f.size), f.size
	case f.size >= 0 && length >= 0 && f.size != length:
		return fmt.Errorf("request body has %d bytes, %d were announced", length, f.size)
	case f.size >= 0:
		e.Body, e.Length = &measured{r: src, size: f.size}, f.size
	default:
		e.Body, e.Length = src, length
	}
	e.setLength()
	return nil
}

// setLength corrects the Content-Length among the headers, which some functions
// see as a header and not as what it stands for.
func (e *Event) setLength() {
	if _, ok := e.Header["Content-Length"]; !ok {
		return
	}
	if e.Length < 0 {
		delete(e.Header, "Content-Length")
		return
	}
	e.Header["Content-Length"] = []string{strconv.FormatInt(e.Length, 10)}
}

// bodyOf returns the event's body, of length bytes or -1 as it lies in the event,
// by what the envelope says of it.
func (e *envelope) bodyOf(src io.Reader, length int64) (body io.Reader, size int64, fetch *Fetch, err error) {
	switch {
	case !e.body:
		return src, length, nil, nil
	case e.url != "" && length != 0:
		return nil, 0, nil, fmt.Errorf("%w: faasLambda: body: has a url, and the event a body too", ErrInvalid)
	case e.url != "":
		return http.NoBody, e.size, &Fetch{URL: e.url, gzip: e.encoding != "", size: e.size}, nil
	case e.encoding != "":
		return inflated(src, e.size), e.size, nil, nil
	case e.size >= 0 && length >= 0 && e.size != length:
		return nil, 0, nil, fmt.Errorf("%w: faasLambda: body has %d bytes, size says %d", ErrInvalid, length, e.size)
	case e.size >= 0:
		return &measured{r: src, size: e.size}, e.size, nil, nil
	}
	return src, length, nil, nil
}
