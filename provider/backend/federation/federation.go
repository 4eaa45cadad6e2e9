// Package federation is one backend made of several: any mix of AWS accounts
// and regions, other OpenFaaS providers and memory, each a child with a name. A
// function is where its deployment says, in an annotation or a constraint, or
// where the configuration's rules put it. Where functions are is known from
// listing the children now and then and from the deployments made here; an
// invocation asks nobody.
package federation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/replay"
)

// Child is one of the backends that a federation is made of.
type Child struct {
	Name    string
	Backend backend.Backend
	// Namespaces and Constraints are patterns as of path.Match: functions in
	// such a namespace, or with such a constraint, belong to the child when no
	// rule says otherwise.
	Namespaces, Constraints []string
	// LongestRun is how long an invocation may last there, 0 without a limit.
	// A function that says it runs longer is deployed to its second place.
	LongestRun time.Duration
}

// Options configure a federation. Children and Default are required.
type Options struct {
	Name      string // by which a federation around this one knows it; may be empty
	Namespace string // the default namespace; empty means openfaas-fn
	Children  []Child
	Default   string // name of the child for what nothing else puts anywhere
	Rules     []Rule // the first that fits counts

	ListTimeout   time.Duration // how long a child may take to list; 0 is 2 s
	Refresh       time.Duration // how often children are listed; 0 is 10 s
	CheckInterval time.Duration // how often children are checked; 0 is 2 s
	Failures      int           // unreachable invocations in a row after which a child counts as down; 0 is 5
	Drain         time.Duration // how long a function that moves waits for invocations at its old place; 0 is 30 s
	MoveTimeout   time.Duration // after which an interrupted move is undone whose new place is not ready; 0 is 10 min
	BudgetPoll    time.Duration // how often consumption is asked for; 0 is 1 min
	ReplayBytes   int           // of a request body, remembered for a second place; 0 is 8 MiB
	ReplayMemory  int64         // for all request bodies together; 0 is 256 MiB
	Secrets       SecretsMode   // where secrets are kept; empty means everywhere

	Metrics prometheus.Registerer // may be nil
	Logger  *slog.Logger          // nil discards
}

// Backend is the functions of all children. Open makes one.
type Backend struct {
	opts     Options
	children []*child
	byName   map[string]*child
	fallback *child
	index    *index
	changing changing
	replays  *replay.Budget
	metrics  *metrics
	log      *slog.Logger
	now      func() time.Time

	missed struct {
		sync.Mutex // guards at
		at         time.Time
	}

	// reached is called between the steps of a change; an error ends the change
	// there and then, as a crash would. It is for tests.
	reached func(step string) error

	close      context.CancelFunc
	background sync.WaitGroup
}

var (
	_ backend.Backend         = (*Backend)(nil)
	_ backend.Scaler          = (*Backend)(nil)
	_ backend.Namespacer      = (*Backend)(nil)
	_ backend.NamespaceKeeper = (*Backend)(nil)
	_ backend.SecretKeeper    = (*Backend)(nil)
	_ backend.Logger          = (*Backend)(nil)
	_ backend.Meter           = (*Backend)(nil)
	_ backend.Accountant      = (*Backend)(nil)
	_ backend.Describer       = (*Backend)(nil)
	_ backend.Checker         = (*Backend)(nil)
	_ backend.Completer       = (*Backend)(nil)
	_ backend.Composer        = (*Backend)(nil)
)

// Open returns a federation that knows the functions of all children which
// answer within Options.ListTimeout. Its background work ends with ctx or Close,
// which leaves the children open.
func Open(ctx context.Context, o Options) (*Backend, error) {
	return open(ctx, o, nil)
}

// open is Open with something to change before anything runs.
func open(ctx context.Context, o Options, change func(*Backend)) (*Backend, error) {
	o.defaults()
	b := &Backend{opts: o, byName: map[string]*child{}, changing: changing{names: map[backend.Name]bool{}}, replays: replay.NewBudget(o.ReplayMemory), log: o.Logger, now: time.Now}
	b.reached = func(string) error { return nil }
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if b.metrics, err = newMetrics(o.Metrics); err != nil {
		return nil, fmt.Errorf("register metrics of the federation: %w", err)
	}
	if err := b.adopt(o); err != nil {
		return nil, err
	}
	b.index = newIndex(b)
	if change != nil {
		change(b)
	}
	ctx, b.close = context.WithCancel(ctx)
	var first sync.WaitGroup
	for _, c := range b.children {
		first.Go(func() { b.look(ctx, c, true) })
	}
	first.Wait()
	for _, c := range b.children {
		b.background.Go(func() { b.watch(ctx, c) })
	}
	b.background.Go(func() { b.watchBudgets(ctx) })
	return b, nil
}

// adopt takes over the children and checks what names them.
func (b *Backend) adopt(o Options) error {
	var errs []error
	for i, from := range o.Children {
		c := newChild(from, i, b.metrics)
		switch {
		case from.Name == "" || from.Backend == nil:
			errs = append(errs, fmt.Errorf("child %d: want a name and a backend", i+1))
		case b.byName[from.Name] != nil:
			errs = append(errs, fmt.Errorf("child %q is there twice", from.Name))
		default:
			b.byName[from.Name] = c
			b.children = append(b.children, c)
		}
	}
	if b.fallback = b.byName[o.Default]; b.fallback == nil {
		errs = append(errs, fmt.Errorf("default %q is no child", o.Default))
	}
	for i, rule := range o.Rules {
		if b.byName[rule.To] == nil {
			errs = append(errs, fmt.Errorf("rule %d: %q is no child", i+1, rule.To))
		}
		errs = append(errs, rule.check(i+1))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("open federation: %w", err)
	}
	return nil
}

func (o *Options) defaults() {
	if o.Namespace == "" {
		o.Namespace = "openfaas-fn"
	}
	for value, fallback := range map[*time.Duration]time.Duration{
		&o.ListTimeout: 2 * time.Second, &o.Refresh: 10 * time.Second, &o.CheckInterval: 2 * time.Second,
		&o.Drain: 30 * time.Second, &o.MoveTimeout: 10 * time.Minute, &o.BudgetPoll: time.Minute,
	} {
		if *value <= 0 {
			*value = fallback
		}
	}
	if o.Failures <= 0 {
		o.Failures = 5
	}
	if o.ReplayBytes <= 0 {
		o.ReplayBytes = 8 << 20
	}
	if o.ReplayMemory <= 0 {
		o.ReplayMemory = 256 << 20
	}
}

// Close ends the background work.
func (b *Backend) Close() error {
	b.close()
	b.background.Wait()
	return nil
}

// Orchestration implements backend.Describer.
func (*Backend) Orchestration() string { return "federation" }

// Check implements backend.Checker: something can be invoked as long as one of
// the children is there.
func (b *Backend) Check(context.Context) error {
	var errs []error
	for _, c := range b.children {
		err := c.down()
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Parts implements backend.Composer.
func (b *Backend) Parts() []backend.Part {
	counts := b.index.counts()
	parts := make([]backend.Part, len(b.children))
	for i, c := range b.children {
		parts[i] = backend.Part{Name: c.name, Orchestration: c.orchestration(), State: "up", Functions: counts[c]}
		if err := c.down(); err != nil {
			parts[i].State = err.Error()
		}
	}
	return parts
}
