package iam

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// document is a policy (docs.aws.amazon.com/IAM, "IAM JSON policy element reference").
type document struct {
	Version   string
	Statement list[policyStatement]
}

type policyStatement struct {
	Sid                     string
	Effect                  string
	Action, NotAction       list[string]
	Resource, NotResource   list[string]
	Principal, NotPrincipal json.RawMessage
	Condition               map[string]map[string]list[anyText]
}

// list is one of something, or several in an array.
type list[T any] []T

// UnmarshalJSON reads either.
func (l *list[T]) UnmarshalJSON(data []byte) error {
	if strings.HasPrefix(strings.TrimSpace(string(data)), "[") {
		return json.Unmarshal(data, (*[]T)(l))
	}
	var one T
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*l = list[T]{one}
	return nil
}

// anyText is a condition's value: a string, or what JSON has else.
type anyText string

// UnmarshalJSON reads any scalar as text.
func (a *anyText) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		text = string(data)
	}
	*a = anyText(text)
	return nil
}

// parse reads a policy and refuses what is none, or has conditions that are not evaluated here.
func parse(text string) (*document, error) {
	var d document
	malformed := func(message string) error { return wire.Refuse("MalformedPolicyDocument", "%s", message) }
	if json.Unmarshal([]byte(text), &d) != nil {
		return nil, malformed("This policy contains invalid Json")
	}
	if len(d.Statement) == 0 {
		return nil, malformed("Syntax errors in policy.")
	}
	for _, s := range d.Statement {
		if s.Effect != "Allow" && s.Effect != "Deny" || len(s.Action)+len(s.NotAction) == 0 {
			return nil, malformed("Syntax errors in policy.")
		}
		for operator := range s.Condition {
			if operatorOf(operator) == nil {
				return nil, malformed("The embedded AWS does not evaluate conditions with " + operator + ".")
			}
		}
	}
	return &d, nil
}

// action is one that somebody wants to do, on a resource, with what is known of the request.
type action struct {
	name, resource string
	context        map[string][]string // by lower-case key
}

// fits tells whether a statement is about an action. missing are the keys that its conditions ask for and the context lacks.
func (s *policyStatement) fits(a action) (fits bool, missing []string) {
	about := func(patterns list[string], value string, fold bool) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool {
			if fold {
				return glob(strings.ToLower(pattern), strings.ToLower(value))
			}
			return glob(pattern, value)
		})
	}
	if len(s.Action) > 0 && !about(s.Action, a.name, true) || len(s.NotAction) > 0 && about(s.NotAction, a.name, true) {
		return false, nil
	}
	if len(s.Resource) > 0 && !about(s.Resource, a.resource, false) || len(s.NotResource) > 0 && about(s.NotResource, a.resource, false) {
		return false, nil
	}
	fits = true
	for operator, keys := range s.Condition {
		check := operatorOf(operator)
		for key, wanted := range keys {
			have, known := a.context[strings.ToLower(key)]
			if !known && !strings.HasPrefix(operator, "Null") {
				missing = append(missing, key)
			}
			fits = fits && check(have, known, wanted)
		}
	}
	return fits, missing
}

// glob matches a pattern in which * is any text and ? one character.
func glob(pattern, text string) bool {
	star, from, p, i := -1, 0, 0, 0 // the last star, and where what it stands for ends
	for i < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
