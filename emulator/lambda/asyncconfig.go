package lambda

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// invokeConfig is how invocations are treated that nobody waits for.
// https://docs.aws.amazon.com/lambda/latest/api/API_FunctionEventInvokeConfig.html
type invokeConfig struct {
	LastModified             time.Time
	MaximumRetryAttempts     *int   `json:",omitempty"`
	MaximumEventAgeInSeconds *int   `json:",omitempty"`
	OnSuccess                string `json:",omitempty"` // ARN
	OnFailure                string `json:",omitempty"` // ARN
}

type destinationConfig struct{ OnSuccess, OnFailure *destination }

type destination struct {
	Destination *string `json:",omitempty"`
}

// invokeConfigRequest is what PutFunctionEventInvokeConfig and UpdateFunctionEventInvokeConfig say.
type invokeConfigRequest struct {
	MaximumRetryAttempts     *int
	MaximumEventAgeInSeconds *int
	DestinationConfig        *destinationConfig
}

const destinationPattern = `$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)`

var (
	destinationRegexp = whole(destinationPattern)
	// destinations are the services that take the record of an asynchronous invocation.
	destinations = regexp.MustCompile(`^arn:aws[a-z-]*:(sqs|sns|lambda|events|s3):`)
)

func (in *invokeConfigRequest) check() error {
	var c constraints
	c.between("maximumRetryAttempts", in.MaximumRetryAttempts, 0, 2)
	c.between("maximumEventAgeInSeconds", in.MaximumEventAgeInSeconds, 60, 21600)
	for member, to := range in.targets() {
		c.pattern("destinationConfig."+member+".destination", to, destinationRegexp, destinationPattern)
	}
	return c.err()
}

// targets are the destinations that are named.
func (in *invokeConfigRequest) targets() map[string]string {
	out := map[string]string{}
	if d := in.DestinationConfig; d != nil {
		for member, to := range map[string]*destination{"onSuccess": d.OnSuccess, "onFailure": d.OnFailure} {
			if to != nil && to.Destination != nil {
				out[member] = *to.Destination
			}
		}
	}
	return out
}

// apply changes what is named.
func (in *invokeConfigRequest) apply(c *invokeConfig) {
	if in.MaximumRetryAttempts != nil {
		c.MaximumRetryAttempts = in.MaximumRetryAttempts
	}
	if in.MaximumEventAgeInSeconds != nil {
		c.MaximumEventAgeInSeconds = in.MaximumEventAgeInSeconds
	}
	if in.DestinationConfig != nil {
		to := in.targets()
		c.OnSuccess, c.OnFailure = to["onSuccess"], to["onFailure"]
	}
	c.LastModified = time.Now()
}

func (s *Service) invokeConfigDocument(q ref, c *invokeConfig) map[string]any {
	to := func(arn string) destination {
		if arn == "" {
			return destination{}
		}
		return destination{&arn}
	}
	out := map[string]any{
		"FunctionArn": s.arn(q.name) + ":" + policyKey(q.qualifier), "LastModified": wire.Time{Time: c.LastModified},
		"DestinationConfig": map[string]any{"OnSuccess": to(c.OnSuccess), "OnFailure": to(c.OnFailure)},
	}
	if c.MaximumRetryAttempts != nil {
		out["MaximumRetryAttempts"] = *c.MaximumRetryAttempts
	}
	if c.MaximumEventAgeInSeconds != nil {
		out["MaximumEventAgeInSeconds"] = *c.MaximumEventAgeInSeconds
	}
	return out
}

func (s *Service) noInvokeConfig(q ref) error {
	return notFound("The function %s:%s doesn't have an EventInvokeConfig", s.arn(q.name), policyKey(q.qualifier))
}

func (s *Service) putInvokeConfig(w http.ResponseWriter, r *http.Request, target string) error {
	return s.setInvokeConfig(w, r, target, "PutFunctionEventInvokeConfig", func(ref, *invokeConfig) (*invokeConfig, error) { return &invokeConfig{}, nil })
}

func (s *Service) updateInvokeConfig(w http.ResponseWriter, r *http.Request, target string) error {
	return s.setInvokeConfig(w, r, target, "UpdateFunctionEventInvokeConfig", func(q ref, old *invokeConfig) (*invokeConfig, error) {
		if old == nil {
			return nil, s.noInvokeConfig(q)
		}
		changed := *old
		return &changed, nil
	})
}

func (s *Service) setInvokeConfig(w http.ResponseWriter, r *http.Request, target, operation string, from func(ref, *invokeConfig) (*invokeConfig, error)) error {
	var in invokeConfigRequest
	if err := readJSON(r, operation, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	q, err := s.named(target, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return err
	}
	if in.MaximumRetryAttempts == nil && in.MaximumEventAgeInSeconds == nil && in.DestinationConfig == nil {
		return invalidParameter("You must specify at least one of error handling or destination setting.")
	}
	if err := s.checkTargets(q, in.targets()); err != nil {
		return err
	}
	var c *invokeConfig
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[q.name]
	if f == nil || f.find(q.qualifier) == nil {
		return notFound("The function doesn't exist.")
	}
	err = s.replace(f, func(f *function) error {
		var err error
		if c, err = from(q, f.Attached[policyKey(q.qualifier)].Async); err != nil {
			return err
		}
		in.apply(c)
		f.attach(policyKey(q.qualifier), func(a *attachments) { a.Async = c })
		return nil
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.invokeConfigDocument(q, c))
	return nil
}

func (s *Service) checkTargets(q ref, targets map[string]string) error {
	for _, member := range slices.Sorted(maps.Keys(targets)) {
		to := targets[member]
		switch {
		case to == "":
		case !destinations.MatchString(to):
			said := func(name string) string {
				if targets[name] == "" {
					return "null"
				}
				return fmt.Sprintf("%s(destination=%s)", strings.ToUpper(name[:1])+name[1:], targets[name])
			}
			return invalidParameter("The provided destination config DestinationConfig(onSuccess=%s, onFailure=%s) is invalid.", said("onSuccess"), said("onFailure"))
		case to == s.arn(q.name) || strings.HasPrefix(to, s.arn(q.name)+":"):
			return invalidParameter("You can't specify the function as a destination for itself.")
		case strings.HasPrefix(to, "arn:aws:lambda:"):
			if f, ok := parseRef(to, nameRegexp); !ok || s.known(f) != nil {
				return invalidParameter("The destination ARN %s is invalid.", to)
			}
		}
	}
	return nil
}

func (s *Service) getInvokeConfig(w http.ResponseWriter, r *http.Request, target string) error {
	q, err := s.named(target, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return err
	}
	c := s.attachedTo(q).Async
	if c == nil {
		return s.noInvokeConfig(q)
	}
	writeJSON(w, http.StatusOK, s.invokeConfigDocument(q, c))
	return nil
}

func (s *Service) deleteInvokeConfig(w http.ResponseWriter, r *http.Request, target string) error {
	q, err := s.named(target, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[q.name]
	if f == nil || f.Attached[policyKey(q.qualifier)].Async == nil {
		return s.noInvokeConfig(q)
	}
	err = s.replace(f, func(f *function) error {
		f.attach(policyKey(q.qualifier), func(a *attachments) { a.Async = nil })
		return nil
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) listInvokeConfigs(w http.ResponseWriter, r *http.Request, target string) error {
	if r.PathValue("name") != "list" {
		return unknownOperation(r)
	}
	missing := func(ref) error { return notFound("The function doesn't exist.") }
	return s.listOf(r, target, missing, func(f *function, p page) {
		f.writeAttached(w, p, "FunctionEventInvokeConfigs", func(a attachments) bool { return a.Async != nil }, func(qualifier string, a attachments) any {
			return s.invokeConfigDocument(ref{name: f.Config.FunctionName, qualifier: qualifier}, a.Async)
		})
	})
}
