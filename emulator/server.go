package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/events"
	"github.com/faas-lambda/faas-lambda/emulator/faults"
	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// Options configure an emulator. The zero value works.
type Options struct {
	// DataDir holds functions across restarts; one emulator at a time may use it. Empty means a temporary directory that Close removes.
	DataDir string
	// Region of every ARN; us-east-1 by default.
	Region string
	// Account of every ARN, twelve digits; 000000000000 by default.
	Account string
	// Address is the one that the server will be found at, 127.0.0.1:port. Functions find it there too, so that they can use URLs that were signed
	// outside. Without it they have AWS_ENDPOINT_URL only.
	Address string
	// Concurrency is the account's limit of invocations at a time; 1000 by default, as on AWS.
	Concurrency int
	// Logger gets the emulator's own events; nil discards them.
	Logger *slog.Logger
	// LogOutput gets the functions' log lines, START, END and REPORT included, each with the function's name before it; nil discards them.
	// Writes to it are whole lines, one at a time.
	LogOutput io.Writer

	clock events.Clock // of queues and schedules; nil: the machine's
}

// Server is the emulated AWS. Its methods may be called at the same time.
type Server struct {
	opts     Options
	store    *store
	host     *sandbox.Host
	fleet    *fleet
	hooks    hooks
	services services
	faults   faults.Set
	output   *output
	handler  http.Handler // what functions reach inside their sandboxes; the server itself but for tests

	operations map[route]operation
	calls      map[string]call // by X-Amz-Target

	ctx    context.Context    // the life of everything that goes on without a request; ended by Close
	cancel context.CancelFunc // ends ctx
	work   sync.WaitGroup     // goroutines under ctx
	workMu sync.Mutex         // guards closed, and that nothing is added to work after it
	closed bool

	mu        sync.Mutex // guards functions and what they point to
	functions map[string]*function
	layers    layers
	signing   *documents[signingConfig] // by ARN
	urls      urls
	mappings  mappings

	waiting       atomic.Int64 // asynchronous invocations not done yet
	initTimeout   time.Duration
	answerGrace   time.Duration
	retryDelays   []delay // between the attempts of an asynchronous invocation
	beforeSettle  func()  // for tests: holds up the end of creations and updates; nil for nothing
	beforeMapping func()  // the same for event source mappings

	closeOnce sync.Once
	closeErr  error
}

// Init must be the first statement of main (and TestMain) of every program that embeds the emulator: sandboxes are started by executing the
// program again, and in such a child Init never returns. Otherwise it does nothing.
func Init() { sandbox.Init() }

// New opens the emulator with what its data directory holds. It fails with an error that wraps sandbox.ErrForbidden where this machine does
// not allow sandboxes. The caller must call Close.
func New(opts Options) (*Server, error) {
	s := &Server{opts: withDefaults(opts), output: &output{w: opts.LogOutput}, hooks: noHooks(), retryDelays: asyncDelays, initTimeout: initTimeout, answerGrace: answerGrace}
	s.handler, s.operations = s, s.routes()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var err error
	if s.store, err = openStore(opts.DataDir); err != nil {
		s.cancel()
		return nil, err
	}
	if err := s.open(); err != nil {
		s.cancel()
		s.urls.close()
		return nil, errors.Join(err, s.store.close())
	}
	return s, nil
}

func withDefaults(o Options) Options {
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.Account == "" {
		o.Account = "000000000000"
	}
	if o.Concurrency == 0 {
		o.Concurrency = 1000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (s *Server) open() error {
	functions, err := s.store.load()
	if err != nil {
		return err
	}
	s.functions = functions
	if s.layers, err = openLayers(s.store.dir); err != nil {
		return err
	}
	if s.signing, err = openSigning(s.store.dir); err != nil {
		return err
	}
	if err := s.openCalls(); err != nil {
		return err
	}
	if err := s.openServices(); err != nil {
		return err
	}
	scratch := filepath.Join(s.store.dir, "sandboxes")
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		return fmt.Errorf("make sandboxes directory: %w", err)
	}
	if s.host, err = sandbox.Open(s.ctx, scratch); err != nil {
		return err
	}
	if !s.host.MemoryLimited() {
		s.opts.Logger.Warn("memory limits of functions are not enforced: that needs root and a memory cgroup")
	}
	s.fleet = newFleet(s.opts.Logger, s.provisionLater)
	s.background(func() { s.fleet.reap(s.ctx) })
	s.sweepCode()
	if err := s.openURLs(); err != nil {
		return err
	}
	if err := s.openMappings(); err != nil {
		return err
	}
	s.background(func() { s.services.rules.Run(s.ctx.Done()) })
	s.mu.Lock()
	kept := maps.Clone(s.functions) // what settles is changed meanwhile
	s.mu.Unlock()
	for name, f := range kept {
		if f.unsettled() { // the last program ended in the middle of a creation or update
			s.settleLater(name, f.Change)
		}
		s.provisionLater(name)
	}
	return nil
}

// Close ends every sandbox and everything in progress, and releases the data directory. Requests still being served get an error.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		s.workMu.Lock()
		s.closed = true
		s.workMu.Unlock()
		s.cancel()
		s.services.queues.Close()
		s.urls.close()
		s.fleet.close()
		s.work.Wait()
		s.closeErr = errors.Join(s.fleet.wait(), s.host.Close(), s.store.close())
	})
	return s.closeErr
}

// background runs f until it returns, which must be soon after ctx ends. It reports false, and does nothing, when the server is closing.
func (s *Server) background(f func()) bool {
	s.workMu.Lock()
	defer s.workMu.Unlock()
	if s.closed {
		return false
	}
	s.work.Go(f)
	return true
}
