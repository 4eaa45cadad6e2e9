package events

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// none is the answer of what has nothing to say.
type none struct{}

type tag struct{ Key, Value string }

// ruleName names a rule in a request.
type ruleName struct{ Name, EventBusName string }

var nameForm = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

type ruleARN struct{ RuleArn string }

func (s *Store) putRule(_ context.Context, in *struct {
	ruleName
	ScheduleExpression, EventPattern, State, Description, RoleArn string
	Tags                                                          []tag
}) (out ruleARN, err error) {
	switch {
	case !nameForm.MatchString(in.Name):
		return out, wire.Refuse("ValidationException", "1 validation error detected: Value '%s' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+", in.Name)
	case in.ScheduleExpression == "" && in.EventPattern == "":
		return out, wire.Refuse("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
	case in.State != "" && in.State != enabled && in.State != disabled:
		return out, wire.Refuse("ValidationException", "1 validation error detected: Value '%s' at 'state' failed to satisfy constraint: Member must satisfy enum value set: [ENABLED, DISABLED]", in.State)
	}
	if err := s.onlyDefault(in.EventBusName); err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opts.Clock.Now()
	r := rule{Name: in.Name, Created: now, Tags: in.Tags}
	if old := s.rules[in.Name]; old != nil {
		r.Targets, r.Tags = old.Targets, old.Tags
	}
	r.ScheduleExpression, r.EventPattern, r.Description, r.RoleArn = in.ScheduleExpression, in.EventPattern, in.Description, in.RoleArn
	if r.State = in.State; r.State == "" {
		r.State = enabled
	}
	if err := r.parse(now); err != nil {
		return out, err
	}
	return ruleARN{r.arn(s)}, s.put(r.Name, &r)
}

// described is a rule as it is told of.
type described struct {
	Name, Arn, EventBusName, State                         string
	ScheduleExpression, EventPattern, Description, RoleArn string `json:",omitempty"`
}

func (s *Store) describe(r *rule) described {
	return described{
		Name: r.Name, Arn: r.arn(s), EventBusName: "default", State: r.State,
		ScheduleExpression: r.ScheduleExpression, EventPattern: r.EventPattern, Description: r.Description, RoleArn: r.RoleArn,
	}
}

// find returns a rule.
func (s *Store) find(name, bus string) (*rule, error) {
	if err := s.onlyDefault(bus); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rules[name]; r != nil {
		return r, nil
	}
	return nil, noRule(name)
}

func (s *Store) describeRule(_ context.Context, in *ruleName) (described, error) {
	r, err := s.find(in.Name, in.EventBusName)
	if err != nil {
		return described{}, err
	}
	return s.describe(r), nil
}

type rulesAnswer struct {
	Rules     []described
	NextToken string `json:",omitempty"`
}

// maxListed is how many rules or targets one answer lists.
const maxListed = 100

func limited(limit int) int {
	if limit < 1 || limit > maxListed {
		return maxListed
	}
	return limit
}

func (s *Store) listRules(_ context.Context, in *struct {
	NamePrefix, EventBusName, NextToken string
	Limit                               int
}) (rulesAnswer, error) {
	out := rulesAnswer{Rules: []described{}}
	if err := s.onlyDefault(in.EventBusName); err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.rules)) {
		if name < in.NextToken || !strings.HasPrefix(name, in.NamePrefix) {
			continue
		}
		if len(out.Rules) == limited(in.Limit) {
			out.NextToken = name
			break
		}
		out.Rules = append(out.Rules, s.describe(s.rules[name]))
	}
	return out, nil
}

func (s *Store) enableRule(_ context.Context, in *ruleName) (none, error) {
	return none{}, s.switchTo(*in, enabled)
}

func (s *Store) disableRule(_ context.Context, in *ruleName) (none, error) {
	return none{}, s.switchTo(*in, disabled)
}

func (s *Store) switchTo(in ruleName, state string) error {
	return s.edit(in.Name, in.EventBusName, func(r *rule) error {
		r.State = state
		return r.parse(s.opts.Clock.Now())
	})
}

// deleteRule does not mind a rule that is not there (AWS).
func (s *Store) deleteRule(_ context.Context, in *ruleName) (none, error) {
	if err := s.onlyDefault(in.EventBusName); err != nil {
		return none{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r := s.rules[in.Name]; {
	case r == nil:
		return none{}, nil
	case len(r.Targets) > 0:
		return none{}, wire.Refuse("ValidationException", "Rule can't be deleted since it has targets.")
	}
	return none{}, s.put(in.Name, nil)
}

// tagged runs what is to be done with the tags of the rule that an ARN names.
func (s *Store) tagged(arn string, change func(tags []tag) []tag) error {
	name, ok := strings.CutPrefix(arn, s.arn("rule/"))
	if !ok {
		return wire.Refuse("ResourceNotFoundException", "Resource %s does not exist.", arn)
	}
	return s.edit(name, "", func(r *rule) error {
		r.Tags = change(r.Tags)
		return nil
	})
}

func (s *Store) tagResource(_ context.Context, in *struct {
	ResourceARN string
	Tags        []tag
}) (none, error) {
	return none{}, s.tagged(in.ResourceARN, func(tags []tag) []tag {
		for _, t := range in.Tags {
			tags = slices.DeleteFunc(tags, func(o tag) bool { return o.Key == t.Key })
		}
		return append(tags, in.Tags...)
	})
}

func (s *Store) untagResource(_ context.Context, in *struct {
	ResourceARN string
	TagKeys     []string
}) (none, error) {
	return none{}, s.tagged(in.ResourceARN, func(tags []tag) []tag {
		return slices.DeleteFunc(tags, func(o tag) bool { return slices.Contains(in.TagKeys, o.Key) })
	})
}

type tagsAnswer struct{ Tags []tag }

func (s *Store) listTags(_ context.Context, in *struct{ ResourceARN string }) (tagsAnswer, error) {
	r, err := s.find(strings.TrimPrefix(in.ResourceARN, s.arn("rule/")), "")
	if err != nil {
		return tagsAnswer{}, err
	}
	return tagsAnswer{append([]tag{}, r.Tags...)}, nil
}
