package lambda

import (
	"net/http"
	"time"
)

// provisioned is provisioned concurrency as it was asked for.
type provisioned struct {
	Requested    int
	LastModified string
}

// totalProvisioned is the sum of all provisioned concurrency, but that at one place, of functions without reserved concurrency, whose own it
// would be. The caller holds s.mu.
func (s *Service) totalProvisioned(name, qualifier string) int {
	sum := 0
	for _, f := range s.functions {
		if f.Reserved != nil {
			continue
		}
		for at, a := range f.Attached {
			if a.Provisioned != nil && (f.Config.FunctionName != name || at != qualifier) {
				sum += a.Provisioned.Requested
			}
		}
	}
	return sum
}

// provisionable finds the version or alias of a provisioned concurrency operation. The caller holds s.mu.
func (s *Service) provisionable(q ref) (*function, error) {
	f := s.functions[q.name]
	switch {
	case f != nil && f.find(q.qualifier) != nil:
		return f, nil
	case aliasRegexp.MatchString(q.qualifier):
		return nil, s.noAlias(q)
	}
	return nil, s.missing(q)
}

// provisionTarget reads name and qualifier; refusal is for $LATEST.
func (s *Service) provisionTarget(r *http.Request, target, refusal string) (ref, error) {
	q, err := s.named(target, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return ref{}, err
	}
	if q.qualifier == latest || q.qualifier == "" {
		return ref{}, invalidParameter("%s", refusal)
	}
	return q, nil
}

const (
	notPublished  = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
	wantPublished = "The function resource provided must be an alias or a published version."
)

func noProvisioned() error {
	return &apiError{status: http.StatusNotFound, code: "ProvisionedConcurrencyConfigNotFoundException",
		message: "No Provisioned Concurrency Config found for this function"}
}

func (s *Service) putProvisioned(w http.ResponseWriter, r *http.Request, target string) error {
	var in struct{ ProvisionedConcurrentExecutions *int }
	if err := readJSON(r, "PutProvisionedConcurrencyConfig", &in); err != nil {
		return err
	}
	var c constraints
	c.required("provisionedConcurrentExecutions", in.ProvisionedConcurrentExecutions != nil)
	c.between("provisionedConcurrentExecutions", in.ProvisionedConcurrentExecutions, 1, 1<<30)
	if err := c.err(); err != nil {
		return err
	}
	q, err := s.provisionTarget(r, target, notPublished)
	if err != nil {
		return err
	}
	p := &provisioned{Requested: *in.ProvisionedConcurrentExecutions, LastModified: timestamp(time.Now())}
	if err := s.provide(q, p); err != nil {
		return err
	}
	s.provisionLater(q.name)
	out := provisionedDocument(p, garrison{})
	out["Status"] = "IN_PROGRESS"
	writeJSON(w, http.StatusAccepted, out)
	return nil
}

func (s *Service) provide(q ref, p *provisioned) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.provisionable(q)
	if err != nil {
		return err
	}
	if err := f.provisionedTwice(q.qualifier); err != nil {
		return err
	}
	if err := s.affordable(f, q.qualifier, p.Requested); err != nil {
		return err
	}
	return s.replace(f, func(f *function) error {
		f.attach(q.qualifier, func(a *attachments) { a.Provisioned = p })
		return nil
	})
}

// provisionedTwice refuses to provision a version both by itself and by an alias.
func (f *function) provisionedTwice(qualifier string) error {
	if a := f.Aliases[qualifier]; a != nil {
		if f.Attached[a.Version].Provisioned != nil {
			return conflict("Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")
		}
		return nil
	}
	for name, a := range f.Aliases {
		if a.Version == qualifier && f.Attached[name].Provisioned != nil {
			return conflict("Version is pointed by a Provisioned Concurrency alias")
		}
	}
	return nil
}

// affordable refuses what would leave too little to others. The caller holds s.mu.
func (s *Service) affordable(f *function, qualifier string, wanted int) error {
	if f.Reserved != nil {
		sum := wanted
		for at, a := range f.Attached {
			if a.Provisioned != nil && at != qualifier {
				sum += a.Provisioned.Requested
			}
		}
		if sum > *f.Reserved {
			return invalidParameter("Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function")
		}
		return nil
	}
	left := s.opts.Concurrency - s.reserved("") - s.totalProvisioned(f.Config.FunctionName, qualifier)
	var refused *apiError
	switch {
	case wanted > left:
		refused = invalidParameter("Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [%d].", left)
	case left-wanted < minUnreserved:
		refused = invalidParameter("Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "+
			"minimum value of [%d].", minUnreserved)
	default:
		return nil
	}
	refused.plain = true
	return refused
}

func provisionedDocument(p *provisioned, g garrison) map[string]any {
	out := map[string]any{
		"RequestedProvisionedConcurrentExecutions": p.Requested, "LastModified": p.LastModified,
		"AvailableProvisionedConcurrentExecutions": min(g.ready, p.Requested), "AllocatedProvisionedConcurrentExecutions": min(g.ready, p.Requested),
		"Status": "IN_PROGRESS",
	}
	switch {
	case g.failure != "":
		out["Status"], out["StatusReason"] = "FAILED", g.failure
	case g.ready >= p.Requested:
		out["Status"] = "READY"
	}
	return out
}

// getProvisioned also lists: both operations have one path.
func (s *Service) getProvisioned(w http.ResponseWriter, r *http.Request, target string) error {
	if r.URL.Query().Get("List") == "ALL" {
		return s.listProvisioned(w, r, target)
	}
	q, err := s.provisionTarget(r, target, wantPublished)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.provisionable(q)
	if err != nil {
		return err
	}
	p := f.Attached[q.qualifier].Provisioned
	if p == nil {
		return noProvisioned()
	}
	writeJSON(w, http.StatusOK, provisionedDocument(p, s.garrison(f, q.qualifier)))
	return nil
}

func (s *Service) garrison(f *function, qualifier string) garrison {
	return s.fleet.garrison(post{f.Config.FunctionName, f.find(qualifier).Config.Version})
}

func (s *Service) listProvisioned(w http.ResponseWriter, r *http.Request, target string) error {
	return s.listOf(r, target, s.missing, func(f *function, p page) {
		f.writeAttached(w, p, "ProvisionedConcurrencyConfigs", func(a attachments) bool { return a.Provisioned != nil }, func(qualifier string, a attachments) any {
			item := provisionedDocument(a.Provisioned, s.garrison(f, qualifier))
			item["FunctionArn"] = s.arn(f.Config.FunctionName) + ":" + qualifier
			return item
		})
	})
}

func (s *Service) deleteProvisioned(w http.ResponseWriter, r *http.Request, target string) error {
	q, err := s.provisionTarget(r, target, wantPublished)
	if err != nil {
		return err
	}
	s.mu.Lock()
	f, err := s.provisionable(q)
	if err == nil {
		err = s.replace(f, func(f *function) error {
			f.attach(q.qualifier, func(a *attachments) { a.Provisioned = nil })
			return nil
		})
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.provisionLater(q.name)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
