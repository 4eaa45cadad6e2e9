package lambda

import (
	"net/http"
	"regexp"
)

// noResource is the error where what belongs to a function is not there.
func noResource() error { return notFound("The resource you requested does not exist.") }

// permission is what AddPermission says.
type permission struct {
	StatementId, Action, Principal, SourceArn, SourceAccount, EventSourceToken *string
	PrincipalOrgID, FunctionUrlAuthType, RevisionId                            *string
	InvokedViaFunctionUrl                                                      *bool
}

const (
	sidPattern        = `([a-zA-Z0-9-_]+)`
	actionPattern     = `(lambda:[*]|lambda:[a-zA-Z]+|[*])`
	invokeAction      = "lambda:InvokeFunction"
	invokeURLAction   = "lambda:InvokeFunctionUrl"
	functionURLAuth   = "lambda:FunctionUrlAuthType"
	viaFunctionURL    = "lambda:InvokedViaFunctionUrl"
	sourceARNKey      = "AWS:SourceArn"
	sourceAccountKey  = "AWS:SourceAccount"
	stringEquals      = "StringEquals"
	servicePrincipals = `^[a-z0-9.-]+\.amazon(aws)?\.com(\.cn)?$`
)

var (
	actionRegexp  = whole(actionPattern)
	serviceRegexp = regexp.MustCompile(servicePrincipals)
	accountRegexp = whole(`\d{12}`)
	iamRegexp     = whole(`arn:aws[a-z-]*:(iam|sts)::\d{12}:.+`)
)

func (p *permission) check() error {
	var c constraints
	c.required("statementId", p.StatementId != nil)
	c.required("action", p.Action != nil)
	c.required("principal", p.Principal != nil)
	if p.StatementId != nil {
		c.length("statementId", *p.StatementId, 1, 100)
		c.pattern("statementId", *p.StatementId, sidRegexp, sidPattern)
	}
	if p.Action != nil {
		c.pattern("action", *p.Action, actionRegexp, actionPattern)
	}
	if p.FunctionUrlAuthType != nil {
		c.oneOf("functionUrlAuthType", *p.FunctionUrlAuthType, authNone, authIAM)
	}
	return c.err()
}

// statement is the permission for what an ARN names.
func (p *permission) statement(resource string) (statement, error) {
	out := statement{Sid: *p.StatementId, Effect: "Allow", Action: *p.Action, Resource: resource}
	switch who := *p.Principal; {
	case who == "*":
		out.Principal = who
	case accountRegexp.MatchString(who):
		out.Principal = map[string]string{"AWS": "arn:aws:iam::" + who + ":root"}
	case iamRegexp.MatchString(who):
		out.Principal = map[string]string{"AWS": who}
	case serviceRegexp.MatchString(who):
		out.Principal = map[string]string{"Service": who}
	default:
		return out, invalidParameter("The provided principal was invalid. Please check the principal and try again.")
	}
	on := func(operator, key string, value *string) {
		if value == nil {
			return
		}
		if out.Condition == nil {
			out.Condition = map[string]map[string]string{}
		}
		if out.Condition[operator] == nil {
			out.Condition[operator] = map[string]string{}
		}
		out.Condition[operator][key] = *value
	}
	on(stringEquals, sourceAccountKey, p.SourceAccount)
	on(stringEquals, functionURLAuth, p.FunctionUrlAuthType)
	on(stringEquals, "aws:PrincipalOrgID", p.PrincipalOrgID)
	on(stringEquals, "lambda:EventSourceToken", p.EventSourceToken)
	on("ArnLike", sourceARNKey, p.SourceArn)
	if p.InvokedViaFunctionUrl != nil {
		value := "false"
		if *p.InvokedViaFunctionUrl {
			value = "true"
		}
		on("Bool", viaFunctionURL, &value)
	}
	return out, nil
}

// policyKey is where the policy of a qualifier is kept.
func policyKey(qualifier string) string {
	if qualifier == "" {
		return latest
	}
	return qualifier
}

// qualifies says what is wrong with a qualifier to which a policy is to belong.
func (s *Service) qualifies(f *function, q ref) error {
	switch {
	case f.find(q.qualifier) != nil:
		return nil
	case aliasRegexp.MatchString(q.qualifier):
		return s.noAlias(q)
	}
	return s.missing(q)
}

// sameRevision says whether a revision is that of the policy or of what it belongs to.
func (f *function) sameRevision(revision, qualifier string) bool {
	if p := f.Attached[policyKey(qualifier)].Policy; p != nil && p.RevisionID == revision {
		return true
	}
	if a := f.Aliases[qualifier]; a != nil {
		return a.RevisionID == revision
	}
	return f.find(qualifier).Config.RevisionId == revision
}

func (s *Service) addPermission(w http.ResponseWriter, r *http.Request, target string) error {
	var in permission
	if err := readJSON(r, "AddPermission", &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	q, err := s.named(target, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return err
	}
	if q.qualifier == latest {
		return invalidParameter("We currently do not support adding policies for $LATEST.")
	}
	add, err := in.statement(s.qualifiedARN(q.name, q.qualifier))
	if err != nil {
		return err
	}
	err = s.edit(q, func(f *function) error {
		if err := s.qualifies(f, q); err != nil {
			return err
		}
		if in.RevisionId != nil && !f.sameRevision(*in.RevisionId, q.qualifier) {
			return &apiError{status: http.StatusPreconditionFailed, code: "PreconditionFailedException", message: "The Revision Id provided does not " +
				"match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id"}
		}
		p, err := f.Attached[policyKey(q.qualifier)].Policy.with(add)
		if err != nil {
			return err
		}
		f.attach(policyKey(q.qualifier), func(a *attachments) { a.Policy = p })
		return nil
	})
	if err != nil {
		return err
	}
	return writeStatement(w, add, "")
}

// qualifiedARN of a function; the qualifier may be empty.
func (s *Service) qualifiedARN(name, qualifier string) string {
	if qualifier == "" {
		return s.arn(name)
	}
	return s.arn(name) + ":" + qualifier
}

func (s *Service) getPolicy(w http.ResponseWriter, r *http.Request, target string) error {
	q, err := s.named(target, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return err
	}
	p := s.attachedTo(q).Policy
	if p == nil {
		return noResource()
	}
	return p.write(w)
}

func (s *Service) removePermission(w http.ResponseWriter, r *http.Request, target string) error {
	q, err := s.named(target, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[q.name]
	if f == nil {
		return notFound("No policy found for: %s", s.arn(q.name))
	}
	err = s.replace(f, func(f *function) error {
		if err := s.qualifies(f, q); err != nil {
			return err
		}
		p := f.Attached[policyKey(q.qualifier)].Policy
		if p == nil {
			return notFound("No policy is associated with the given resource.")
		}
		if revision := r.URL.Query().Get("RevisionId"); revision != "" && !f.sameRevision(revision, q.qualifier) {
			return preconditionFailed()
		}
		left, err := p.without(r.PathValue("name"))
		if err != nil {
			return err
		}
		f.attach(policyKey(q.qualifier), func(a *attachments) { a.Policy = left })
		return nil
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
