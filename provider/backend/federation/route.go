package federation

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// Rule puts functions into a child. Its conditions are patterns as of
// path.Match; those that are empty fit everything, and the rule fits when all
// do.
type Rule struct {
	Namespace  string
	Function   string
	Image      string
	Constraint string // one of the function's constraints
	Label      string // name=value
	Annotation string // name=value
	To         string // name of a child
}

func (r Rule) check(number int) error {
	var errs []error
	for _, pattern := range []string{r.Namespace, r.Function, r.Image, r.Constraint, r.Label, r.Annotation} {
		if _, err := path.Match(pattern, ""); err != nil {
			errs = append(errs, fmt.Errorf("rule %d: pattern %q: %w", number, pattern, err))
		}
	}
	if r == (Rule{To: r.To}) {
		errs = append(errs, fmt.Errorf("rule %d has no condition: what fits no rule goes to the default", number))
	}
	return errors.Join(errs...)
}

func (r Rule) fits(d types.FunctionDeployment) bool {
	return matches(r.Namespace, d.Namespace) && matches(r.Function, d.Service) && matches(r.Image, d.Image) &&
		(r.Constraint == "" || slices.ContainsFunc(d.Constraints, func(c string) bool { return matches(r.Constraint, plain(c)) })) &&
		anyPair(r.Label, d.Labels) && anyPair(r.Annotation, d.Annotations)
}

// matches is path.Match for values that may hold slashes, which * then spans.
func matches(pattern, value string) bool {
	if pattern == "" || pattern == value {
		return true
	}
	ok, _ := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(value, "/", "\x00"))
	return ok
}

// plain is a constraint without the blanks and the second = that Swarm's had.
func plain(constraint string) string {
	return strings.ReplaceAll(strings.ReplaceAll(constraint, " ", ""), "==", "=")
}

func anyPair(pattern string, pairs *map[string]string) bool {
	if pattern == "" {
		return true
	}
	if pairs == nil {
		return false
	}
	for key, value := range *pairs {
		if matches(pattern, key+"="+value) {
			return true
		}
	}
	return false
}

// placement is where a function belongs.
type placement struct {
	home   *child
	second *child // nil: there is no second place
	chosen bool   // by something else than the default
	policy policy
}

func (p placement) children() []*child {
	if p.second == nil {
		return []*child{p.home}
	}
	return []*child{p.second, p.home}
}

// route says where a deployment belongs: by its annotation, else by a
// constraint that names a child, else by the first rule that fits, else by the
// namespaces and constraints of a child, else to the default.
func (b *Backend) route(d types.FunctionDeployment) (placement, error) {
	policy, err := policyOf(d)
	if err != nil {
		return placement{}, backend.Errorf(backend.ErrInvalid, "deploy function %s: %w", d.Service, err)
	}
	p := placement{policy: policy}
	if p.home, err = b.named(d, GatewayAnnotation); err != nil {
		return p, err
	}
	if p.second, err = b.named(d, OverflowAnnotation); err != nil {
		return p, err
	}
	if p.home == nil {
		p.home = b.ruled(d)
	}
	p.chosen = p.home != nil
	if p.home == nil {
		p.home = b.fallback
	}
	if p.home == p.second {
		return p, backend.Errorf(backend.ErrInvalid, "deploy function %s: annotation %s names %s, where the function is already", d.Service, OverflowAnnotation, p.home.name)
	}
	if p.home.LongestRun > 0 && p.second != nil && longest(d) > p.home.LongestRun {
		// It can never be served at the first place.
		p.home, p.second, p.chosen = p.second, nil, true
	}
	return p, nil
}

// named returns the child that an annotation names, nil without one. In a
// federation of federations a value is a path of names, of which each takes the
// one it knows: its own child's, passing over its own.
func (b *Backend) named(d types.FunctionDeployment, annotation string) (*child, error) {
	if d.Annotations == nil {
		return nil, nil
	}
	value := (*d.Annotations)[annotation]
	if value == "" {
		return nil, nil
	}
	own := false
	for name := range strings.SplitSeq(value, "/") {
		if c := b.byName[name]; c != nil {
			return c, nil
		}
		own = own || name == b.opts.Name
	}
	if own && b.opts.Name != "" {
		return nil, nil // it was meant for the federation around this one
	}
	names := make([]string, len(b.children))
	for i, c := range b.children {
		names[i] = c.name
	}
	return nil, backend.Errorf(backend.ErrInvalid, "deploy function %s: annotation %s=%q: want one of %s", d.Service, annotation, value, strings.Join(names, ", "))
}

// ruled returns the child that a constraint, a rule or a child's own patterns
// say, or nil.
func (b *Backend) ruled(d types.FunctionDeployment) *child {
	for _, constraint := range d.Constraints {
		if name, ok := strings.CutPrefix(plain(constraint), GatewayAnnotation+"="); ok && b.byName[name] != nil {
			return b.byName[name]
		}
	}
	for _, rule := range b.opts.Rules {
		if rule.fits(d) {
			return b.byName[rule.To]
		}
	}
	for _, c := range b.children {
		for _, pattern := range c.Constraints {
			if (Rule{Constraint: pattern}).fits(d) {
				return c
			}
		}
		for _, pattern := range c.Namespaces {
			if matches(pattern, d.Namespace) {
				return c
			}
		}
	}
	return nil
}

// longest is how long a function says that an invocation may last, in the
// variables of OpenFaaS' watchdogs: whole seconds, or Go's form.
func longest(d types.FunctionDeployment) time.Duration {
	var out time.Duration
	for _, name := range []string{"exec_timeout", "write_timeout"} {
		value := d.EnvVars[name]
		if seconds, err := strconv.Atoi(value); err == nil {
			out = max(out, time.Duration(seconds)*time.Second)
		} else if t, err := time.ParseDuration(value); err == nil {
			out = max(out, t)
		}
	}
	return out
}

func canonical(header string) string { return http.CanonicalHeaderKey(header) }
