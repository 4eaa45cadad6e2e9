// Package filter matches JSON against the patterns of EventBridge, which event source mappings and, with other names for the same things, SNS's
// filter policies use too: objects whose leaves are lists of what a value may be.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Pattern is a parsed pattern. It may be used by several goroutines at a time.
type Pattern struct{ root object }

// object is one level of a pattern: each of its members has to fit, and one of each list of alternatives.
type object struct {
	members map[string]node
	either  []object // of $or; empty for none
}

// node is what stands at a member: an object or a list of rules.
type node struct {
	inside *object
	rules  []rule
}

// rule tells whether a value fits. present is false where there is none.
type rule func(value any, present bool) bool

// maxDepth of nested objects.
const maxDepth = 32

// Parse reads a pattern. The error says what is wrong with it.
func Parse(text []byte) (*Pattern, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, fmt.Errorf("filter is no JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("filter is more than one JSON value")
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("filter is not an object")
	}
	root, err := parseObject(members, 0)
	if err != nil {
		return nil, err
	}
	return &Pattern{root: root}, nil
}

func parseObject(members map[string]any, depth int) (object, error) {
	o := object{members: map[string]node{}}
	if depth > maxDepth {
		return o, errors.New("filter is nested too deep")
	}
	for name, value := range members {
		switch v := value.(type) {
		case map[string]any:
			inside, err := parseObject(v, depth+1)
			if err != nil {
				return o, err
			}
			o.members[name] = node{inside: &inside}
		case []any:
			if name == "$or" {
				either, err := parseEither(v, depth)
				if err != nil {
					return o, err
				}
				o.either = either
				continue
			}
			rules, err := parseRules(v)
			if err != nil {
				return o, fmt.Errorf("%s: %w", name, err)
			}
			o.members[name] = node{rules: rules}
		default:
			return o, fmt.Errorf("%s must be an object or an array", name)
		}
	}
	return o, nil
}

func parseEither(list []any, depth int) ([]object, error) {
	var either []object
	for _, one := range list {
		members, ok := one.(map[string]any)
		if !ok {
			return nil, errors.New("$or must hold objects")
		}
		o, err := parseObject(members, depth+1)
		if err != nil {
			return nil, err
		}
		either = append(either, o)
	}
	if len(either) == 0 {
		return nil, errors.New("$or must not be empty")
	}
	return either, nil
}

// Match tells whether a decoded JSON value fits.
func (p *Pattern) Match(value any) bool { return p.root.match(value) }

// MatchJSON tells whether JSON fits; what is none does not.
func (p *Pattern) MatchJSON(text []byte) bool {
	var value any
	return json.Unmarshal(text, &value) == nil && p.Match(value)
}

func (o object) match(value any) bool {
	members, ok := value.(map[string]any)
	if !ok {
		return false
	}
	for name, n := range o.members {
		inside, present := members[name]
		if !n.match(inside, present) {
			return false
		}
	}
	if len(o.either) == 0 {
		return true
	}
	for _, one := range o.either {
		if one.match(value) {
			return true
		}
	}
	return false
}

func (n node) match(value any, present bool) bool {
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	if n.inside != nil {
		for _, one := range list {
			if _, ok := one.(map[string]any); !ok {
				one = map[string]any{} // where nothing is, rules that want nothing still fit
			}
			if n.inside.match(one) {
				return true
			}
		}
		return false
	}
	for _, fits := range n.rules {
		if isList && len(list) == 0 && fits(nil, present) {
			return true
		}
		for _, one := range list {
			if fits(one, present) {
				return true
			}
		}
	}
	return false
}
