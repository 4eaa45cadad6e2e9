package watchdog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// tunnel joins the client's connection and the function's after the function
// has agreed to switch protocols (websockets). It returns when both directions
// have ended; c is the caller's to close.
func (p *passage) tunnel(ctx context.Context, c *conn, res *http.Response) error {
	client, rw, err := http.NewResponseController(p.w).Hijack()
	if err != nil {
		return fmt.Errorf("switch to %s: %w", res.Header.Get("Upgrade"), err)
	}
	p.head = true
	defer context.AfterFunc(ctx, func() { _ = client.SetDeadline(time.Unix(1, 0)) })()
	defer func() { _ = client.Close() }() // both directions are done, or broken
	if err := client.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("switch protocols: %w", err)
	}
	res.Body = nil
	if err := errors.Join(res.Write(rw), rw.Flush()); err != nil {
		return fmt.Errorf("switch protocols: %w", err)
	}
	up := make(chan error, 1)
	go func() { // ends when either side closes: the other is aborted below
		_, err := io.Copy(c.Conn, rw.Reader)
		closeWrite(c.Conn)
		up <- err
	}()
	_, err = io.Copy(client, c.br)
	closeWrite(client)
	if err != nil {
		c.abort()
	}
	return errors.Join(err, <-up)
}

// closeWrite tells the other side that no more comes.
func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // a connection already gone is told enough
	}
}
