package events

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// target is what gets a rule's events.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
type target struct {
	Id, Arn          string
	RoleArn          string                `json:",omitempty"`
	Input            string                `json:",omitempty"` // in place of the event
	InputPath        string                `json:",omitempty"` // of the part of the event
	InputTransformer json.RawMessage       `json:",omitempty"`
	RetryPolicy      json.RawMessage       `json:",omitempty"` // kept, without effect
	DeadLetterConfig *struct{ Arn string } `json:",omitempty"`
}

// maxTargets is how many a rule has.
const maxTargets = 5

type failedTarget struct{ TargetId, ErrorCode, ErrorMessage string }

type targetsChanged struct {
	FailedEntryCount int
	FailedEntries    []failedTarget
}

func (s *Store) putTargets(_ context.Context, in *struct {
	Rule, EventBusName string
	Targets            []target
}) (targetsChanged, error) {
	for _, t := range in.Targets {
		if err := t.check(); err != nil {
			return targetsChanged{}, err
		}
	}
	err := s.edit(in.Rule, in.EventBusName, func(r *rule) error {
		for _, t := range in.Targets {
			r.Targets = slices.DeleteFunc(r.Targets, func(o target) bool { return o.Id == t.Id })
			r.Targets = append(r.Targets, t)
		}
		if len(r.Targets) > maxTargets {
			return wire.Refuse("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
		}
		return nil
	})
	return targetsChanged{FailedEntries: []failedTarget{}}, err
}

func (t target) check() error {
	switch {
	case !nameForm.MatchString(t.Id):
		return wire.Refuse("ValidationException", "Value '%s' at 'targets.1.member.id' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+", t.Id)
	case !strings.HasPrefix(t.Arn, "arn:"):
		return wire.Refuse("ValidationException", "Parameter %s is not valid. Reason: Provided Arn is not in correct format.", t.Arn)
	case t.Input != "" && !json.Valid([]byte(t.Input)):
		return wire.Refuse("ValidationException", "JSON syntax error in Input for target %s.", t.Id)
	case t.Input != "" && t.InputPath != "":
		return wire.Refuse("ValidationException", "Only one of Input, InputPath, or InputTransformer must be provided for target %s.", t.Id)
	case t.InputTransformer != nil:
		return wire.Refuse("ValidationException", "The embedded AWS has no InputTransformer, which target %s asks for.", t.Id)
	case t.InputPath != "" && t.InputPath != "$" && !strings.HasPrefix(t.InputPath, "$."):
		return wire.Refuse("ValidationException", "Invalid InputPath for target %s.", t.Id)
	}
	return nil
}

func (s *Store) removeTargets(_ context.Context, in *struct {
	Rule, EventBusName string
	Ids                []string
}) (targetsChanged, error) {
	err := s.edit(in.Rule, in.EventBusName, func(r *rule) error {
		r.Targets = slices.DeleteFunc(r.Targets, func(t target) bool { return slices.Contains(in.Ids, t.Id) })
		return nil
	})
	return targetsChanged{FailedEntries: []failedTarget{}}, err
}

type targetsAnswer struct{ Targets []target }

func (s *Store) listTargets(_ context.Context, in *struct{ Rule, EventBusName string }) (targetsAnswer, error) {
	r, err := s.find(in.Rule, in.EventBusName)
	if err != nil {
		return targetsAnswer{}, err
	}
	return targetsAnswer{append([]target{}, r.Targets...)}, nil
}

type namesAnswer struct{ RuleNames []string }

func (s *Store) listByTarget(_ context.Context, in *struct{ TargetArn, EventBusName string }) (namesAnswer, error) {
	out := namesAnswer{RuleNames: []string{}}
	if err := s.onlyDefault(in.EventBusName); err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.rules)) {
		if slices.ContainsFunc(s.rules[name].Targets, func(t target) bool { return t.Arn == in.TargetArn }) {
			out.RuleNames = append(out.RuleNames, name)
		}
	}
	return out, nil
}

// event is one as it is put.
type event struct {
	Source, DetailType string
	Resources          []string
	Time               time.Time // zero: now
	Detail             json.RawMessage
	id                 string // "": a new one
}

// event is one as targets get it.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
func (s *Store) event(e event) []byte {
	if e.Time.IsZero() {
		e.Time = s.opts.Clock.Now()
	}
	if e.id == "" {
		e.id = wire.NewID()
	}
	data, err := json.Marshal(struct {
		Version    string          `json:"version"`
		ID         string          `json:"id"`
		DetailType string          `json:"detail-type"`
		Source     string          `json:"source"`
		Account    string          `json:"account"`
		Time       string          `json:"time"`
		Region     string          `json:"region"`
		Resources  []string        `json:"resources"`
		Detail     json.RawMessage `json:"detail"`
	}{"0", e.id, e.DetailType, e.Source, s.opts.Account, e.Time.UTC().Format(time.RFC3339), s.opts.Region, append([]string{}, e.Resources...), e.Detail})
	if err != nil {
		return nil // the detail is JSON
	}
	return data
}

// deliver gives an event to the targets of a rule.
func (s *Store) deliver(r *rule, event []byte) {
	for _, t := range r.Targets {
		payload := t.input(event)
		if s.opts.Deliver(Delivery{r.arn(s), t.Arn, payload}) != nil && t.DeadLetterConfig != nil {
			_ = s.opts.Deliver(Delivery{r.arn(s), t.DeadLetterConfig.Arn, event}) // it is lost, as on AWS
		}
	}
}

// input is what a target gets of an event; a part that is not there is null.
func (t target) input(event []byte) []byte {
	if t.Input != "" {
		return []byte(t.Input)
	}
	path := strings.TrimPrefix(strings.TrimPrefix(t.InputPath, "$"), ".")
	if path == "" {
		return event
	}
	var value any
	if json.Unmarshal(event, &value) != nil {
		return event // it is JSON
	}
	for part := range strings.SplitSeq(path, ".") {
		members, _ := value.(map[string]any)
		value = members[part]
	}
	data, err := json.Marshal(value)
	if err != nil {
		return event // it was read from JSON
	}
	return data
}

type putEntry struct {
	Source, DetailType, Detail, EventBusName string
	Resources                                []string
	Time                                     *wire.Time
}

type putResult struct {
	EventId, ErrorCode, ErrorMessage string `json:",omitempty"`
}

type putAnswer struct {
	FailedEntryCount int
	Entries          []putResult
}

func (s *Store) putEvents(_ context.Context, in *struct{ Entries []putEntry }) (putAnswer, error) {
	if n := len(in.Entries); n < 1 || n > 10 {
		return putAnswer{}, wire.Refuse("ValidationException", "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length between 1 and 10, not %d", n)
	}
	var out putAnswer
	for _, e := range in.Entries {
		result := s.put1(e)
		if result.ErrorCode != "" {
			out.FailedEntryCount++
		}
		out.Entries = append(out.Entries, result)
	}
	return out, nil
}

// put1 gives an event to the rules whose patterns it fits.
func (s *Store) put1(e putEntry) putResult {
	var detail map[string]json.RawMessage
	switch {
	case s.onlyDefault(e.EventBusName) != nil:
		return putResult{EventId: wire.NewID()} // AWS takes what is for no bus, and drops it
	case e.Source == "" || e.DetailType == "" || e.Detail == "":
		return putResult{ErrorCode: "InvalidArgument", ErrorMessage: "Parameter Source, DetailType and Detail are required."}
	case json.Unmarshal([]byte(e.Detail), &detail) != nil:
		return putResult{ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed."}
	}
	id := wire.NewID()
	one := event{Source: e.Source, DetailType: e.DetailType, Resources: e.Resources, Detail: json.RawMessage(e.Detail), id: id}
	if e.Time != nil {
		one.Time = e.Time.Time
	}
	data := s.event(one)
	s.mu.Lock()
	rules := s.rules
	s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		if r := rules[name]; r.State == enabled && r.pattern != nil && r.pattern.MatchJSON(data) {
			s.deliver(r, data)
		}
	}
	return putResult{EventId: id}
}

// Put gives an event to the rules whose patterns it fits. Detail is a JSON object.
func (s *Store) Put(source, detailType string, resources []string, detail []byte) {
	s.put1(putEntry{Source: source, DetailType: detailType, Resources: resources, Detail: string(detail)})
}
