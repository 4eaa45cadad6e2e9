package watchdog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// classic is the classic watchdog: a process per request, its output held, the
// answer's Content-Type that of the request unless content_type says otherwise.
type classic struct{ forker }

func (c *classic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.running.Add(1)
	defer c.running.Done()
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	began := time.Now()
	c.debug("in", r.Header)
	body, err := c.input(r)
	if err != nil {
		c.refused(w, http.StatusBadRequest, err, err.Error()+"\n")
		return
	}
	ctx, cancel := forkContext(r, c.cfg.ExecTimeout)
	defer cancel()
	out, err := c.run(ctx, c.cgi(r), body, c.cfg.CombineOutput)
	switch {
	case err == nil:
		c.answer(w, r, out.Bytes(), began)
	case r.Context().Err() != nil:
		c.failed(w, http.StatusGatewayTimeout, fmt.Errorf("%w: %w", ErrTimeout, r.Context().Err()), "")
	case ctx.Err() != nil:
		c.refused(w, http.StatusRequestTimeout, err, "Killed process.\n")
	default:
		c.refused(w, http.StatusInternalServerError, err, err.Error()+"\n"+out.String())
	}
}

// answer writes the output of a process that exited 0.
func (c *classic) answer(w http.ResponseWriter, r *http.Request, out []byte, began time.Time) {
	if c.cfg.WriteDebug {
		_ = c.logs.stdout.copy(bytes.NewReader(out)) // a bytes.Reader does not fail
	}
	contentType := c.cfg.ContentType
	if contentType == "" {
		contentType = r.Header.Get("Content-Type")
	}
	if contentType == "" {
		contentType = http.DetectContentType(out)
	}
	w.Header().Set("Content-Type", contentType)
	setDuration(w.Header(), began)
	_, _ = w.Write(out) // only the client's going away can fail
	c.debug("out", w.Header())
}

// input is what the process gets as stdin: the body, or with marshal_request
// the headers and the body as JSON.
func (c *classic) input(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(bodyOf(r))
	if err != nil {
		return nil, err
	}
	if !c.cfg.MarshalRequest {
		return body, nil
	}
	var req struct {
		Header http.Header `json:"header"`
		Body   struct {
			Raw []byte `json:"raw"`
		} `json:"body"`
	}
	req.Header, req.Body.Raw = r.Header, body
	out, err := json.Marshal(req)
	if err != nil {
		return nil, errors.Join(errors.New("encode request"), err)
	}
	return out, nil
}

// debug logs headers when debug_headers asks for them.
func (c *classic) debug(direction string, h http.Header) {
	if !c.cfg.DebugHeaders {
		return
	}
	for name, values := range h {
		_, _ = fmt.Fprintf(c.logs.stdout.out, "[%s] %s=%s\n", direction, name, values) // as logs are
	}
}
