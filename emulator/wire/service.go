package wire

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxRequest bounds the body of a request; the largest that a real service takes is a batch of log events or messages, of one MiB before escaping.
const maxRequest = 8 << 20

// Service answers the operations registered with it. Register all of them before serving.
type Service struct {
	namespace  string // of XML answers
	operations map[string]operation
}

// operation answers one call: decode fills the request's struct.
type operation func(ctx context.Context, decode func(into any) error) (any, error)

// NewService makes a service without operations. Namespace is the one of its XML answers; services that never had the query protocol have none.
func NewService(namespace string) *Service {
	return &Service{namespace: namespace, operations: map[string]operation{}}
}

// Handle registers an operation. Members are named by their json tags or, without one, by the fields' names; a `query` tag names a list or map that the
// query protocol writes flattened. The function's errors are answered as what errors.As finds of *Error in them, others as an internal failure.
func Handle[In, Out any](s *Service, name string, f func(ctx context.Context, in *In) (Out, error)) {
	s.operations[name] = func(ctx context.Context, decode func(any) error) (any, error) {
		in := new(In)
		if err := decode(in); err != nil {
			return nil, &Error{Code: "SerializationException", Message: err.Error()}
		}
		return f(ctx, in)
	}
}

// Handles tells whether an operation is registered.
func (s *Service) Handles(name string) bool { return s.operations[name] != nil }

// ServeHTTP answers a request of any of the protocols.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := protocolOf(r)
	w.Header().Set("x-amzn-RequestId", NewID())
	if err := unzip(w, r); err != nil {
		p.fail(w, Refuse("SerializationException", "%v", err))
		return
	}
	name := Operation(r)
	handle := s.operations[name]
	if handle == nil {
		unknown := Refuse("UnknownOperationException", "The operation %q is not one that the embedded AWS has.", name)
		if s.namespace != "" {
			unknown.QueryCode = "InvalidAction"
		}
		p.fail(w, unknown)
		return
	}
	out, err := handle(withCaller(r), func(into any) error { return p.decode(r, into) })
	if err != nil {
		p.fail(w, asError(err))
		return
	}
	p.answer(w, s.namespace, name, out)
}

// unzip bounds a request's body, as it comes and, where it is compressed, as it
// is inside: SDKs compress some (https://smithy.io/2.0/spec/behavior-traits.html#requestcompression-trait).
func unzip(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	if r.Header.Get("Content-Encoding") != "gzip" {
		return nil
	}
	inside, err := gzip.NewReader(r.Body)
	if err != nil {
		return fmt.Errorf("read compressed request: %w", err)
	}
	r.Body = http.MaxBytesReader(w, inside, maxRequest)
	return nil
}

// Operation is the name of the operation that a request calls, or "" where it is of none of the protocols. It may read a form that is the body.
func Operation(r *http.Request) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndexByte(target, '.')+1:]
	}
	if name, ok := cborPath(r.URL.Path); ok {
		return name
	}
	if r.ParseForm() == nil {
		return r.Form.Get("Action")
	}
	return ""
}

// Fail answers a request of any protocol with an error, as for a request that no operation was to see.
func Fail(w http.ResponseWriter, r *http.Request, e *Error) { protocolOf(r).fail(w, e) }

// protocol is one way to write the same things.
type protocol interface {
	decode(r *http.Request, into any) error
	answer(w http.ResponseWriter, namespace, operation string, out any)
	fail(w http.ResponseWriter, e *Error)
}

func protocolOf(r *http.Request) protocol {
	switch _, cbor := cborPath(r.URL.Path); {
	case r.Header.Get("X-Amz-Target") != "":
		if r.Header.Get("Content-Type") == jsonType("1.0") {
			return jsonProtocol{version: "1.0"}
		}
		return jsonProtocol{version: "1.1"}
	case cbor:
		return cborProtocol{}
	default:
		return queryProtocol{}
	}
}

// Error is an error answer.
type Error struct {
	Code      string
	QueryCode string // where the query protocol has another code for it
	Message   string
	Status    int  // 400 when zero
	Capital   bool // the message is in Message and not in message, as a few services' models have it
}

// Refuse makes the error for what is the caller's fault.
func Refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func (e *Error) status() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

func (e *Error) queryCode() string {
	if e.QueryCode != "" {
		return e.QueryCode
	}
	return e.Code
}

// fault tells whose it is.
func (e *Error) fault() string {
	if e.status() >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

func asError(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return &Error{Code: "InternalFailure", Message: err.Error(), Status: http.StatusInternalServerError}
}

// jsonProtocol is AWS JSON: the operation in X-Amz-Target, the members as a JSON object.
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
type jsonProtocol struct{ version string }

func jsonType(version string) string { return "application/x-amz-json-" + version }

func (jsonProtocol) decode(r *http.Request, into any) error {
	data, err := io.ReadAll(r.Body) // bounded by maxRequest
	if err != nil || len(data) == 0 {
		return err
	}
	return json.Unmarshal(data, into)
}

func (p jsonProtocol) answer(w http.ResponseWriter, _, _ string, out any) {
	p.write(w, http.StatusOK, out)
}

func (p jsonProtocol) fail(w http.ResponseWriter, e *Error) {
	if e.QueryCode != "" { // https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#awsquerycompatible-trait
		w.Header().Set("x-amzn-query-error", e.QueryCode+";"+e.fault())
	}
	body := map[string]string{"__type": e.Code}
	switch {
	case e.Message == "": // some errors have none
	case e.Capital:
		body["Message"] = e.Message
	default:
		body["message"] = e.Message
	}
	p.write(w, e.status(), body)
}

func (p jsonProtocol) write(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"__type":"InternalFailure"}`)
	}
	w.Header().Set("Content-Type", jsonType(p.version))
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client is gone
}
