package event

import (
	"net/url"
	"strings"
)

// v1Fields is what events of format 1.0 and of load balancers have besides what
// format 2.0 has.
type v1Fields struct {
	method, path, remote string
	single, multi        []byte // the query parameters as JSON: parts of a window that is not written to
	context              bool   // there is a requestContext
	elb                  bool   // it is a load balancer's
	multiHeaders         bool
	shape                Shape // V1 or ALB once the fields are taken over
}

// isV1 reports whether what was read is a request of format 1.0 or of a load
// balancer, which has no version.
func (f *fields) isV1() bool {
	return f.v1.method != "" && f.v1.path != "" && f.v1.context && (f.version == "1.0" || f.version == "")
}

// fromV1 takes over the fields of format 1.0.
func (f *fields) fromV1() error {
	f.method, f.path, f.remote, f.v1.shape = f.v1.method, f.v1.path, f.v1.remote, V1
	// API Gateway gives decoded parameters, a load balancer those of the URL.
	escape := url.QueryEscape
	if f.v1.elb {
		f.v1.shape = ALB
		escape = func(s string) string { return s }
	}
	var query []string
	add := func(name string, v []byte) error {
		value, ok := text(v)
		query = append(query, escape(name)+"="+escape(value))
		return syntax(ok)
	}
	err := error(nil)
	switch {
	case len(f.v1.multi) > 0 && !isNull(f.v1.multi):
		err = members(f.v1.multi, func(name string, v []byte) error {
			return elements(v, func(v []byte) error { return add(name, v) })
		})
	case len(f.v1.single) > 0 && !isNull(f.v1.single):
		err = members(f.v1.single, add)
	}
	f.query = strings.Join(query, "&")
	return err
}
