package api

import (
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// errMethod is the kind of a request whose method no function gets.
var errMethod = errors.New("method not allowed")

// codes says which status an error of a kind has. The first that matches wins.
var codes = []struct {
	kind error
	code int
}{
	{backend.ErrNotFound, http.StatusNotFound},
	{backend.ErrTooLarge, http.StatusRequestEntityTooLarge},
	{backend.ErrInvalid, http.StatusBadRequest},
	{errMethod, http.StatusMethodNotAllowed},
	{backend.ErrExists, http.StatusConflict},
	{backend.ErrConflict, http.StatusConflict},
	{backend.ErrTimeout, http.StatusGatewayTimeout},
	// Before ErrThrottled: a function that is not ready may know when to ask
	// again, and is no less unavailable for that.
	{backend.ErrUnavailable, http.StatusServiceUnavailable},
	{backend.ErrThrottled, http.StatusTooManyRequests},
	{backend.ErrUnreachable, http.StatusServiceUnavailable},
	{backend.ErrUnsupported, http.StatusNotImplemented},
}

// status returns the status code for err; a backend.FunctionError, like every
// error of no kind, is a 500.
func status(err error) int {
	for _, c := range codes {
		if errors.Is(err, c.kind) {
			return c.code
		}
	}
	return http.StatusInternalServerError
}

// fail answers with err as plain text, the form that faas-cli and the gateway
// print. A client that is gone gets a status for those who count, without a
// text: one that closed its half of the connection alone still reads it.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		s.log.Info("request abandoned by its client", "method", r.Method, "path", r.URL.Path, "call", w.Header().Get(callHeader), "error", err)
		w.WriteHeader(clientGone)
		return
	}
	code := status(err)
	if code >= http.StatusInternalServerError && code != http.StatusNotImplemented {
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "call", w.Header().Get(callHeader), "code", code, "error", err)
	}
	if code == http.StatusServiceUnavailable && backend.NotBegun(err) {
		w.Header().Set(backend.NotBegunHeader, "true")
	}
	if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter(err)))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	// The client may have gone meanwhile, and there is nobody else to tell.
	_, _ = io.WriteString(w, err.Error()+"\n")
}

// retryAfter returns when to ask again, in whole seconds, at least one.
func retryAfter(err error) int {
	var throttled *backend.Throttled
	if errors.As(err, &throttled) && throttled.After > time.Second {
		return int(math.Ceil(throttled.After.Seconds()))
	}
	return 1
}
