package lambda

import (
	"cmp"
	"net/http"
	"regexp"
)

// Runtimes do not change below functions here; when they might is kept and told.

// runtimeManagement says when AWS may change the runtime of a version.
type runtimeManagement struct {
	UpdateRuntimeOn   string
	RuntimeVersionArn string `json:",omitempty"`
}

var runtimeVersionRegexp = regexp.MustCompile(`^arn:(aws[a-zA-Z-]*):lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}::runtime:.+$`)

func (s *Service) putRuntimeManagement(w http.ResponseWriter, r *http.Request, target string) error {
	var in runtimeManagement
	if err := readJSON(r, "PutRuntimeManagementConfig", &in); err != nil {
		return err
	}
	var c constraints
	c.oneOf("updateRuntimeOn", in.UpdateRuntimeOn, "Auto", "Manual", "FunctionUpdate")
	if in.RuntimeVersionArn != "" {
		c.pattern("runtimeVersionArn", in.RuntimeVersionArn, runtimeVersionRegexp, runtimeVersionRegexp.String())
	}
	if err := c.err(); err != nil {
		return err
	}
	if in.UpdateRuntimeOn == "Manual" && in.RuntimeVersionArn == "" {
		return invalidParameter("RuntimeVersionArn is required when UpdateRuntimeOn is Manual.")
	}
	return s.runtimeManagementOf(w, r, target, func(f *function, qualifier string) (runtimeManagement, error) {
		f.attach(qualifier, func(a *attachments) { a.Runtime = &in })
		return in, nil
	})
}

func (s *Service) getRuntimeManagement(w http.ResponseWriter, r *http.Request, target string) error {
	return s.runtimeManagementOf(w, r, target, func(f *function, qualifier string) (runtimeManagement, error) {
		if set := f.Attached[qualifier].Runtime; set != nil {
			return *set, errUnchanged
		}
		return runtimeManagement{UpdateRuntimeOn: "Auto"}, errUnchanged
	})
}

// runtimeManagementOf changes or reads what a version has, and answers with it.
func (s *Service) runtimeManagementOf(w http.ResponseWriter, r *http.Request, target string, change func(*function, string) (runtimeManagement, error)) error {
	q, err := s.named(target, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return err
	}
	q.qualifier = cmp.Or(q.qualifier, latest)
	var out runtimeManagement
	err = s.edit(q, func(f *function) error {
		if f.find(q.qualifier) == nil {
			return s.missing(q)
		}
		var err error
		out, err = change(f, q.qualifier)
		return err
	})
	if err != nil {
		return err
	}
	body := map[string]string{"UpdateRuntimeOn": out.UpdateRuntimeOn, "FunctionArn": s.arn(q.name) + ":" + q.qualifier}
	if out.RuntimeVersionArn != "" {
		body["RuntimeVersionArn"] = out.RuntimeVersionArn
	}
	writeJSON(w, http.StatusOK, body)
	return nil
}
