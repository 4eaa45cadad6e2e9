package loop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/faas-lambda/faas-lambda/bootstrap/launch"
	"github.com/faas-lambda/faas-lambda/bootstrap/runtimeapi"
	"github.com/faas-lambda/faas-lambda/watchdog"
)

// agent is how the loop names itself to the Runtime API.
const agent = "faas-lambda"

// Process is what a bootstrap was started with.
type Process struct {
	Env            []string // as os.Environ gives it
	Stdout, Stderr io.Writer
	// Spec reads the launch spec. It is called once; an error of it fails the
	// initialization.
	Spec func() (launch.Spec, error)
}

// Run brings the function up and serves invocations until ctx is done. A function
// that cannot be brought up is reported to Lambda as a failed initialization;
// the error then says the same.
func Run(ctx context.Context, p Process) error {
	settings, err := ParseSettings(p.Env)
	if settings.API == "" {
		return err
	}
	log := settings.logger(p.Stderr)
	api := runtimeapi.New(settings.API, agent)
	defer api.Close()
	life, end := context.WithCancel(ctx)
	registered, wait := announce(life, settings, log)
	defer wait()
	defer end()
	var function *watchdog.Watchdog
	if err != nil {
		err = &initError{"Function.InvalidConfiguration", err}
	} else {
		function, err = start(ctx, p, settings, log)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil // asked to end before it was up
		}
		return errors.Join(err, api.FailInit(ctx, initFailure(err)))
	}
	<-registered
	if settings.SnapStart {
		err = api.AwaitRestore(ctx)
	}
	if err == nil {
		err = work(ctx, function, settings, log)
	}
	if ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, stop(ctx, function))
}

// start makes the watchdog of the spec and waits until it can serve.
func start(ctx context.Context, p Process, s Settings, log *slog.Logger) (*watchdog.Watchdog, error) {
	spec, err := p.Spec()
	if err != nil {
		return nil, &initError{"Runtime.InvalidLaunchSpec", err}
	}
	cfg, err := watchdog.ParseConfig(watchdog.Kind(spec.Watchdog), spec.Environ(p.Env), spec.Command)
	if err != nil {
		return nil, &initError{"Function.InvalidConfiguration", fmt.Errorf("configure %s: %w", spec.Watchdog, err)}
	}
	function, err := watchdog.New(cfg, watchdog.Options{
		Dir: spec.Dir, Root: spec.Root, Stdout: p.Stdout, Stderr: p.Stderr, Logger: log, Restart: true, AwaitReadyPath: true,
	})
	if err != nil {
		return nil, &initError{"Function.InvalidConfiguration", err}
	}
	ready, cancel := context.WithTimeout(ctx, s.InitTimeout)
	defer cancel()
	if err := function.Start(ready); err != nil {
		return nil, errors.Join(err, stop(ctx, function))
	}
	return function, nil
}

// stop ends the function. Lambda kills the sandbox half a second after SIGTERM.
func stop(ctx context.Context, function *watchdog.Watchdog) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 300*time.Millisecond)
	defer cancel()
	return function.Close(ctx)
}

// initError is a failed initialization with the type that Lambda reports.
type initError struct {
	kind string
	error
}

func (e *initError) Unwrap() error { return e.error }

func initFailure(err error) runtimeapi.Failure {
	f := runtimeapi.Failure{Type: "Function.StartFailed", Message: err.Error()}
	var known *initError
	switch {
	case errors.As(err, &known):
		f.Type = known.kind
	case errors.Is(err, watchdog.ErrExited):
		f.Type = "Function.ExitedAtStart"
	case errors.Is(err, context.DeadlineExceeded):
		f.Type = "Function.NotListening"
	case errors.Is(err, os.ErrNotExist):
		f.Type = "Function.ProgramNotFound"
	}
	return f
}
