package lambda

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// instance is a sandbox of one version of a function.
type instance struct {
	post
	live      *live
	box       *sandbox.Sandbox
	journal   *journal
	log       atomic.Pointer[invocationLog] // of the invocation that runs; nil between
	idleSince time.Time                     // guarded by fleet.mu
}

// newInstance makes a sandbox in which bootstrap does not run yet.
func (s *Service) newInstance(ctx context.Context, at post, version *live, log *invocationLog, initialization string) (*instance, error) {
	select {
	case s.fleet.starts <- struct{}{}:
		defer func() { <-s.fleet.starts }()
	case <-ctx.Done():
		return nil, fmt.Errorf("start sandbox: %w", ctx.Err())
	}
	c := version.Config
	i := &instance{post: at, live: version, journal: log.journal}
	i.log.Store(log)
	spec := sandbox.Spec{
		API: s.opts.API, Loopback: s.opts.Address,
		Log: func(line []byte) { s.functionLine(i, line) },
		Function: sandbox.Function{
			Name: at.name, Version: at.version, Handler: c.Handler, Region: s.opts.Region, MemoryMB: c.MemorySize, Variables: c.variables(),
			LogGroup: c.LoggingConfig.LogGroup, LogStream: log.journal.stream, Initialization: initialization,
		},
	}
	if err := s.equip(ctx, &spec, version); err != nil {
		return nil, err
	}
	var err error
	if i.box, err = s.host.Start(ctx, spec); err != nil {
		return nil, err
	}
	return i, nil
}

// equip gives a sandbox the files of the version.
func (s *Service) equip(ctx context.Context, spec *sandbox.Spec, version *live) (err error) {
	if version.ImageDigest != "" {
		spec.Image, err = s.imageSpec(ctx, version)
		return err
	}
	if spec.Task, err = s.store.unpacked(version.Zip); err != nil {
		return err
	}
	spec.Opt, err = s.store.opt(version.Layers)
	return err
}

// functionLine takes what a function prints, in an invocation or, before it is frozen, after one.
func (s *Service) functionLine(i *instance, line []byte) {
	if log := i.log.Load(); log != nil {
		log.line(line)
		return
	}
	i.journal.line(line)
}
