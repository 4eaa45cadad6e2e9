package watchdog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// server is http mode: one process that serves HTTP, and the proxy before it.
type server struct {
	cfg     Config
	env     environment
	logs    logs
	up      *upstream
	restart bool
	log     *slog.Logger

	readyPath string        // what Start asks for; "": that the port is open
	leaves    time.Duration // how long a process that no longer listens may take to end

	live     atomic.Pointer[child] // a process that has been seen to listen
	starting chan struct{}         // holds one token; who takes it may start a process

	mu     sync.Mutex // guards cur and closed
	cur    *child     // the last process started
	closed bool
}

func newServer(cfg Config, opt Options, env environment, logs logs) (*server, error) {
	up, err := newUpstream(cfg.Upstream)
	if err != nil {
		return nil, err
	}
	s := &server{cfg: cfg, env: env, logs: logs, up: up, restart: opt.Restart, leaves: time.Second, log: opt.Logger, starting: make(chan struct{}, 1)}
	s.starting <- struct{}{}
	if opt.AwaitReadyPath {
		s.readyPath = cfg.ReadyPath
	}
	return s, nil
}

func (s *server) start(ctx context.Context) error {
	_, err := s.ensure(ctx)
	return err
}

func (s *server) done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cur == nil {
		return nil
	}
	return s.cur.done
}

func (s *server) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	c := s.cur
	s.mu.Unlock()
	s.up.closeIdle()
	if c == nil {
		return nil
	}
	return c.stop(ctx)
}

// ensure returns a process that listens. It starts one when there is none yet,
// or when the last one ended and restart is set, and waits until it listens or
// ctx is done.
func (s *server) ensure(ctx context.Context) (*child, error) {
	if c := s.live.Load(); c != nil && !c.ended() {
		return c, nil
	}
	select {
	case <-s.starting:
		defer func() { s.starting <- struct{}{} }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrStart, ctx.Err())
	}
	if c := s.live.Load(); c != nil && !c.ended() {
		return c, nil
	}
	c, err := s.process()
	if err != nil {
		return nil, err
	}
	if err := s.awaitReady(ctx, c); err != nil {
		return nil, err
	}
	s.live.Store(c)
	return c, nil
}

// process returns the running process, or a new one.
func (s *server) process() (*child, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("%w: it was shut down", ErrExited)
	}
	if s.cur != nil && !s.cur.ended() {
		return s.cur, nil
	}
	if s.cur != nil {
		if !s.restart {
			return nil, s.cur.err
		}
		s.log.Info("starting the function's process again", "reason", s.cur.err.Error())
	}
	s.up.closeIdle()
	c, err := startChild(s.env, s.cfg.Command, s.logs)
	if err != nil {
		return nil, err
	}
	s.cur = c
	return c, nil
}

// awaitReady returns when the process accepts connections, and when it answers
// 2xx on ready_path if that is set. It looks every millisecond at first, every
// ten later: on Lambda this wait is part of every cold start.
func (s *server) awaitReady(ctx context.Context, c *child) error {
	began, pause := time.Now(), time.Millisecond
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-c.done:
			return fmt.Errorf("%w: %w, before it listened on %s", ErrStart, c.err, s.up.addr)
		case <-ctx.Done():
			return fmt.Errorf("%w: %q %s %s within %s (it is still running): %w", ErrStart, c.name,
				s.lacking(), s.up.addr, time.Since(began).Round(time.Millisecond), ctx.Err())
		}
		if s.probe(ctx) {
			return nil
		}
		timer.Reset(pause)
		pause = min(pause*5/4, 10*time.Millisecond)
	}
}

func (s *server) lacking() string {
	if s.readyPath != "" {
		return "did not answer 200 to " + s.readyPath + " on"
	}
	return "did not listen on"
}

// probe asks once. The connection it makes is kept for the first request.
func (s *server) probe(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	c, err := s.up.dial(ctx)
	if err != nil {
		return false
	}
	if s.readyPath == "" {
		s.up.put(c)
		return true
	}
	stop := context.AfterFunc(ctx, c.abort)
	defer stop()
	req := &outgoing{method: http.MethodGet, target: s.readyPath, host: s.up.addr}
	res, err := c.roundTrip(req, &sending{})
	if err != nil {
		c.close()
		return false
	}
	ok := res.StatusCode >= 200 && res.StatusCode < 300
	if err := res.Body.Close(); err != nil || res.Close {
		c.close()
	} else {
		s.up.put(c)
	}
	return ok
}

// cause returns the error to report for err, which a request to c met: that the
// process has ended explains all others. A connection breaks an instant before
// the end of its process is known, so that is waited for a little.
func (s *server) cause(c *child, err error) error {
	if !errors.Is(err, net.ErrClosed) {
		patience := time.NewTimer(50 * time.Millisecond)
		defer patience.Stop()
		select {
		case <-c.done:
		case <-patience.C:
		}
	}
	if c.ended() {
		return c.err
	}
	return fmt.Errorf("request to the function on %s: %w", s.up.addr, err)
}
