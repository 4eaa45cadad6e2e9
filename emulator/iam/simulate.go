package iam

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

type simulation struct {
	PolicySourceArn string
	PolicyInputList []string
	ActionNames     []string
	ResourceArns    []string
	ContextEntries  []struct {
		ContextKeyName   string
		ContextKeyValues []string
	}
	MaxItems int
	Marker   string
}

type simulated struct {
	EvaluationResults []evaluation
	IsTruncated       bool
	Marker            string `json:",omitempty"`
}

type evaluation struct {
	EvalActionName       string
	EvalResourceName     string
	EvalDecision         string // allowed, explicitDeny or implicitDeny
	MatchedStatements    []matched
	MissingContextValues []string
}

type matched struct {
	SourcePolicyId string //nolint:revive // AWS's name of it
}

// maxEvaluations is how many results one answer has unless it is asked for fewer.
const maxEvaluations = 100

// simulatePrincipal tells what the policies of a role or user allow, those of the request among them.
func (s *store) simulatePrincipal(_ context.Context, in *simulation) (simulated, error) {
	if _, ok := accountOf(in.PolicySourceArn); !ok {
		return simulated{}, wire.Refuse("InvalidInput", "Invalid Entity Arn: %s does not clearly define entity type and name.", in.PolicySourceArn)
	}
	s.mu.Lock()
	p := s.find(in.PolicySourceArn)
	s.mu.Unlock()
	if p == nil {
		return simulated{}, &wire.Error{Status: http.StatusNotFound, Code: "NoSuchEntity", Message: "Entity " + in.PolicySourceArn + " cannot be found."}
	}
	policies := map[string]string{}
	for name, text := range p.Policies {
		policies[name] = text
	}
	return in.run(policies)
}

// simulateCustom tells what the policies of the request allow.
func (s *store) simulateCustom(_ context.Context, in *simulation) (simulated, error) {
	return in.run(map[string]string{})
}

func (in *simulation) run(policies map[string]string) (simulated, error) {
	if len(in.ActionNames) == 0 {
		return simulated{}, wire.Refuse("ValidationError", "1 validation error detected: Value null at 'actionNames' failed to satisfy constraint: Member must not be null")
	}
	for i, text := range in.PolicyInputList {
		policies["PolicyInputList."+strconv.Itoa(i+1)] = text
	}
	parsed := map[string]*document{}
	for name, text := range policies {
		d, err := parse(text)
		var malformed *wire.Error
		if errors.As(err, &malformed) { // simulations have another code for it
			return simulated{}, wire.Refuse("InvalidInput", "%s", malformed.Message)
		}
		if err != nil {
			return simulated{}, err
		}
		parsed[name] = d
	}
	known := map[string][]string{}
	for _, e := range in.ContextEntries {
		known[strings.ToLower(e.ContextKeyName)] = e.ContextKeyValues
	}
	if len(in.ResourceArns) == 0 {
		in.ResourceArns = []string{"*"}
	}
	var all []evaluation
	for _, name := range in.ActionNames {
		for _, resource := range in.ResourceArns {
			all = append(all, evaluate(parsed, action{name, resource, known}))
		}
	}
	return in.page(all)
}

func (in *simulation) page(all []evaluation) (simulated, error) {
	from := 0
	if in.Marker != "" {
		var err error
		if from, err = strconv.Atoi(in.Marker); err != nil || from < 0 || from > len(all) {
			return simulated{}, wire.Refuse("ValidationError", "The specified value for marker is invalid.")
		}
	}
	size := maxEvaluations
	if in.MaxItems > 0 {
		size = min(in.MaxItems, 1000)
	}
	out := simulated{EvaluationResults: all[from:min(from+size, len(all))]}
	if from+size < len(all) {
		out.IsTruncated, out.Marker = true, strconv.Itoa(from+size)
	}
	return out, nil
}

// evaluate decides as IAM does: an explicit denial first, then an allowance, and denied without either.
func evaluate(policies map[string]*document, a action) evaluation {
	out := evaluation{EvalActionName: a.name, EvalResourceName: a.resource, EvalDecision: "implicitDeny"}
	allowed, denied := []matched{}, []matched{}
	for _, name := range slices.Sorted(maps.Keys(policies)) {
		for _, s := range policies[name].Statement {
			fits, missing := s.fits(a)
			out.MissingContextValues = append(out.MissingContextValues, missing...)
			if m := (matched{name}); fits && s.Effect == "Deny" {
				denied = append(denied, m)
			} else if fits {
				allowed = append(allowed, m)
			}
		}
	}
	slices.Sort(out.MissingContextValues)
	out.MissingContextValues = slices.Compact(out.MissingContextValues)
	switch {
	case len(denied) > 0:
		out.EvalDecision, out.MatchedStatements = "explicitDeny", denied
	case len(allowed) > 0:
		out.EvalDecision, out.MatchedStatements = "allowed", allowed
	}
	return out
}
