package lambda

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// Patterns as AWS states them in its errors.
const (
	createNamePattern = `(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?`
	namePattern       = `(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?`
	qualifierPattern  = `\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+`
	resourcePattern   = `arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)`
)

var (
	createNameRegexp = whole(createNamePattern)
	nameRegexp       = whole(namePattern)
	qualifierRegexp  = whole(qualifierPattern)
	resourceRegexp   = whole(resourcePattern)
)

// whole matches as AWS does: all of the value.
func whole(pattern string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + pattern + `)$`) }

// Lengths as AWS states them in its errors.
const (
	maxName       = 64 // of the bare name
	maxCreateName = 140
	maxNameValue  = 256
	maxQualifier  = 128
)

const latest = "$LATEST"

// ref is a parsed function name: name, name:qualifier, partial or full ARN.
type ref struct {
	name      string
	qualifier string // as given, in the name or beside it; "" for none
	region    string // "" when not given
	account   string // "" when not given
}

// parseRef reads a name that matches one of the patterns.
func parseRef(value string, pattern *regexp.Regexp) (ref, bool) {
	m := pattern.FindStringSubmatch(value)
	if m == nil {
		return ref{}, false
	}
	return ref{
		region:    strings.TrimSuffix(m[3], ":"),
		account:   strings.TrimSuffix(m[9], ":"),
		name:      m[11],
		qualifier: strings.TrimPrefix(m[12], ":"),
	}, true
}

// arn of a function, without qualifier.
func (s *Service) arn(name string) string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", s.opts.Region, s.opts.Account, name)
}

// named reads the function that a request speaks of, with what it says beside the name.
func (s *Service) named(value, qualifier string) (ref, error) {
	var c constraints
	if qualifier != "" {
		c.length("qualifier", qualifier, 1, maxQualifier)
		c.pattern("qualifier", qualifier, qualifierRegexp, qualifierPattern)
	}
	r, ok := parseRef(value, nameRegexp)
	c.length("functionName", value, 1, maxNameValue)
	if !ok {
		c.failed("functionName", value, "Member must satisfy regular expression pattern: "+namePattern)
	}
	if err := c.err(); err != nil {
		return ref{}, err
	}
	if qualifier != "" {
		if r.qualifier != "" && r.qualifier != qualifier {
			return ref{}, invalidParameter("The derived qualifier from the function name does not match the specified qualifier.")
		}
		r.qualifier = qualifier
	}
	return r, s.reachable(r)
}

// reachable refuses names of another region or account.
func (s *Service) reachable(r ref) error {
	if r.region != "" && r.region != s.opts.Region {
		return notFound("Functions from '%s' are not reachable in this region ('%s')", r.region, s.opts.Region)
	}
	if r.account != "" && r.account != s.opts.Account {
		return &apiError{status: http.StatusForbidden, code: "AccessDeniedException", plain: true}
	}
	return nil
}

// missing is the error for a function or qualifier that is not there; it repeats the qualifier that was asked for.
func (s *Service) missing(r ref) error {
	arn := s.arn(r.name)
	if r.qualifier != "" {
		arn += ":" + r.qualifier
	}
	return notFound("Function not found: %s", arn)
}
