package emulator

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"

	"github.com/faas-lambda/faas-lambda/emulator/events"
	"github.com/faas-lambda/faas-lambda/emulator/faults"
	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// Options configure an emulator. The zero value works.
type Options struct {
	// DataDir holds everything across restarts; one emulator at a time may use it. Empty means a temporary directory that Close removes.
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
	dir      *directory
	services services
	faults   faults.Set

	ctx    context.Context    // the life of everything that goes on without a request; ended by Close
	cancel context.CancelFunc // ends ctx
	work   sync.WaitGroup     // goroutines under ctx

	closeOnce sync.Once
	closeErr  error
}

// Init must be the first statement of main (and TestMain) of every program that embeds the emulator: sandboxes are started by executing the
// program again, and in such a child Init never returns. Otherwise it does nothing.
func Init() { sandbox.Init() }

// New opens the emulator with what its data directory holds. It fails with an error that wraps sandbox.ErrForbidden where this machine does
// not allow sandboxes. The caller must call Close.
func New(opts Options) (*Server, error) {
	s := &Server{opts: withDefaults(opts)}
	var err error
	if s.dir, err = openDirectory(opts.DataDir); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.open(); err != nil {
		s.cancel()
		return nil, errors.Join(err, s.dir.close())
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
	if err := s.openServices(); err != nil {
		return err
	}
	if err := s.services.lambda.Start(); err != nil {
		return errors.Join(err, s.services.lambda.Close())
	}
	s.work.Go(func() { s.services.rules.Run(s.ctx.Done()) })
	return nil
}

// Close ends every sandbox and everything in progress, and releases the data directory. Requests still being served get an error.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		s.cancel()
		s.services.queues.Close()
		err := s.services.lambda.Close()
		s.work.Wait()
		s.closeErr = errors.Join(err, s.dir.close())
	})
	return s.closeErr
}

// ServeHTTP answers one AWS API request, of any of the services, or lets it go wrong where a fault is asked for. Signatures are not verified.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if faults.IsAdmin(r) {
		s.faults.Admin().ServeHTTP(w, r)
		return
	}
	service := serviceOf(r)
	if s.faults.Empty() {
		s.dispatch(w, r, service)
		return
	}
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.dispatch(w, r, service) })
	s.faults.Serve(w, r, s.CallOf(r), next, refuse)
}
