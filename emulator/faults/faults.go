// Package faults lets an emulated AWS go wrong on request: calls are throttled, fail, are slow or are cut off, and functions never get ready. It
// knows nothing of AWS's protocols: who uses it says what a request calls and words the errors.
package faults

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Kind is a way to go wrong.
type Kind string

// The kinds.
const (
	Throttle Kind = "throttle" // refused, in the service's own words for too many requests
	Failure  Kind = "error"    // refused, with a status and a code; 500 and the service's own code without them
	Slow     Kind = "slow"     // answered as ever, but later
	Cut      Kind = "cut"      // the connection ends without an answer
	Pending  Kind = "pending"  // a function's creations and updates do not end; no call is touched
)

// Call is one call of AWS's API, or for Pending the end of one.
type Call struct {
	Service   string // as signatures name it: lambda, s3, ecr, ...
	Operation string // such as CreateFunction
	Function  string // its bare name, of calls of Lambda about a function
	AccessKey string // whose call it is
}

// Fault is one thing that goes wrong. What it says of calls is which of them it is for; what it leaves out fits all.
type Fault struct {
	ID        string `json:"id"` // given by Add
	Service   string `json:"service,omitempty"`
	Operation string `json:"operation,omitempty"`
	Function  string `json:"function,omitempty"`
	AccessKey string `json:"accessKey,omitempty"`

	Kind  Kind `json:"kind"`
	After bool `json:"after,omitempty"` // the call is done first, and its answer lost; not for Slow and Pending
	Skip  int  `json:"skip,omitempty"`  // so many calls that fit pass before it begins
	Count int  `json:"count,omitempty"` // so many calls are struck; 0 is all of them until it is removed

	Status  int      `json:"status,omitempty"`  // of Failure
	Code    string   `json:"code,omitempty"`    // of Failure
	Message string   `json:"message,omitempty"` // of Throttle and Failure
	Delay   Duration `json:"delay,omitempty"`   // of Slow

	Seen   int `json:"seen"`   // calls that fitted
	Struck int `json:"struck"` // of these, those that went wrong

	// Then, if set, is called when the fault has struck a call, before its client hears of it.
	Then func() `json:"-"`
}

// Duration is written as Go writes it: 1.5s, 200ms.
type Duration time.Duration

// MarshalJSON writes a duration.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads a duration.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("read delay %s: want a duration such as \"500ms\"", data)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("read delay: %w", err)
	}
	*d = Duration(parsed)
	return nil
}

// Validate tells what is wrong with a fault.
func (f *Fault) Validate() error {
	refuses := f.Kind == Throttle || f.Kind == Failure
	switch {
	case !slices.Contains([]Kind{Throttle, Failure, Slow, Cut, Pending}, f.Kind):
		return fmt.Errorf("kind %q: want throttle, error, slow, cut or pending", f.Kind)
	case f.Skip < 0 || f.Count < 0:
		return fmt.Errorf("skip %d, count %d: neither can be negative", f.Skip, f.Count)
	case f.After && !refuses && f.Kind != Cut:
		return fmt.Errorf("after has no meaning for kind %s", f.Kind)
	case (f.Status != 0 || f.Code != "") && f.Kind != Failure:
		return fmt.Errorf("status and code have no meaning for kind %s", f.Kind)
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("status %d: want 400 to 599", f.Status)
	case f.Message != "" && !refuses:
		return fmt.Errorf("message has no meaning for kind %s", f.Kind)
	case (f.Kind == Slow) != (f.Delay > 0):
		return fmt.Errorf("delay %s: kind slow needs one above 0, and no other kind has one", time.Duration(f.Delay))
	case f.Kind == Pending && (f.Operation != "" || f.AccessKey != "" || f.Service != "" && f.Service != "lambda"):
		return fmt.Errorf("kind %s is for functions: only function, skip and count say which", Pending)
	}
	return nil
}

func (f *Fault) fits(c Call) bool {
	matches := func(pattern, value string) bool { return pattern == "" || pattern == value }
	return matches(f.Service, c.Service) && matches(f.Operation, c.Operation) && matches(f.Function, c.Function) && matches(f.AccessKey, c.AccessKey)
}

// Set is all that goes wrong. Its methods may be called at the same time; the zero value is ready.
type Set struct {
	mu      sync.Mutex // guards what follows
	last    int
	faults  []*Fault
	changed chan struct{} // closed when a fault is removed
}

// Add lets calls go wrong from now on, and returns the fault's id.
func (s *Set) Add(f Fault) (id string, err error) {
	if err := f.Validate(); err != nil {
		return "", fmt.Errorf("add fault: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	f.ID, f.Seen, f.Struck = strconv.Itoa(s.last), 0, 0
	s.faults = append(s.faults, &f)
	return f.ID, nil
}

// Empty reports whether nothing goes wrong.
func (s *Set) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.faults) == 0
}

// List returns the faults in the order in which they were added, those that have struck as often as they were to among them.
func (s *Set) List() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Fault, len(s.faults))
	for i, f := range s.faults {
		list[i] = *f
	}
	return list
}

// Remove ends a fault, and reports whether there was one of that id. What Pending holds up goes on.
func (s *Set) Remove(id string) bool { return s.remove(func(f *Fault) bool { return f.ID == id }) }

// Clear ends all faults.
func (s *Set) Clear() { s.remove(func(*Fault) bool { return true }) }

func (s *Set) remove(which func(*Fault) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.faults)
	s.faults = slices.DeleteFunc(s.faults, which)
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
	return len(s.faults) < before
}

// strike counts a call, and returns the fault that is for it, nil for none. The first that was added comes first.
func (s *Set) strike(c Call, pending bool) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var struck *Fault
	for _, f := range s.faults {
		if (f.Kind == Pending) != pending || !f.fits(c) {
			continue
		}
		f.Seen++
		if struck == nil && f.Seen > f.Skip && (f.Count == 0 || f.Struck < f.Count) {
			f.Struck++
			struck = f
		}
	}
	if struck == nil {
		return nil
	}
	found := *struck
	return &found
}

// Wait holds up the end of a function's creation or update while a fault of kind Pending is for it, or until ctx ends.
func (s *Set) Wait(ctx context.Context, function string) {
	f := s.strike(Call{Service: "lambda", Function: function}, true)
	for f != nil {
		gone := s.until(f.ID)
		if gone == nil {
			return
		}
		select {
		case <-gone:
		case <-ctx.Done():
			return
		}
	}
}

// until returns what is closed when faults are removed; nil when that one is removed already.
func (s *Set) until(id string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.faults, func(f *Fault) bool { return f.ID == id }) {
		return nil
	}
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

// Refusal is an error that a call is answered with. What is zero is the service's own.
type Refusal struct {
	Throttled bool
	Status    int
	Code      string
	Message   string
}

// Refuse words an error in the protocol of a call.
type Refuse func(w http.ResponseWriter, r *http.Request, c Call, refusal Refusal)

func (f *Fault) refusal() Refusal {
	return Refusal{Throttled: f.Kind == Throttle, Status: f.Status, Code: f.Code, Message: cmp.Or(f.Message, "A fault was asked for.")}
}
