package emulator

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// instance is a sandbox of one version of a function.
type instance struct {
	post
	live      *live
	box       *sandbox.Sandbox
	log       atomic.Pointer[invocationLog] // of the invocation that runs; nil between
	idleSince time.Time                     // guarded by fleet.mu
}

// newInstance makes a sandbox in which bootstrap does not run yet.
func (s *Server) newInstance(ctx context.Context, at post, version *live, log *invocationLog, initialization string) (*instance, error) {
	select {
	case s.fleet.starts <- struct{}{}:
		defer func() { <-s.fleet.starts }()
	case <-ctx.Done():
		return nil, fmt.Errorf("start sandbox: %w", ctx.Err())
	}
	task, err := s.store.unpacked(version.Zip)
	if err != nil {
		return nil, err
	}
	opt, err := s.store.opt(version.Layers)
	if err != nil {
		return nil, err
	}
	c := version.Config
	i := &instance{post: at, live: version}
	i.log.Store(log)
	i.box, err = s.host.Start(ctx, sandbox.Spec{
		Task: task,
		Opt:  opt,
		API:  s.handler, Loopback: s.opts.Address,
		Log: func(line []byte) { s.functionLine(i, line) },
		Function: sandbox.Function{
			Name: at.name, Version: at.version, Handler: c.Handler, Region: s.opts.Region, MemoryMB: c.MemorySize, Variables: c.variables(),
			LogGroup: c.LoggingConfig.LogGroup, LogStream: logStream(at.version), Initialization: initialization,
		},
	})
	if err != nil {
		return nil, err
	}
	return i, nil
}

// functionLine takes what a function prints, in an invocation or, before it is frozen, after one.
func (s *Server) functionLine(i *instance, line []byte) {
	if log := i.log.Load(); log != nil {
		log.line(line)
		return
	}
	s.output.line(i.name, line)
}

// logStream names one as Lambda does: date, version, and a number of the sandbox.
func logStream(version string) string {
	return time.Now().UTC().Format("2006/01/02") + "/[" + version + "]" + strings.ReplaceAll(newID(), "-", "")
}
