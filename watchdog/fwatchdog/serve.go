package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/faas-lambda/faas-lambda/watchdog"
)

// metricsPort is where of-watchdog has its metrics; metrics_port overrides it.
const metricsPort = 8081

// standalone is the watchdog as a server of its own.
type standalone struct {
	cfg       watchdog.Config
	function  *watchdog.Watchdog
	metrics   *metrics
	accepting atomic.Bool
}

// serve runs until ctx is done and the running requests are answered, or until
// the function's process ends.
func serve(ctx context.Context, cfg watchdog.Config) error {
	dir, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find working directory: %w", err)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		// Half the processors: the function needs the others, and what is idle
		// here is woken to look for work while the function waits for it.
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/2))
	}
	s := &standalone{cfg: cfg, metrics: newMetrics()}
	s.function, err = watchdog.New(cfg, watchdog.Options{
		Dir: dir, Stdout: os.Stdout, Stderr: os.Stderr, Healthy: s.healthy,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	main := &http.Server{
		Handler: s.observe(s.function), ReadTimeout: cfg.ReadTimeout, WriteTimeout: cfg.WriteTimeout, MaxHeaderBytes: 1 << 20,
	}
	side := &http.Server{Handler: s.metrics, ReadTimeout: time.Second, WriteTimeout: time.Second}
	port, err := sidePort()
	if err != nil {
		return err
	}
	failed := make(chan error, 3)
	for port, server := range map[int]*http.Server{cfg.Port: main, port: side} {
		l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
		if err != nil {
			return fmt.Errorf("listen on port %d: %w", port, err)
		}
		go func() { failed <- server.Serve(l) }() // ends with Shutdown or Close
	}
	log.Printf("Watchdog mode: %s\tfprocess: %q", cfg.Mode, cfg.Command)
	log.Printf("Timeouts: read: %s write: %s hard: %s health: %s", cfg.ReadTimeout, cfg.WriteTimeout, cfg.ExecTimeout, cfg.HealthcheckInterval)
	log.Printf("Listening on port: %d, metrics on port: %d", cfg.Port, port)
	err = s.run(ctx, main, failed)
	return errors.Join(err, side.Close(), main.Close())
}

func sidePort() (int, error) {
	text := os.Getenv("metrics_port")
	if text == "" {
		return metricsPort, nil
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("metrics_port: %q is not a port", text)
	}
	return port, nil
}

// run brings the function up, waits for the end and brings everything down. It
// waits for a function to listen for as long as that takes: whoever probes
// /_/health decides when that is too long.
func (s *standalone) run(ctx context.Context, main *http.Server, failed <-chan error) error {
	started := make(chan error, 1)
	go func() { started <- s.function.Start(ctx) }() // ends with ctx at the latest
	for {
		select {
		case err := <-started:
			if ctx.Err() != nil {
				return s.down(ctx, main)
			}
			if err == nil {
				err = s.up()
			}
			if err != nil {
				return errors.Join(err, s.stop(ctx))
			}
			started = nil
		case <-s.died(started == nil):
			return s.lost(ctx, main)
		case err := <-failed:
			return errors.Join(fmt.Errorf("serve: %w", err), s.stop(ctx))
		case <-ctx.Done():
			return s.down(ctx, main)
		}
	}
}

// died is ready when the process has ended, once it was up.
func (s *standalone) died(up bool) <-chan struct{} {
	if !up {
		return nil
	}
	return s.function.Done()
}

// up tells the world that requests are welcome.
func (s *standalone) up() error {
	if s.cfg.SuppressLock {
		log.Print("Warning: \"suppress_lock\" is enabled. No automated health-checks will be in place for your function.")
	} else if err := writeLock(); err != nil {
		return err
	}
	s.accepting.Store(true)
	return nil
}

func (s *standalone) healthy() bool {
	return s.accepting.Load() && (s.cfg.SuppressLock || lockPresent())
}

// lost ends everything after the function's process has: requests that run get
// their error first.
func (s *standalone) lost(ctx context.Context, main *http.Server) error {
	s.accepting.Store(false)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return errors.Join(errors.New("the function's process has ended"), s.unlock(), main.Shutdown(ctx))
}

// down stops in order: unhealthy, so that no new requests are sent here; the
// running ones answered; then the function.
func (s *standalone) down(ctx context.Context, main *http.Server) error {
	s.accepting.Store(false)
	err := s.unlock()
	ctx = context.WithoutCancel(ctx)
	log.Printf("Stopping: no new connections in %s", s.cfg.HealthcheckInterval)
	wait := time.NewTimer(s.cfg.HealthcheckInterval)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-s.function.Done():
	}
	log.Printf("No new connections allowed, draining: %d requests", s.metrics.inFlight.Load())
	drain, cancel := context.WithTimeout(ctx, s.cfg.WriteTimeout)
	defer cancel()
	if e := main.Shutdown(drain); e != nil {
		err = errors.Join(err, fmt.Errorf("drain requests: %w", e))
	}
	return errors.Join(err, s.stop(ctx))
}

func (s *standalone) unlock() error {
	if s.cfg.SuppressLock {
		return nil
	}
	return removeLock()
}

// stop ends the function's process.
func (s *standalone) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return s.function.Close(ctx)
}
