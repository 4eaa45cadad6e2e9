package federation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/openfaas/faas-provider/logs"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Status implements backend.Reader: as the function's home says, or its second
// place when the home is down.
func (b *Backend) Status(ctx context.Context, name backend.Name) (types.FunctionStatus, error) {
	var out types.FunctionStatus
	err := b.at(ctx, name, func(c *child) (err error) {
		out, err = c.Backend.Status(ctx, name)
		return err
	})
	return b.strip(out), err
}

// at does something at the function's home, or at its second place when the
// home cannot be reached.
func (b *Backend) at(ctx context.Context, name backend.Name, do func(*child) error) error {
	e, err := b.resolve(ctx, name)
	if err != nil {
		return err
	}
	try := func(c *child) error {
		if err := c.down(); err != nil {
			return err
		}
		err := do(c)
		b.saw(c, err)
		if errors.Is(err, backend.ErrNotFound) {
			c.wake() // it is not where the index has it
		}
		return err
	}
	if err = try(e.home); err != nil && e.second != nil && errors.Is(err, backend.ErrUnreachable) {
		return try(e.second)
	}
	return err
}

// lacks is the error for an ability that the function's child does not have.
func lacks(c *child, what string) error {
	return backend.Errorf(backend.ErrUnsupported, "%s does not support %s", c.name, what)
}

// Scale implements backend.Scaler, at both places of the function.
func (b *Backend) Scale(ctx context.Context, name backend.Name, replicas uint64) error {
	e, err := b.resolve(ctx, name)
	if err != nil {
		return err
	}
	for _, c := range []*child{e.home, e.second} {
		if c == nil {
			continue
		}
		scaler, ok := c.Backend.(backend.Scaler)
		if !ok {
			return lacks(c, "scaling")
		}
		if err := c.down(); err != nil {
			return err
		}
		if err := scaler.Scale(ctx, name, replicas); err != nil {
			return fmt.Errorf("scale function %s at %s: %w", name, c.name, err)
		}
	}
	return nil
}

// Usage implements backend.Meter.
func (b *Backend) Usage(ctx context.Context, name backend.Name) (out types.FunctionUsage, err error) {
	err = b.at(ctx, name, func(c *child) (err error) {
		meter, ok := c.Backend.(backend.Meter)
		if !ok {
			return lacks(c, "usage")
		}
		out, err = meter.Usage(ctx, name)
		return err
	})
	return out, err
}

// Consumption implements backend.Accountant.
func (b *Backend) Consumption(ctx context.Context, name backend.Name, since time.Time) (out backend.Consumption, err error) {
	err = b.at(ctx, name, func(c *child) (err error) {
		accountant, ok := c.Backend.(backend.Accountant)
		if !ok {
			return lacks(c, "consumption")
		}
		out, err = accountant.Consumption(ctx, name, since)
		return err
	})
	return out, err
}

// Query implements backend.Logger: what the function printed at both of its
// places. Lines of one place keep their order.
func (b *Backend) Query(ctx context.Context, r logs.Request) (<-chan logs.Message, error) {
	e, err := b.resolve(ctx, backend.Name{Namespace: r.Namespace, Function: r.Name})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var sources []<-chan logs.Message
	var errs []error
	for _, c := range []*child{e.home, e.second} {
		if c == nil {
			continue
		}
		messages, err := c.query(ctx, r)
		if err != nil {
			errs = append(errs, fmt.Errorf("logs of %s: %w", c.name, err))
			continue
		}
		sources = append(sources, messages)
	}
	if len(sources) == 0 {
		cancel()
		return nil, errors.Join(errs...)
	}
	if len(errs) > 0 {
		b.log.Warn("logs are not complete", "function", e.name.String(), "error", errors.Join(errs...))
	}
	out := make(chan logs.Message, 64)
	var all sync.WaitGroup
	for _, messages := range sources {
		all.Go(func() {
			for m := range messages {
				select {
				case out <- m:
				case <-ctx.Done():
				}
			}
		})
	}
	b.background.Go(func() {
		defer cancel()
		defer close(out)
		all.Wait()
	})
	return out, nil
}

func (c *child) query(ctx context.Context, r logs.Request) (<-chan logs.Message, error) {
	logger, ok := c.Backend.(backend.Logger)
	if !ok {
		return nil, lacks(c, "logs")
	}
	if err := c.down(); err != nil {
		return nil, err
	}
	return logger.Query(ctx, r)
}
