package watchdog

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// serializing is serializing mode: the body is read before the process starts,
// and the process ends before the answer begins, so that its status can count.
type serializing struct{ forker }

func (s *serializing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.running.Add(1)
	defer s.running.Done()
	began := time.Now()
	w.Header().Set("Content-Type", s.cfg.ContentType)
	body, err := io.ReadAll(bodyOf(r))
	if err != nil {
		setDuration(w.Header(), began)
		s.refused(w, http.StatusInternalServerError, err, err.Error())
		return
	}
	ctx, cancel := forkContext(r, s.cfg.ExecTimeout)
	defer cancel()
	out, err := s.run(ctx, s.cgi(r), body, false)
	setDuration(w.Header(), began)
	switch {
	case err == nil:
		_, _ = w.Write(out.Bytes()) // only the client's going away can fail
	case r.Context().Err() != nil:
		s.failed(w, http.StatusGatewayTimeout, fmt.Errorf("%w: %w", ErrTimeout, context.Cause(ctx)), "")
	default:
		s.refused(w, http.StatusInternalServerError, err, err.Error())
	}
}

func bodyOf(r *http.Request) io.Reader {
	if r.Body == nil {
		return http.NoBody
	}
	return r.Body
}

// run runs one process over a whole body and returns its whole output, also
// when it failed.
func (f *forker) run(ctx context.Context, vars []string, body []byte, combined bool) (bytes.Buffer, error) {
	var out bytes.Buffer
	p, err := f.fork(ctx, vars, bytes.NewReader(body), int64(len(body)), combined)
	if err != nil {
		return out, err
	}
	_, _ = out.ReadFrom(p.stdout) // its end is the process's, or our own deadline
	err = p.wait()
	p.release(func() {})
	return out, err
}

// refused answers that the function's process failed, in the function's name:
// what it did is no failure of ours.
func (f *forker) refused(w http.ResponseWriter, status int, err error, text string) {
	f.log.Error("function process failed", "status", status, "error", err.Error())
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // only the client's going away can fail
}
