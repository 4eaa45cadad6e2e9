package loop

import (
	"context"
	"log/slog"
	"runtime"
	"sync"

	"github.com/faas-lambda/faas-lambda/bootstrap/runtimeapi"
)

// leaveProcessors keeps this process to one processor where it has one thing to do
// at a time: another would only be woken to look for work, while the function
// waits for it. GOMAXPROCS in the environment overrides this.
func leaveProcessors(s Settings) {
	if s.Workers == 1 && !s.Processors {
		runtime.GOMAXPROCS(1)
	}
}

// announce registers an internal extension, in the background: only where there
// is one does Lambda send SIGTERM, and time to act on it, before it ends the
// sandbox. registered is closed when the call is over; the extension then waits
// for its end until ctx is done. wait returns when nothing of it runs any more.
//
// The initialization is over only when every extension asks for its next event,
// so that one follows the other at once:
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
func announce(ctx context.Context, s Settings, log *slog.Logger) (registered <-chan struct{}, wait func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		api := runtimeapi.New(s.API, agent)
		defer api.Close()
		id, err := api.Register(ctx, agent)
		close(done)
		if err == nil {
			err = api.Park(ctx, id)
		}
		if err != nil && ctx.Err() == nil {
			log.Warn("no extension: the function gets no SIGTERM at its end", "error", err.Error())
		}
	})
	return done, running.Wait
}

// work runs the workers, one where Lambda sends one invocation at a time and as
// many as it sends at once otherwise (Lambda Managed Instances). The first that
// ends, ends them all; its error is returned.
func (l *loop) work(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, l.settings.Workers)
	for range l.settings.Workers {
		go func() {
			api := runtimeapi.New(l.settings.API, agent)
			defer api.Close()
			w := &worker{loop: l, api: api}
			ended <- w.run(ctx)
		}()
	}
	first := <-ended
	cancel()
	for range l.settings.Workers - 1 {
		if err := <-ended; first == nil { // they end because of the first
			first = err
		}
	}
	return first
}
