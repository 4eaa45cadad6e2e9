package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/replay"
)

// maxAnswer bounds the JSON that is read: a list of some ten thousand functions.
const maxAnswer = 64 << 20

// call is a request to /system.
type call struct {
	method, path string
	query        url.Values
	send         any           // as JSON; nil sends nothing
	receive      any           // from JSON; nil reads nothing
	doing        string        // what errors begin with
	timeout      time.Duration // 0 is Options.Timeout
}

// do makes a call. An error of a status code has the kind of that code and the
// text of the answer.
func (b *Backend) do(ctx context.Context, c call) (http.Header, error) {
	timeout := c.timeout
	if timeout <= 0 {
		timeout = b.opts.Timeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, backend.Errorf(backend.ErrTimeout, "no answer in %s", timeout))
	defer cancel()
	answer, err := b.request(ctx, c)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if c.receive == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxError)) // so that the connection is kept
		return answer.Header, nil
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err == nil {
		err = json.Unmarshal(data, c.receive)
	}
	if err != nil {
		return nil, b.failed(c, backend.Errorf(backend.ErrUnavailable, "read answer: %w", err))
	}
	return answer.Header, nil
}

// request makes a call and returns an answer of success, whose body the caller
// closes.
func (b *Backend) request(ctx context.Context, c call) (*http.Response, error) {
	header := http.Header{"User-Agent": {"faas-lambda"}, "Accept": {"application/json"}}
	if err := b.authorize(header); err != nil {
		return nil, b.failed(c, err)
	}
	var body *replay.Body
	size := int64(0)
	if c.send != nil {
		data, err := json.Marshal(c.send)
		if err != nil {
			return nil, b.failed(c, err)
		}
		size = int64(len(data))
		header["Content-Type"] = []string{"application/json"}
		body = replay.New(bytes.NewReader(data), size, len(data), nil)
	}
	target := b.target(c.path, c.query.Encode())
	answer, err := b.roundTrip(ctx, body, func(ctx context.Context, sent io.ReadCloser) *http.Request {
		out := (&http.Request{Method: c.method, URL: target, Host: b.base.Host, Header: header, Body: sent, ContentLength: size}).WithContext(ctx)
		if sent == nil {
			out.Body = noBody(c.method)
		}
		return out
	})
	if err != nil {
		return nil, b.failed(c, err)
	}
	if answer.StatusCode < 300 {
		return answer, nil
	}
	defer answer.Body.Close()
	text := textOf(answer)
	switch code := answer.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		if b.credentials != nil {
			b.credentials.refused()
		}
		return nil, b.failed(c, fmt.Errorf("the credentials are refused (%d): %s", code, text))
	case kindOf(code) != nil:
		return nil, b.failed(c, backend.As(kindOf(code), errors.New(text)))
	default:
		return nil, b.failed(c, fmt.Errorf("answered %s: %s", answer.Status, text))
	}
}

func (b *Backend) failed(c call, err error) error {
	return fmt.Errorf("%s at %s: %w", c.doing, b.base.Host, err)
}

func in(namespace string) url.Values {
	if namespace == "" {
		return nil
	}
	return url.Values{"namespace": {namespace}}
}
