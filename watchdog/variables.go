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

// variables reads single values from an environment and keeps every error.
type variables struct {
	values map[string]string
	err    error
}

func newVariables(env []string) *variables {
	v := &variables{values: make(map[string]string, len(env))}
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

func (v *variables) number(name string, otherwise int) int {
	s := v.get(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || (n < 0 && name != "log_buffer_size") || (name == "port" && (n == 0 || n > 65535)) {
		v.fail(name, fmt.Sprintf("%q is not a number in its range", s))
		return otherwise
	}
	return n
}

func (v *variables) boolean(name string, otherwise bool) bool {
	s := v.get(name)
	if s == "" {
		return otherwise
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		v.fail(name, fmt.Sprintf("%q is neither true nor false", s))
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
		Debug: v.boolean("jwt_auth_debug", false), Local: v.boolean("jwt_auth_local", false),
		Name: v.get("OPENFAAS_NAME"), Namespace: v.get("OPENFAAS_NAMESPACE"),
	}
	if !v.boolean("jwt_auth", false) {
		return nil
	}
	if j.Name == "" {
		v.fail("OPENFAAS_NAME", "is empty: jwt_auth needs it")
	}
	return j
}
