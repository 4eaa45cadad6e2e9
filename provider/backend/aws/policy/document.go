package policy

import (
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// Document is an IAM policy document (docs.aws.amazon.com/IAM, "IAM JSON policy
// reference").
type Document struct {
	Version   string
	Statement []Statement
}

// Statement is one of a policy's.
type Statement struct {
	Sid       string
	Effect    string
	Principal map[string]string `json:",omitempty"`
	Action    []string
	Resource  []string                       `json:",omitempty"`
	Condition map[string]map[string][]string `json:",omitempty"`
}

const policyVersion = "2012-10-17"

// With returns a policy that allows what either does.
func (d Document) With(more Document) Document {
	out := Document{Version: d.Version, Statement: slices.Clone(d.Statement)}
	for _, s := range more.Statement {
		if slices.ContainsFunc(out.Statement, func(o Statement) bool { return reflect.DeepEqual(o, s) }) {
			continue
		}
		if slices.ContainsFunc(out.Statement, func(o Statement) bool { return o.Sid == s.Sid }) {
			s.Sid += "Before" // an id is there once
		}
		out.Statement = append(out.Statement, s)
	}
	return out
}

// Is tells whether a document, as IAM tells it, says the same. IAM may write a list
// of one thing as that thing, and lists in another order.
func (d Document) Is(document string) bool {
	text, err := url.PathUnescape(document)
	if err != nil {
		return false
	}
	wanted, err := json.Marshal(d)
	if err != nil {
		return false
	}
	var is, be any
	return json.Unmarshal([]byte(text), &is) == nil && json.Unmarshal(wanted, &be) == nil && reflect.DeepEqual(canonical(is), canonical(be))
}

// canonical is a value of JSON in which lists of one thing are that thing, and
// lists of text are sorted.
func canonical(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = canonical(v[key])
		}
	case []any:
		for i := range v {
			v[i] = canonical(v[i])
		}
		if len(v) == 1 {
			return v[0]
		}
		slices.SortStableFunc(v, func(a, b any) int {
			one, _ := a.(string)
			two, _ := b.(string)
			return strings.Compare(one, two)
		})
	}
	return value
}
