package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// healthCheck is what Kubernetes asks a function's watchdog, ours as well: it
// answers by itself once the function's process is ready. An image without a
// watchdog answers as it likes.
const healthCheck = "/_/health"

// maxHealth bounds what is read of the answer to it, in bytes.
const maxHealth = 64 << 10

// start makes sure that the new version starts, before it takes the place of the
// one that serves: an instance of it answers a health check. A version that
// cannot be asked, because the function has no concurrency left for example, is
// taken at its word.
func (c *change) start(ctx context.Context) error { return c.asRole(ctx, c.startOnce) }

// startOnce tells a version that does not start by backend.ErrInvalid.
func (c *change) startOnce(ctx context.Context) error {
	to := (&found{account: c.account, name: c.plan.name, config: c.published}).target()
	if to.adopted {
		return nil // it knows no such request
	}
	to.Qualifier = c.version
	ctx, cancel := context.WithTimeout(ctx, c.b.opts.DeployTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, healthCheck, nil)
	if err != nil {
		return fmt.Errorf("update function %s: %w", c.plan.name, err)
	}
	answer, err := c.b.invokeOn(ctx, to, r)
	if err == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, maxHealth))
		err = errors.Join(err, answer.Body.Close())
	}
	var failed *backend.FunctionError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failed), errors.Is(err, backend.ErrTimeout):
		return backend.Errorf(backend.ErrInvalid, "update function %s: its new version does not start, so the one before goes on serving: %w", c.plan.name, err)
	}
	c.b.log.Warn("new version was not started before it serves", "function", c.plan.name.String(), "error", err)
	return nil
}
