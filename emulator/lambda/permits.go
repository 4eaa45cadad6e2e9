package lambda

import (
	"regexp"
	"slices"
	"strings"
)

// asking is who wants to invoke a function, and how.
type asking struct {
	action  string
	service string            // principal of a service; empty for everybody
	context map[string]string // keys of conditions
}

// permits tells whether a statement allows what is asked for. p may be nil.
func (p *policy) permits(ask asking) bool {
	if p == nil {
		return false
	}
	return slices.ContainsFunc(p.Statements, func(s statement) bool {
		return (s.Action == ask.action || s.Action == "*" || s.Action == "lambda:*") && s.names(ask.service) && s.applies(ask.context)
	})
}

func (s statement) names(service string) bool {
	if s.Principal == "*" {
		return true
	}
	switch who := s.Principal.(type) {
	case map[string]string:
		return service != "" && who["Service"] == service
	case map[string]any: // as it was read from disk
		return service != "" && who["Service"] == service
	}
	return false
}

// applies tells whether the conditions, of which there are only those that AddPermission makes, hold.
func (s statement) applies(context map[string]string) bool {
	for operator, keys := range s.Condition {
		for key, want := range keys {
			got, ok := context[strings.ToLower(key)]
			if !ok || operator == "ArnLike" && !like(got, want) || operator != "ArnLike" && got != want {
				return false
			}
		}
	}
	return true
}

// like compares with a pattern of * and ?.
func like(text, pattern string) bool {
	quoted := regexp.QuoteMeta(pattern)
	quoted = strings.ReplaceAll(strings.ReplaceAll(quoted, `\*`, ".*"), `\?`, ".")
	return whole(quoted).MatchString(text)
}
