package iam

import (
	"slices"
	"strings"
)

// operator tells whether what a request has of a key is what a condition wants.
type operator func(have []string, known bool, wanted []anyText) bool

// operatorOf returns a condition operator; nil for one that is not evaluated here.
func operatorOf(name string) operator {
	name, every := strings.CutPrefix(name, "ForAllValues:")
	name, _ = strings.CutPrefix(name, "ForAnyValue:")
	name, ifExists := strings.CutSuffix(name, "IfExists")
	if name == "Null" {
		return func(_ []string, known bool, wanted []anyText) bool {
			return slices.Contains(wanted, "true") && !known || slices.Contains(wanted, "false") && known
		}
	}
	name, negated := strings.CutPrefix(strings.Replace(name, "Not", "!", 1), "!")
	if before, after, found := strings.Cut(name, "!"); found {
		name, negated = before+after, true
	}
	equal := map[string]func(wanted, have string) bool{
		"StringEquals":           func(wanted, have string) bool { return wanted == have },
		"StringEqualsIgnoreCase": strings.EqualFold,
		"Bool":                   strings.EqualFold,
		"StringLike":             glob,
		"ArnEquals":              glob,
		"ArnLike":                glob,
	}[name]
	if equal == nil {
		return nil
	}
	return func(have []string, known bool, wanted []anyText) bool {
		if !known {
			return ifExists || negated || every
		}
		one := func(value string) bool {
			return slices.ContainsFunc(wanted, func(w anyText) bool { return equal(string(w), value) }) != negated
		}
		if every || negated {
			return !slices.ContainsFunc(have, func(v string) bool { return !one(v) })
		}
		return slices.ContainsFunc(have, one)
	}
}
