package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/openfaas/faas-provider/auth"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/faas-lambda/faas-lambda/provider/api"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
	"github.com/faas-lambda/faas-lambda/provider/bootstraps"
	"github.com/faas-lambda/faas-lambda/provider/config"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// listen opens the provider's port, before anything else is begun.
func listen(ctx context.Context, cfg config.Config) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w", cfg.Port, err)
	}
	return listener, nil
}

// serve answers the provider API on listener until ctx ends, and for
// ShutdownDelay after that: it is not ready then, answers, and lets go of its
// connections. It owns listener.
func serve(ctx context.Context, cfg config.Config, listener net.Listener, log *slog.Logger) (err error) {
	defer func() { _ = listener.Close() }() // closed already where it was used
	traces, err := newTracing(ctx, os.Getenv)
	if err != nil {
		return err
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSpans)
		defer cancel()
		if err := traces.end(last); err != nil {
			log.Warn("spans were lost", "error", err)
		}
	}()
	ends, end := later(ctx, cfg.ShutdownDelay)
	defer end()
	cut, cutOff := context.WithCancel(context.WithoutCancel(ctx)) // of changes under way
	defer cutOff()
	handler, closeBackend, err := handler(ends, ctx.Done(), cut.Done(), cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBackend()) }()
	if cfg.LogLevel == "debug" {
		handler = invocations(handler, log)
	}
	if cfg.PprofPort != 0 {
		while, stop := context.WithCancel(ends)
		defer stop()
		wait, err := serveProfiles(while, cfg.PprofPort, log)
		if err != nil {
			return err
		}
		defer func() {
			stop()
			if err := wait(); err != nil {
				log.Warn("profiles were not served", "error", err)
			}
		}()
	}
	log.Info("provider listens", "address", listener.Addr().String(), "version", version)
	var requests underway
	err = serveHTTP(ends, listener, requests.watch(traces.wrap(partingFrom(ctx.Done(), handler))), cfg.ReadTimeout,
		ending{grace: cfg.ShutdownTimeout, patient: cfg.ShutdownDelay > 0})
	requests.giveUp(context.WithoutCancel(ctx), cutOff, log)
	return err
}

// lastSpans is how long the end of the program waits for a collector of traces.
const lastSpans = 2 * time.Second

// handler wires configuration, backend and API, which is not ready once closing
// is closed, and gives up changes once ending is. The second result closes the
// backend.
func handler(ctx context.Context, closing, ending <-chan struct{}, cfg config.Config, log *slog.Logger) (http.Handler, func() error, error) {
	var credentials *auth.BasicAuthCredentials
	if cfg.BasicAuth {
		var err error
		if credentials, err = (&auth.ReadBasicAuthFromDisk{SecretMountPath: cfg.SecretMountPath}).Read(); err != nil {
			return nil, nil, fmt.Errorf("read basic-auth-user and basic-auth-password in %s: %w", cfg.SecretMountPath, err)
		}
	}
	registry := prometheus.NewRegistry()
	functions, closeBackend, err := openBackend(ctx, cfg, registry, log)
	if err != nil {
		return nil, nil, err
	}
	return api.New(functions, api.Options{
		Namespace: cfg.Namespace, Credentials: credentials, Version: version, SHA: sha,
		ReadTimeout: cfg.ReadTimeout, WriteTimeout: cfg.WriteTimeout, Logger: log,
		Registry: registry, Closing: closing, Ending: ending,
	}), closeBackend, nil
}

// packager makes the packages of a provider with that configuration.
func packager(cfg config.Config) *packaging.Packager {
	if cfg.CacheDir == "" {
		cfg.CacheDir = defaultCache()
	}
	return packaging.New(packaging.Options{
		Bootstrap: bootstraps.Binary, CacheDir: cfg.CacheDir, Revision: revision(),
		Local: cfg.LocalImages, InsecureRegistries: cfg.InsecureRegistries,
		PullSecrets: cfg.PullSecrets, SignaturePolicy: cfg.SignaturePolicy, Credentials: new(aws.ECRCredentials).For,
	})
}

// revision tells this build of the program from another one. A version does
// not, where somebody works on it.
func revision() string {
	path, err := os.Executable()
	if err != nil {
		return version
	}
	info, err := os.Stat(path)
	if err != nil {
		return version
	}
	return fmt.Sprintf("%s %d %d", version, info.Size(), info.ModTime().UnixNano())
}

// defaultCache is where finished packages are kept when nothing else is said:
// the user's cache directory, which a pod without a home directory lacks.
func defaultCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "faas-lambda")
}

// serveHTTP serves until ctx ends, and then as end says. The server has no read
// or write timeout but the one for headers: an invocation may last 15 minutes.
func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler, headers time.Duration, end ending) error {
	open := &connections{}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headers, IdleTimeout: 2 * time.Minute, ConnState: open.note}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), end.grace)
	defer cancel()
	if end.patient {
		_ = listener.Close()
		served <- <-served // Serve has returned: nobody comes any more
		open.wait(last)
	}
	if err := server.Shutdown(last); err != nil {
		_ = server.Close() // what is cut off is over; there is nobody to tell
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
