package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// values reads variables and collects an error for each that is bad.
type values struct {
	getenv   func(string) string
	errs     []error
	settings []Setting // what was asked for
}

// about takes note of a variable.
func (v *values) about(name, fallback, bounds, meaning string) {
	v.settings = append(v.settings, Setting{name, fallback, bounds, meaning})
}

func (v *values) bad(name, value, want string) {
	v.errs = append(v.errs, fmt.Errorf("read configuration: %s=%q: want %s", name, value, want))
}

func (v *values) text(name, fallback, meaning string) string {
	v.about(name, fallback, "", meaning)
	if s := v.getenv(name); s != "" {
		return s
	}
	return fallback
}

func (v *values) match(name, value string, pattern *regexp.Regexp, want string) {
	if !pattern.MatchString(value) {
		v.bad(name, value, want)
	}
}

func (v *values) number(name string, fallback, low, high int, meaning string) int {
	v.about(name, strconv.Itoa(fallback), fmt.Sprintf("%d to %d", low, high), meaning)
	s := v.getenv(name)
	if s == "" {
		return fallback
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		v.bad(name, s, fmt.Sprintf("a number from %d to %d", low, high))
		return fallback
	}
	return n
}

// duration reads a time as OpenFaaS writes it: whole seconds, or Go's form.
func (v *values) duration(name string, fallback, low, high time.Duration, meaning string) time.Duration {
	v.about(name, short(fallback), short(low)+" to "+short(high), meaning)
	s := v.getenv(name)
	if s == "" {
		return fallback
	}
	d, err := parseDuration(s)
	if err != nil || d < low || d > high {
		v.bad(name, s, fmt.Sprintf("a duration such as 30 or 1m30s, from %s to %s", low, high))
		return fallback
	}
	return d
}

// parseDuration reads a duration as OpenFaaS writes it: an integer is seconds,
// anything else is Go's form.
func parseDuration(s string) (time.Duration, error) {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	return time.ParseDuration(s)
}

// short writes a duration without the zeros that Go adds: 1m, not 1m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (v *values) boolean(name string, fallback bool, meaning string) bool {
	v.about(name, strconv.FormatBool(fallback), "", meaning)
	switch s := v.getenv(name); s {
	case "":
		return fallback
	case "true", "1":
		return true
	case "false", "0":
		return false
	default:
		v.bad(name, s, "true or false")
		return fallback
	}
}

func (v *values) list(name, meaning string) []string {
	v.about(name, "", "", meaning)
	var out []string
	for part := range strings.SplitSeq(v.getenv(name), ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
