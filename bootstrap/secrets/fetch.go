package secrets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/faas-lambda/faas-lambda/bootstrap/dial"
)

// client asks the two services.
type client struct {
	config config
	cache  credentialCache
	dialer dial.Dialer
}

func newClient(c config) *client {
	return &client{config: c, dialer: dial.New(c.proxy)}
}

// fetch returns the value of one secret, which is never nil then. It tries until
// ctx ends when AWS or the way to it is out of order, and once when AWS says no.
func (c *client) fetch(ctx context.Context, idle *pool, r reference) ([]byte, error) {
	var last error
	for attempt := 0; ; attempt++ {
		value, err := c.try(ctx, idle, r)
		if err == nil || !temporary(err) {
			return value, err
		}
		if ctx.Err() == nil || last == nil { // what went wrong before says more than that time was up
			last = err
		}
		if !pause(ctx, backoff(attempt)) {
			return nil, fmt.Errorf("%w (tried %d times)", last, attempt+1)
		}
	}
}

// attemptTimeout ends an attempt that gets no answer.
const attemptTimeout = 3 * time.Second

func (c *client) try(ctx context.Context, idle *pool, r reference) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	target, body, err := request(r)
	if err != nil {
		return nil, err
	}
	creds, err := c.credentials(ctx)
	if err != nil {
		return nil, err
	}
	req := &http.Request{
		Method: http.MethodPost, URL: c.config.endpoints[r.service], Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {target}},
	}
	sign(req, body, creds, c.config.region, r.service, time.Now())
	req.Header.Set("User-Agent", "faas-lambda") // unsigned: proxies change it
	got, err := c.exchange(ctx, idle, req)
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusOK {
		return nil, readError(got, creds)
	}
	return readValue(r.service, got.body)
}

// request is what asks for a secret.
func request(r reference) (target string, body []byte, err error) {
	if r.service == parameterStore {
		target = "AmazonSSM.GetParameter"
		body, err = json.Marshal(struct {
			Name           string
			WithDecryption bool
		}{r.id, true})
	} else {
		target = "secretsmanager.GetSecretValue"
		body, err = json.Marshal(struct{ SecretId string }{r.id})
	}
	if err != nil {
		return "", nil, fmt.Errorf("encode request: %w", err)
	}
	return target, body, nil
}

var errNoValue = errors.New("the answer holds no value")

// readValue reads a successful answer. Its errors do not repeat any of it.
func readValue(service string, data []byte) ([]byte, error) {
	var got struct {
		SecretString *string
		SecretBinary []byte
		Parameter    struct{ Value *string }
	}
	if json.Unmarshal(data, &got) != nil {
		return nil, errNoValue
	}
	switch {
	case service == parameterStore && got.Parameter.Value != nil:
		return []byte(*got.Parameter.Value), nil
	case service == secretsManager && got.SecretString != nil:
		return []byte(*got.SecretString), nil
	case service == secretsManager && got.SecretBinary != nil:
		return got.SecretBinary, nil
	}
	return nil, errNoValue
}

// backoff is how long to wait after the attempt: 50 ms, 100 ms, … 1 s, less up to
// a half so that the sandboxes of one function do not all come back at once.
func backoff(attempt int) time.Duration {
	d := min(50*time.Millisecond<<min(attempt, 10), time.Second)
	return d - time.Duration(rand.Int64N(int64(d)/2)) //nolint:gosec // not for secrets
}

// pause reports false, at once, when ctx ends before d has passed.
func pause(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
