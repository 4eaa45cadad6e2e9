package watchdog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// streaming is streaming mode: the request's body is the process's stdin while
// its stdout is the answer's body, both as they come.
type streaming struct{ forker }

// ServeHTTP answers 200 whatever becomes of the process: its first output may
// already be on the way. Only a process that could not be started, or that
// Lambda's own deadline ends before it said anything, makes another status.
func (s *streaming) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.running.Add(1)
	defer s.running.Done()
	ctx, cancel := forkContext(r, s.cfg.ExecTimeout)
	defer cancel()
	// net/http's server would read all of the body before it lets the answer
	// out; other writers do not, and say that they cannot.
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex()
	w.Header().Set("Content-Type", s.cfg.ContentType)
	p, err := s.fork(ctx, s.cgi(r), r.Body, r.ContentLength, false)
	if err != nil {
		s.failed(w, http.StatusInternalServerError, err, err.Error())
		return
	}
	wrote, copyErr := copyFlushing(w, p.stdout, func() {
		select {
		case <-p.fed:
		default:
			closeAfter(w)
		}
	})
	if copyErr != nil {
		p.end() // nobody reads on
	}
	err = p.wait()
	cause, outer := context.Cause(ctx), r.Context().Err()
	p.release(func() { _ = control.SetReadDeadline(time.Unix(1, 0)) })
	if p.readErr != nil && outer == nil {
		s.log.Error("request was cut short", "error", p.readErr.Error())
	}
	switch {
	case outer != nil && wrote == 0:
		s.failed(w, http.StatusGatewayTimeout, fmt.Errorf("%w: %w", ErrTimeout, cause), "")
	case outer != nil, copyErr != nil:
		s.abort(w, errors.Join(cause, copyErr))
	case cause != nil:
		s.log.Error("function process killed", "error", cause.Error())
	case err != nil:
		s.log.Error("function process failed", "error", err.Error())
	}
}

// forkContext is the request's context limited by exec_timeout.
func forkContext(r *http.Request, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit = timeLimit(r, limit); limit <= 0 {
		return context.WithCancel(r.Context())
	}
	return context.WithTimeoutCause(r.Context(), limit, execTimeout(limit))
}

// cgi returns what is added to the environment of the process that serves r.
func (f *forker) cgi(r *http.Request) []string {
	var vars []string
	if f.cfg.CGIHeaders {
		vars = cgi(r, f.cfg.Mode == ModeClassic)
	}
	if f.variables != nil {
		vars = append(vars, f.variables(r)...)
	}
	return vars
}

// failed answers with a status of the watchdog's own.
func (f *forker) failed(w http.ResponseWriter, status int, err error, text string) {
	f.log.Error("function request failed", "status", status, "error", err.Error())
	if fw, ok := w.(Failer); ok {
		fw.Fail(err)
	}
	w.Header().Set("X-OpenFaaS-Internal", "of-watchdog")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // only the client's going away can fail
}

// abort breaks off an answer that has begun.
func (f *forker) abort(w http.ResponseWriter, err error) {
	f.log.Error("function request failed", "error", err.Error())
	if fw, ok := w.(Failer); ok {
		fw.Fail(err)
	}
	panic(http.ErrAbortHandler)
}

// copyFlushing writes r to w as it comes, after begin, and returns how much that was. The
// error is w's; that r cannot be read is its end.
func copyFlushing(w http.ResponseWriter, r io.Reader, begin func()) (wrote int64, err error) {
	bp := buffers.Get().(*[]byte)
	defer buffers.Put(bp)
	flusher, _ := w.(http.Flusher)
	for {
		n, err := r.Read(*bp)
		if n > 0 {
			if wrote == 0 {
				begin()
			}
			wrote += int64(n)
			if _, err := w.Write((*bp)[:n]); err != nil {
				return wrote, fmt.Errorf("write response: %w", err)
			}
			if flusher != nil && n < len(*bp) {
				flusher.Flush()
			}
		}
		if err != nil {
			return wrote, nil
		}
	}
}
