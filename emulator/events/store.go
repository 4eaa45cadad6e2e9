// Package events is the rules of the embedded AWS: EventBridge over AWS JSON 1.1, with the default bus, schedules that fire and patterns of the events
// that are put. Rules outlive the program; what would have fired while it was not running does not fire later.
package events

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/filter"
	"github.com/faas-lambda/faas-lambda/emulator/keep"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// Options of a store.
type Options struct {
	Dir             string // where rules are kept
	Account, Region string
	Clock           Clock // nil: that of the machine
	// Deliver gives an event to a target. An error means that it was not taken: the event goes to the target's dead letters.
	Deliver func(d Delivery) error
}

// Clock tells the time to schedules.
type Clock interface {
	Now() time.Time
	// Until returns a channel that gets something at a time, or at once where it has passed.
	Until(t time.Time) <-chan time.Time
}

type machine struct{}

func (machine) Now() time.Time                     { return time.Now() }
func (machine) Until(t time.Time) <-chan time.Time { return time.After(time.Until(t)) }

// Delivery is one event for one target.
type Delivery struct {
	Rule    string // ARN
	Target  string // ARN
	Payload []byte
}

// Store is the rules of an account. Its methods may be called at the same time.
type Store struct {
	opts Options

	mu      sync.Mutex // guards what follows, and the file
	rules   map[string]*rule
	changed chan struct{} // closed and replaced when a schedule has changed
}

// rule is one, as it is kept. It is replaced, never changed in place.
type rule struct {
	Name               string
	Created            time.Time
	ScheduleExpression string `json:",omitempty"`
	EventPattern       string `json:",omitempty"`
	Description        string `json:",omitempty"`
	RoleArn            string `json:",omitempty"`
	State              string
	Targets            []target `json:",omitempty"`
	Tags               []tag    `json:",omitempty"`

	schedule schedule
	pattern  *filter.Pattern
	due      time.Time // zero: never
}

// States of a rule.
const (
	enabled  = "ENABLED"
	disabled = "DISABLED"
)

// Open reads what the directory holds. Nothing fires before Run.
func Open(opts Options) (*Store, error) {
	if opts.Clock == nil {
		opts.Clock = machine{}
	}
	s := &Store{opts: opts, rules: map[string]*rule{}, changed: make(chan struct{})}
	if err := keep.Load(s.path(), &s.rules); err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	for _, r := range s.rules {
		if err := r.parse(opts.Clock.Now()); err != nil {
			return nil, fmt.Errorf("read rule %s: %w", r.Name, err)
		}
	}
	return s, nil
}

func (s *Store) path() string { return filepath.Join(s.opts.Dir, "rules.json") }

// parse reads the expressions of a rule, and when it is to fire.
func (r *rule) parse(now time.Time) (err error) {
	r.schedule, r.pattern, r.due = nil, nil, time.Time{}
	if r.EventPattern != "" {
		if r.pattern, err = filter.Parse([]byte(r.EventPattern)); err != nil {
			return wire.Refuse("InvalidEventPatternException", "Event pattern is not valid. Reason: %v", err)
		}
	}
	if r.ScheduleExpression == "" {
		return nil
	}
	if r.schedule, err = parseSchedule(r.ScheduleExpression); err != nil {
		return wire.Refuse("ValidationException", "Parameter ScheduleExpression is not valid.")
	}
	if r.State == enabled {
		r.due = r.schedule.next(r.Created, now)
	}
	return nil
}

// put replaces a rule, nil for none. The caller holds mu.
func (s *Store) put(name string, r *rule) error {
	rules := maps.Clone(s.rules)
	rules[name] = r
	if r == nil {
		delete(rules, name)
	}
	if err := keep.Save(s.path(), rules); err != nil {
		return err
	}
	s.rules = rules
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// edit changes a copy of a rule.
func (s *Store) edit(name, bus string, change func(r *rule) error) error {
	if err := s.onlyDefault(bus); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.rules[name]
	if old == nil {
		return noRule(name)
	}
	r := *old
	r.Targets, r.Tags = slices.Clone(old.Targets), slices.Clone(old.Tags)
	if err := change(&r); err != nil {
		return err
	}
	return s.put(name, &r)
}

func noRule(name string) error {
	return wire.Refuse("ResourceNotFoundException", "Rule %s does not exist on EventBus default.", name)
}

// onlyDefault refuses other buses than the default one.
func (s *Store) onlyDefault(bus string) error {
	if bus == "" || bus == "default" || bus == s.arn("event-bus/default") {
		return nil
	}
	return wire.Refuse("ResourceNotFoundException", "Event bus %s does not exist.", bus)
}

func (s *Store) arn(resource string) string {
	return "arn:aws:events:" + s.opts.Region + ":" + s.opts.Account + ":" + resource
}

func (r *rule) arn(s *Store) string { return s.arn("rule/" + r.Name) }

// Run fires schedules until done is closed.
func (s *Store) Run(done <-chan struct{}) {
	for {
		fire, next, changed := s.fall()
		for _, r := range fire {
			s.deliver(r, s.event(event{Source: "aws.events", DetailType: "Scheduled Event", Resources: []string{r.arn(s)}, Detail: []byte("{}")}))
		}
		var at <-chan time.Time
		if !next.IsZero() {
			at = s.opts.Clock.Until(next)
		}
		select {
		case <-at:
		case <-changed:
		case <-done:
			return
		}
	}
}

// fall returns the rules that are due now, and the time at which another is.
func (s *Store) fall() (fire []*rule, next time.Time, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opts.Clock.Now()
	rules := maps.Clone(s.rules)
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		r := rules[name]
		if !r.due.IsZero() && !r.due.After(now) {
			again := *r
			again.due = r.schedule.next(r.Created, now)
			fire, rules[name] = append(fire, &again), &again
			r = &again
		}
		if !r.due.IsZero() && (next.IsZero() || r.due.Before(next)) {
			next = r.due
		}
	}
	s.rules = rules
	return fire, next, s.changed
}

// API answers the operations of EventBridge.
func (s *Store) API() http.Handler {
	service := wire.NewService("")
	wire.Handle(service, "PutRule", s.putRule)
	wire.Handle(service, "DescribeRule", s.describeRule)
	wire.Handle(service, "ListRules", s.listRules)
	wire.Handle(service, "EnableRule", s.enableRule)
	wire.Handle(service, "DisableRule", s.disableRule)
	wire.Handle(service, "DeleteRule", s.deleteRule)
	wire.Handle(service, "PutTargets", s.putTargets)
	wire.Handle(service, "RemoveTargets", s.removeTargets)
	wire.Handle(service, "ListTargetsByRule", s.listTargets)
	wire.Handle(service, "ListRuleNamesByTarget", s.listByTarget)
	wire.Handle(service, "PutEvents", s.putEvents)
	wire.Handle(service, "TagResource", s.tagResource)
	wire.Handle(service, "UntagResource", s.untagResource)
	wire.Handle(service, "ListTagsForResource", s.listTags)
	return service
}
