package config

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// checks collects what is wrong in a file, each with the way to it.
type checks struct{ errs []error }

func (c *checks) bad(where, format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...)))
}

// check returns an error for every value that cannot be used.
func (f *File) check() error {
	var c checks
	switch f.Kind {
	case "remote":
		if f.Remote == nil {
			c.bad("remote", "the section is missing: it names the url")
		}
	case "federation":
		if f.Federation == nil {
			c.bad("federation", "the section is missing: it names the children")
		}
	}
	c.aws("aws", f.AWS)
	c.remote("remote", f.Remote)
	c.federation("federation", f.Federation)
	return errors.Join(c.errs...)
}

func (c *checks) aws(at string, a *AWS) {
	if a == nil {
		return
	}
	c.roles(at, a.AssumeRole, a.ExecutionRole)
	if a.ManagedRolePath != "" && !rolePath.MatchString(a.ManagedRolePath) {
		c.bad(at+".managedRolePath", "%q: want %s", a.ManagedRolePath, rolePathForm)
	}
	if a.ManagedRoleBoundary != "" && !boundary.MatchString(a.ManagedRoleBoundary) {
		c.bad(at+".managedRoleBoundary", "%q: want %s", a.ManagedRoleBoundary, boundaryForm)
	}
	if _, err := path.Match(a.AdoptPattern, ""); err != nil {
		c.bad(at+".adoptPattern", "%q: want a pattern such as legacy-*", a.AdoptPattern)
	}
	c.namespaces(at+".namespaces", a.Namespaces)
	if a.Arch != "" && a.Arch != "amd64" && a.Arch != "arm64" {
		c.bad(at+".arch", "%q: want amd64 or arm64", a.Arch)
	}
	if a.Memory != 0 && (a.Memory < 128 || a.Memory > 10240) {
		c.bad(at+".memory", "%d: want a number from 128 to 10240", a.Memory)
	}
	if a.Timeout > Duration(900*time.Second) {
		c.bad(at+".timeout", "%s: want 15m at most", time.Duration(a.Timeout))
	}
	if a.CodeBucket != "" && !bucket.MatchString(a.CodeBucket) {
		c.bad(at+".codeBucket", "%q: want the name of an S3 bucket, or \"none\"", a.CodeBucket)
	}
	if a.ImageRepository != "" && !repository.MatchString(a.ImageRepository) {
		c.bad(at+".imageRepository", "%q: want %s", a.ImageRepository, repositoryForm)
	}
	if a.SecretAccessKey != "" && a.SecretAccessKeyFile != "" {
		c.bad(at+".secretAccessKey", "secretAccessKeyFile is given too: want one of them")
	}
	secret := a.SecretAccessKey != "" || a.SecretAccessKeyFile != ""
	switch {
	case a.Endpoint != "":
		c.url(at+".endpoint", a.Endpoint)
		if a.Region == "" || a.AccessKeyID == "" || !secret {
			c.bad(at+".endpoint", "it needs region, accessKeyId and secretAccessKey")
		}
	case a.AccessKeyID != "" || secret:
		c.bad(at+".accessKeyId", "an access key is for endpoint alone: AWS's own credentials come from the environment, or from assumeRole")
	}
}

// roles checks the role to act in, and what functions run as.
func (c *checks) roles(at, assume, execution string) {
	if assume != "" && !role.MatchString(assume) {
		c.bad(at+".assumeRole", "%q: want the ARN of an IAM role", assume)
	}
	if execution != "" && !isRole(execution) {
		c.bad(at+".executionRole", "%q: want %s", execution, roleForm)
	}
}

func (c *checks) namespaces(at string, list []AWSNamespace) {
	seen := map[string]bool{}
	for i, ns := range list {
		at := fmt.Sprintf("%s[%d]", at, i)
		if !label.MatchString(ns.Name) {
			c.bad(at+".name", "%q: want lower case letters, digits and -, at most 63", ns.Name)
		}
		if seen[ns.Name] {
			c.bad(at+".name", "%q is there twice", ns.Name)
		}
		seen[ns.Name] = true
		c.roles(at, ns.AssumeRole, ns.ExecutionRole)
	}
}

func (c *checks) url(at, value string) {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		c.bad(at, "%q: want http://HOST or https://HOST, without user and query", redacted(value))
	}
}

// redacted is a URL for an error message.
func redacted(value string) string {
	if u, err := url.Parse(value); err == nil {
		return u.Redacted()
	}
	return "…"
}

func (c *checks) remote(at string, r *Remote) {
	if r == nil {
		return
	}
	c.url(at+".url", r.URL)
	for _, pair := range [][3]string{{"user", r.User, r.UserFile}, {"password", r.Password, r.PasswordFile}, {"token", r.Token, r.TokenFile}} {
		if pair[1] != "" && pair[2] != "" {
			c.bad(at+"."+pair[0], "%sFile is given too: want one of them", pair[0])
		}
	}
	user, password, token := r.User+r.UserFile != "", r.Password+r.PasswordFile != "", r.Token+r.TokenFile != ""
	if user != password {
		c.bad(at+".user", "basic auth wants a user and a password")
	}
	if token && (user || password) {
		c.bad(at+".token", "basic auth and a bearer token exclude each other")
	}
	if (r.CertFile == "") != (r.KeyFile == "") {
		c.bad(at+".certFile", "a client certificate wants certFile and keyFile")
	}
	if r.Retries != nil && (*r.Retries < 0 || *r.Retries > 10) {
		c.bad(at+".retries", "%d: want a number from 0 to 10", *r.Retries)
	}
	if r.MaxIdleConns < 0 {
		c.bad(at+".maxIdleConns", "%d: want a number from 0", r.MaxIdleConns)
	}
}

// childName is what a child may be called: it stands in annotations, headers and
// metrics, and in paths of names.
var childName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func (c *checks) federation(at string, f *Federation) {
	if f == nil {
		return
	}
	if f.Name != "" && !childName.MatchString(f.Name) {
		c.bad(at+".name", "%q: want lower case letters, digits and -", f.Name)
	}
	if len(f.Children) == 0 {
		c.bad(at+".children", "there are none")
	}
	var names []string
	for i, child := range f.Children {
		where := fmt.Sprintf("%s.children[%d]", at, i)
		if !childName.MatchString(child.Name) {
			c.bad(where+".name", "%q: want lower case letters, digits and -", child.Name)
		} else if slices.Contains(names, child.Name) {
			c.bad(where+".name", "%q is there twice", child.Name)
		}
		names = append(names, child.Name)
		c.child(where, child)
	}
	c.among(at+".default", f.Default, names)
	for i, rule := range f.Rules {
		where := fmt.Sprintf("%s.rules[%d]", at, i)
		c.among(where+".to", rule.To, names)
		if rule == (Rule{To: rule.To}) {
			c.bad(where, "it has no condition: what fits no rule goes to the default")
		}
		c.patterns(where, rule.Namespace, rule.Function, rule.Image, rule.Constraint, rule.Label, rule.Annotation)
	}
	if f.Secrets != "" && f.Secrets != "everywhere" && f.Secrets != "by-function" {
		c.bad(at+".secrets", "%q: want everywhere or by-function", f.Secrets)
	}
	for key, n := range map[string]int{"failures": f.Failures, "replayBytes": f.ReplayBytes, "replayMemory": f.ReplayMemory} {
		if n < 0 {
			c.bad(at+"."+key, "%d: want a number from 0", n)
		}
	}
}

func (c *checks) child(at string, child Child) {
	n := 0
	for _, there := range []bool{child.AWS != nil, child.Memory != nil, child.Remote != nil} {
		if there {
			n++
		}
	}
	if n != 1 {
		c.bad(at, "it has %d of aws, memory and remote: want one", n)
	}
	c.aws(at+".aws", child.AWS)
	c.remote(at+".remote", child.Remote)
	c.patterns(at+".namespaces", child.Namespaces...)
	c.patterns(at+".constraints", child.Constraints...)
}

func (c *checks) among(at, name string, names []string) {
	if !slices.Contains(names, name) {
		c.bad(at, "%q is no child: want one of %s", name, strings.Join(names, ", "))
	}
}

func (c *checks) patterns(at string, patterns ...string) {
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil {
			c.bad(at, "pattern %q: %s", pattern, err)
		}
	}
}
