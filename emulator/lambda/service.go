package lambda

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

	"github.com/faas-lambda/faas-lambda/emulator/keep"
	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// Options configure Lambda.
type Options struct {
	// Dir holds functions, layers and what belongs to them. It is there, and nobody else uses it.
	Dir string
	// Temporary says that what is in Dir need not survive the machine's end.
	Temporary bool
	// Region and Account of every ARN.
	Region, Account string
	// Address is the one that functions find the API at, besides AWS_ENDPOINT_URL; "" for none.
	Address string
	// API is the AWS that functions reach from inside their sandboxes.
	API http.Handler
	// Concurrency is the account's limit of invocations at a time.
	Concurrency int
	// Services are what Lambda uses of the rest of AWS.
	Services Services
	// Settle, unless nil, is called before a creation or update of the function ends, which waits for it; it returns soon after ctx has ended.
	Settle func(ctx context.Context, function string)
	// Logger gets Lambda's own events; nil discards them.
	Logger *slog.Logger
	// LogOutput gets the functions' log lines, START, END and REPORT included, each with the function's name before it; nil discards them.
	// Writes to it are whole lines, one at a time.
	LogOutput io.Writer
}

// Service is Lambda. Its methods may be called at the same time.
type Service struct {
	opts     Options
	services Services
	store    *store
	host     *sandbox.Host
	fleet    *fleet
	output   *output

	operations map[route]operation

	ctx    context.Context    // the life of everything that goes on without a request; ended by Close
	cancel context.CancelFunc // ends ctx
	work   sync.WaitGroup     // goroutines under ctx
	workMu sync.Mutex         // guards closed, and that nothing is added to work after it
	closed bool

	mu        sync.Mutex // guards functions and what they point to
	functions map[string]*function
	layers    layers
	signing   *keep.Documents[signingConfig] // by ARN
	urls      urls
	mappings  mappings
	events    *keep.Documents[waitingEvent] // by request

	waiting       atomic.Int64 // asynchronous invocations not done yet
	initTimeout   time.Duration
	answerGrace   time.Duration
	retryDelays   []delay // between the attempts of an asynchronous invocation
	beforeMapping func()  // for tests: holds up the end of changes to event source mappings; nil for nothing
}

// Open reads what the directory holds. It fails with an error that wraps sandbox.ErrForbidden where this machine does not allow sandboxes. ctx is
// the life of everything that goes on without a request, none of which begins before Start. The caller must call Close.
func Open(ctx context.Context, opts Options) (*Service, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		opts: opts, services: opts.Services.withDefaults(), output: &output{w: opts.LogOutput}, retryDelays: asyncDelays, initTimeout: initTimeout,
		answerGrace: answerGrace,
	}
	s.operations = s.routes()
	s.ctx, s.cancel = context.WithCancel(ctx)
	if err := s.open(); err != nil {
		s.cancel()
		return nil, err
	}
	return s, nil
}

func (s *Service) open() (err error) {
	if s.store, err = openStore(s.opts.Dir, s.opts.Temporary); err != nil {
		return err
	}
	if s.functions, err = s.store.load(); err != nil {
		return err
	}
	if s.layers, err = openLayers(s.store.dir); err != nil {
		return err
	}
	if s.signing, err = openSigning(s.store.dir); err != nil {
		return err
	}
	if err := s.openMappings(); err != nil {
		return err
	}
	if s.events, err = openWaiting(s.store.dir); err != nil {
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
	return nil
}

// Start begins what goes on without a request: URLs are served, queues are read, and what the last program left in the middle is brought to its
// end. It is called once, when the other services can be reached.
func (s *Service) Start() error {
	s.background(func() { s.fleet.reap(s.ctx) })
	s.sweepCode()
	if err := s.openURLs(); err != nil {
		return err
	}
	s.startMappings()
	s.startWaiting()
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

// Close ends every sandbox and everything in progress. Requests still being served get an error.
func (s *Service) Close() error {
	s.workMu.Lock()
	s.closed = true
	s.workMu.Unlock()
	s.cancel()
	s.urls.close()
	s.fleet.close()
	s.work.Wait()
	return errors.Join(s.fleet.wait(), s.host.Close())
}

// background runs f until it returns, which must be soon after ctx ends. It reports false, and does nothing, when the server is closing.
func (s *Service) background(f func()) bool {
	s.workMu.Lock()
	defer s.workMu.Unlock()
	if s.closed {
		return false
	}
	s.work.Go(f)
	return true
}
