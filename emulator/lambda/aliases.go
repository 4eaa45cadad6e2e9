package lambda

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// Patterns of aliases; Go has no lookahead, so what the first forbids is asked for apart.
const (
	aliasPattern   = `(?!^[0-9]+$)([a-zA-Z0-9-_]+)`
	versionPattern = `(\$LATEST|[0-9]+)`
)

var (
	// aliasRegexp tells aliases from versions, which are numbers.
	aliasRegexp   = whole(`[a-zA-Z0-9-_]*[a-zA-Z-_][a-zA-Z0-9-_]*`)
	versionRegexp = whole(versionPattern)
	numberRegexp  = regexp.MustCompile(`^[0-9]+$`)
)

// aliasRequest is what CreateAlias and UpdateAlias say; nil means not given.
type aliasRequest struct {
	Name            *string
	FunctionVersion *string
	Description     *string
	RevisionId      string
	RoutingConfig   *struct{ AdditionalVersionWeights map[string]float64 }
}

func (in *aliasRequest) check() error {
	var c constraints
	if in.Name != nil {
		c.length("name", *in.Name, 1, 128)
		c.pattern("name", *in.Name, aliasRegexp, aliasPattern)
	}
	if in.FunctionVersion != nil {
		c.length("functionVersion", *in.FunctionVersion, 1, 1024)
		c.pattern("functionVersion", *in.FunctionVersion, versionRegexp, versionPattern)
	}
	if in.Description != nil {
		c.length("description", *in.Description, 0, maxDescription)
	}
	for _, number := range slices.Sorted(maps.Keys(in.weights())) {
		weight := in.weights()[number]
		value := fmt.Sprintf("{%s=%s}", number, javaDouble(weight))
		if !numberRegexp.MatchString(number) {
			c.failed("routingConfig.additionalVersionWeights", value, "Map keys must satisfy constraint: [Member must have length less than or "+
				"equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]")
		}
		if weight < 0 || weight > 1 {
			c.failed("routingConfig.additionalVersionWeights", value, "Map value must satisfy constraint: [Member must have value less than or "+
				"equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]")
		}
	}
	return c.err()
}

func (in *aliasRequest) weights() map[string]float64 {
	if in.RoutingConfig == nil {
		return nil
	}
	return in.RoutingConfig.AdditionalVersionWeights
}

// javaDouble prints a number as AWS's errors do: 2.0, 0.5.
func javaDouble(v float64) string {
	if v == float64(int64(v)) {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// checkRouting is what the service checks of an alias beyond the model.
func (s *Service) checkRouting(f *function, a *alias) error {
	q := ref{name: f.Config.FunctionName, qualifier: a.Version}
	if len(a.Weights) > 1 {
		return invalidParameter("Number of items in AdditionalVersionWeights cannot be greater than 1")
	}
	if f.find(a.Version) == nil {
		return s.missing(q)
	}
	for number := range a.Weights {
		q.qualifier = number
		switch {
		case a.Version == latest:
			refused := invalidParameter("$LATEST is not supported for an alias pointing to more than 1 version")
			refused.plain = true
			return refused
		case number == a.Version:
			return invalidParameter("Invalid function version %[1]s. Function version %[1]s is already included in routing configuration.", number)
		case f.Versions[number] == nil:
			return s.missing(q)
		}
	}
	return nil
}

func (s *Service) createAlias(w http.ResponseWriter, r *http.Request, target string) error {
	var in aliasRequest
	if err := readJSON(r, "CreateAlias", &in); err != nil {
		return err
	}
	var c constraints
	c.required("name", in.Name != nil)
	c.required("functionVersion", in.FunctionVersion != nil)
	if err := c.err(); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	q, err := s.named(target, "")
	if err != nil {
		return err
	}
	q.qualifier = *in.FunctionVersion // the error of a function that is not there names it
	var out any
	err = s.edit(q, func(f *function) error {
		a := &alias{Name: *in.Name, Version: *in.FunctionVersion, Weights: in.weights(), RevisionID: wire.NewID()}
		set(&a.Description, in.Description)
		if err := s.checkRouting(f, a); err != nil {
			return err
		}
		if f.Aliases[a.Name] != nil {
			return conflict("Alias already exists: %s:%s", s.arn(q.name), a.Name)
		}
		if f.Aliases == nil {
			f.Aliases = map[string]*alias{}
		}
		f.Aliases[a.Name] = a
		out = s.aliasDocument(f, a)
		return nil
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, out)
	return nil
}

func (s *Service) aliasDocument(f *function, a *alias) map[string]any {
	out := map[string]any{
		"AliasArn": s.arn(f.Config.FunctionName) + ":" + a.Name, "Name": a.Name, "FunctionVersion": a.Version, "Description": a.Description,
		"RevisionId": a.RevisionID,
	}
	if len(a.Weights) > 0 {
		out["RoutingConfig"] = map[string]any{"AdditionalVersionWeights": a.Weights}
	}
	return out
}

// aliasTarget splits NAME of a function and of its alias, which come in the path as target and rest.
func (s *Service) aliasTarget(target, rest string) (q ref, name string, err error) {
	if q, err = s.named(target, ""); err != nil {
		return ref{}, "", err
	}
	q.qualifier = rest
	return q, rest, nil
}

func (s *Service) getAlias(w http.ResponseWriter, r *http.Request, target string) error {
	q, name, err := s.aliasTarget(target, r.PathValue("name"))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[q.name]
	if f == nil || f.Aliases[name] == nil {
		return s.noAlias(q)
	}
	writeJSON(w, http.StatusOK, s.aliasDocument(f, f.Aliases[name]))
	return nil
}

func (s *Service) noAlias(q ref) error {
	return notFound("Cannot find alias arn: %s:%s", s.arn(q.name), q.qualifier)
}

func (s *Service) updateAlias(w http.ResponseWriter, r *http.Request, target string) error {
	var in aliasRequest
	if err := readJSON(r, "UpdateAlias", &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	q, name, err := s.aliasTarget(target, r.PathValue("name"))
	if err != nil {
		return err
	}
	var out any
	err = s.edit(q, func(f *function) error {
		old := f.Aliases[name]
		if old == nil {
			return notFound("Alias not found: %s:%s", s.arn(q.name), name)
		}
		if in.RevisionId != "" && in.RevisionId != old.RevisionID {
			return preconditionFailed()
		}
		a := *old
		set(&a.Version, in.FunctionVersion)
		set(&a.Description, in.Description)
		if in.RoutingConfig != nil {
			a.Weights = in.weights()
		}
		if err := s.checkRouting(f, &a); err != nil {
			return err
		}
		a.RevisionID = wire.NewID()
		f.Aliases[name] = &a
		out = s.aliasDocument(f, &a)
		return nil
	})
	if err != nil {
		return err
	}
	s.provisionLater(q.name)
	writeJSON(w, http.StatusOK, out)
	return nil
}

// deleteAlias does not mind an alias that is not there (AWS).
func (s *Service) deleteAlias(w http.ResponseWriter, r *http.Request, target string) error {
	q, name, err := s.aliasTarget(target, r.PathValue("name"))
	if err != nil {
		return err
	}
	err = s.edit(ref{name: q.name}, func(f *function) error {
		delete(f.Aliases, name)
		delete(f.Attached, name)
		return nil
	})
	if err != nil {
		return err
	}
	s.closeURLs(q.name)
	s.provisionLater(q.name)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) listAliases(w http.ResponseWriter, r *http.Request, target string) error {
	of := r.URL.Query().Get("FunctionVersion")
	return s.listOf(r, target, s.missing, func(f *function, p page) {
		var names []string
		for name, a := range f.Aliases {
			if of == "" || a.Version == of || a.Weights[of] != 0 {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		names, next := cut(names, p, func(name string) string { return name })
		list := make([]any, len(names))
		for i, name := range names {
			list[i] = s.aliasDocument(f, f.Aliases[name])
		}
		writePage(w, "Aliases", list, next)
	})
}
