package runtimeapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

const extensions = "/2020-01-01/extension/"

// Register makes this process an internal extension called name that asks for
// no events. Only with an extension registered does Lambda send SIGTERM before
// it ends the sandbox. It must come before the first Next.
func (c *Client) Register(ctx context.Context, name string) (id string, err error) {
	res, err := c.call(ctx, http.MethodPost, extensions+"register", http.Header{
		"Content-Type": {"application/json"}, "Lambda-Extension-Name": {name},
	}, []byte(`{"events":[]}`))
	if err != nil {
		return "", err
	}
	id = res.Header.Get("Lambda-Extension-Identifier")
	if id == "" {
		err = errors.New("register extension: the answer has no identifier")
	}
	return id, errors.Join(err, res.Body.Close())
}

// Park waits for the extension's next event. As none was asked for, it returns
// only when ctx is done or the sandbox ends. It needs a Client of its own.
func (c *Client) Park(ctx context.Context, id string) error {
	res, err := c.call(ctx, http.MethodGet, extensions+"event/next", http.Header{"Lambda-Extension-Identifier": {id}}, nil)
	if err != nil {
		return fmt.Errorf("wait for extension event: %w", err)
	}
	return res.Body.Close()
}

// AwaitRestore waits until the process runs in a sandbox restored from the
// snapshot that is taken of it now (SnapStart).
func (c *Client) AwaitRestore(ctx context.Context) error {
	res, err := c.call(ctx, http.MethodGet, version+"restore/next", nil, nil)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// FailRestore reports that the function is of no use after its restore.
func (c *Client) FailRestore(ctx context.Context, f Failure) error {
	return c.report(ctx, "restore/error", f)
}
