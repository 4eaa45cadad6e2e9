package watchdog

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// variables reads single values from an environment as a kind of watchdog does,
// and keeps every error and warning.
type variables struct {
	kind     Kind
	values   map[string]string
	warnings []string
	err      error
}

func newVariables(kind Kind, env []string) *variables {
	v := &variables{kind: kind, values: make(map[string]string, len(env))}
	for _, kv := range env {
		if name, value, ok := strings.Cut(kv, "="); ok {
			v.values[name] = value
		}
	}
	return v
}

func (v *variables) fail(name, why string) {
	v.err = errors.Join(v.err, fmt.Errorf("%s: %s", name, why))
}

func (v *variables) get(name string) string { return v.values[name] }

func (v *variables) has(name string) bool { _, ok := v.values[name]; return ok }

// warn says that a value was passed over.
func (v *variables) warn(name, why string) {
	v.warnings = append(v.warnings, fmt.Sprintf("%s: %q %s", name, v.get(name), why))
}

// number reads a number from 0 to limit. As in the watchdogs, what is none does
// not keep a function from starting.
func (v *variables) number(name string, otherwise, limit int) int {
	s := v.get(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > limit {
		v.warn(name, fmt.Sprintf("is no number from 0 to %d: %d is used", limit, otherwise))
		return otherwise
	}
	return n
}

// port is a number but 0, on which of-watchdog would listen on any port.
func (v *variables) port() int {
	n := v.number("port", 8080, 65535)
	if n == 0 {
		v.warn("port", "is no port: 8080 is used")
		return 8080
	}
	return n
}

// flag reads a boolean that is false when it is not set. "true" sets it, and "1"
// as well where the watchdog is not the classic one; every other value is false.
func (v *variables) flag(name string) bool { return v.boolean(name, false) }

// boolean is flag for a value that may be true when it is not set.
func (v *variables) boolean(name string, otherwise bool) bool {
	switch s := v.get(name); s {
	case "":
		return otherwise
	case "true":
		return true
	case "1":
		return v.kind != Classic
	case "false", "0":
	default:
		v.warn(name, "is taken for false")
	}
	return false
}

// anyBoolean takes every spelling that strconv.ParseBool does, as of-watchdog
// does for the settings of its logs, and otherwise for what is none.
func (v *variables) anyBoolean(name string, otherwise bool) bool {
	s := v.get(name)
	if s == "" {
		return otherwise
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		v.warn(name, fmt.Sprintf("is neither true nor false: %t is used", otherwise))
		return otherwise
	}
	return b
}

// duration reads whole seconds or a Go duration; anything else is otherwise.
func (v *variables) duration(name string, otherwise time.Duration) time.Duration {
	s := v.get(name)
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return time.Duration(min(n, math.MaxInt64/int(time.Second))) * time.Second
	}
	if d, err := time.ParseDuration(s); err == nil {
		return d
	}
	return otherwise
}

func (v *variables) upstream() *url.URL {
	name := "upstream_url"
	if v.has("http_upstream_url") {
		name = "http_upstream_url"
	}
	raw := v.get(name)
	if raw == "" {
		v.fail(name, "is empty: mode http needs the address on which the function listens")
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		v.fail(name, fmt.Sprintf("%q is not an http or https URL", raw))
		return nil
	}
	return u
}

func (v *variables) jwt() *JWTConfig {
	j := &JWTConfig{
		Debug: v.flag("jwt_auth_debug"), Local: v.flag("jwt_auth_local"),
		Name: v.get("OPENFAAS_NAME"), Namespace: v.get("OPENFAAS_NAMESPACE"),
	}
	if !v.flag("jwt_auth") {
		return nil
	}
	if j.Name == "" {
		v.fail("OPENFAAS_NAME", "is empty: jwt_auth needs it")
	}
	return j
}
