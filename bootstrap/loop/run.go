package loop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/faas-lambda/faas-lambda/bootstrap/fetch"
	"github.com/faas-lambda/faas-lambda/bootstrap/launch"
	"github.com/faas-lambda/faas-lambda/bootstrap/runtimeapi"
	"github.com/faas-lambda/faas-lambda/bootstrap/secrets"
	"github.com/faas-lambda/faas-lambda/watchdog"
)

// agent is how the loop names itself to the Runtime API, and the name of its
// extension.
const agent = "faas-lambda"

// Process is what a bootstrap was started with.
type Process struct {
	Env            []string // as os.Environ gives it
	Stdout, Stderr io.Writer
	// Spec reads the launch spec. It is called once; an error of it fails the
	// initialization.
	Spec func() (launch.Spec, error)
}

// loop is what the workers of one process share.
type loop struct {
	settings Settings
	log      *slog.Logger
	function *watchdog.Watchdog
	secrets  *secrets.Store         // nil for none
	bodies   *fetch.Client          // of requests that are not in their events
	warm     atomic.Bool            // an invocation has come, or the sandbox was made before one was there
	current  atomic.Pointer[string] // id of the running invocation, where there is one at a time
}

// Run brings the function up and serves invocations until ctx is done. A function
// that cannot be brought up is reported to Lambda as a failed initialization;
// the error then says the same.
func Run(ctx context.Context, p Process) error {
	settings, err := ParseSettings(p.Env)
	if settings.API == "" {
		return err
	}
	leaveProcessors(settings)
	l := &loop{settings: settings, log: settings.logger(p.Stderr)}
	l.warm.Store(settings.Provisioned)
	api := runtimeapi.New(settings.API, agent)
	defer api.Close()
	life, end := context.WithCancel(ctx)
	registered, wait := announce(life, settings, l.log)
	defer wait()
	defer end()
	if err != nil {
		err = &initError{"Function.InvalidConfiguration", err}
	} else {
		err = l.start(ctx, p)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil // asked to end before it was up
		}
		return errors.Join(err, api.FailInit(ctx, initFailure(err)))
	}
	<-registered
	if settings.SnapStart {
		err = l.restore(ctx, api)
	}
	if err == nil {
		err = l.work(ctx)
	}
	if ctx.Err() != nil {
		err = nil // the error is of being asked to end
	}
	return errors.Join(err, l.stop(ctx))
}

// start makes the watchdog of the spec and waits until it can serve.
func (l *loop) start(ctx context.Context, p Process) error {
	spec, err := p.Spec()
	if err != nil {
		return &initError{"Runtime.InvalidLaunchSpec", err}
	}
	ready, cancel := context.WithTimeout(ctx, l.settings.InitTimeout)
	defer cancel()
	if err := l.fetchSecrets(ready, p.Env); err != nil {
		return err
	}
	env := l.secrets.Environ(spec.Environ(p.Env))
	l.bodies = fetch.New(env)
	cfg, err := watchdog.ParseConfig(watchdog.Kind(spec.Watchdog), env, spec.Command)
	if err != nil {
		return &initError{"Function.InvalidConfiguration", fmt.Errorf("configure %s: %w", spec.Watchdog, err)}
	}
	l.function, err = watchdog.New(cfg, watchdog.Options{
		Dir: spec.Dir, Root: spec.Root, Stdout: p.Stdout, Stderr: p.Stderr, Logger: l.log,
		Restart: true, AwaitReadyPath: true, RequestID: l.requestID, Variables: traceVariables,
	})
	if err != nil {
		return &initError{"Function.InvalidConfiguration", err}
	}
	return l.await(ready)
}

// await waits until the function can serve; one that cannot is ended.
func (l *loop) await(ctx context.Context) error {
	ready, cancel := context.WithTimeout(ctx, l.settings.InitTimeout)
	defer cancel()
	if err := l.function.Start(ready); err != nil {
		return errors.Join(err, l.stop(ctx))
	}
	return nil
}

// restore waits while the snapshot is taken and until the process runs again in
// a sandbox made from it. Connections do not survive that, the function may
// not either.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks.html
func (l *loop) restore(ctx context.Context, api *runtimeapi.Client) error {
	if err := api.AwaitRestore(ctx); err != nil {
		return fmt.Errorf("wait for the restore: %w", err)
	}
	api.Close()
	l.function.ForgetConnections()
	if err := l.await(ctx); err != nil {
		return errors.Join(err, api.FailRestore(ctx, initFailure(err)))
	}
	return nil
}

// stop ends the function. Lambda kills the sandbox half a second after SIGTERM.
func (l *loop) stop(ctx context.Context) error {
	l.secrets.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 300*time.Millisecond)
	defer cancel()
	return l.function.Close(ctx)
}

// requestID names the running invocation for JSON logs.
func (l *loop) requestID() string {
	if id := l.current.Load(); id != nil {
		return *id
	}
	return ""
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
