package lambda

import "net/http"

// Permissions of layer versions are kept and told; everybody here is of one account, so nothing is refused by them.

const getLayerAction = "lambda:GetLayerVersion"

var sidRegexp = whole(`([a-zA-Z0-9-_]+)`)

// noLayerVersion is the error for a layer version that is not there, where permissions are asked for.
func (s *Service) noLayerVersion(q layerRef) func() error {
	return func() error { return notFound("Layer version %s does not exist.", s.layerVersionARN(q)) }
}

// layerRevision refuses what speaks of another revision of a policy.
func layerRevision(r *http.Request, p *policy) error {
	revision := r.URL.Query().Get("RevisionId")
	if revision == "" || p != nil && p.RevisionID == revision {
		return nil
	}
	return &apiError{status: http.StatusPreconditionFailed, code: "PreconditionFailedException", message: "The Revision Id provided does not " +
		"match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest Revision Id"}
}

func (s *Service) addLayerPermission(w http.ResponseWriter, r *http.Request, target string) error {
	var in struct{ StatementId, Action, Principal, OrganizationId *string }
	if err := readJSON(r, "AddLayerVersionPermission", &in); err != nil {
		return err
	}
	q, err := s.layerVersion(r, target, func(c *constraints) {
		c.required("statementId", in.StatementId != nil)
		c.required("action", in.Action != nil)
		c.required("principal", in.Principal != nil)
		if in.StatementId != nil {
			c.length("statementId", *in.StatementId, 1, 100)
			c.pattern("statementId", *in.StatementId, sidRegexp, `([a-zA-Z0-9-_]+)`)
		}
		if in.Action != nil && *in.Action != getLayerAction {
			c.failed("action", *in.Action, "Member must satisfy regular expression pattern: "+getLayerAction)
		}
	})
	if err != nil {
		return err
	}
	add := statement{Sid: *in.StatementId, Effect: "Allow", Principal: *in.Principal, Action: *in.Action, Resource: s.layerVersionARN(q)}
	if in.OrganizationId != nil {
		add.Condition = map[string]map[string]string{"StringEquals": {"aws:PrincipalOrgID": *in.OrganizationId}}
	}
	var revision string
	err = s.layers.edit(q, s.noLayerVersion(q), func(v layerVersion) (*layerVersion, error) {
		if err := layerRevision(r, v.Policy); err != nil {
			return nil, err
		}
		p, err := v.Policy.with(add)
		if err != nil {
			return nil, err
		}
		v.Policy, revision = p, p.RevisionID
		return &v, nil
	})
	if err != nil {
		return err
	}
	return writeStatement(w, add, revision)
}

func (s *Service) getLayerPolicy(w http.ResponseWriter, r *http.Request, target string) error {
	q, err := s.layerVersion(r, target, nil)
	if err != nil {
		return err
	}
	s.layers.Lock()
	v := s.layers.find(q)
	s.layers.Unlock()
	switch {
	case v == nil:
		return s.noLayerVersion(q)()
	case v.Policy == nil:
		return notFound("No policy is associated with the given resource.")
	}
	return v.Policy.write(w)
}

func (s *Service) removeLayerPermission(w http.ResponseWriter, r *http.Request, target string) error {
	q, err := s.layerVersion(r, target, nil)
	if err != nil {
		return err
	}
	err = s.layers.edit(q, s.noLayerVersion(q), func(v layerVersion) (*layerVersion, error) {
		if err := layerRevision(r, v.Policy); err != nil {
			return nil, err
		}
		var err error
		v.Policy, err = v.Policy.without(r.PathValue("sub"))
		return &v, err
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
