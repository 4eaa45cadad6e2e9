// Package notation reads what people write in annotations, labels, variables and
// limits: lists, ARNs, durations, quantities. It does not know what they are about;
// of Lambda it knows the sizes in which there are memory and processors.
package notation

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// List splits at commas and leaves out what is empty.
func List(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

var anyARN = regexp.MustCompile(`^arn:aws[a-z-]*:([a-z0-9-]+):[a-z0-9-]*:(?:[0-9]{12})?:[^\s,]+$`)

// Service returns whose an ARN is, as ARNs name services; empty when text is none.
func Service(text string) string {
	if m := anyARN.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// ARN says what is wrong with text where an ARN of one of the services is wanted.
func ARN(text string, services ...string) error {
	service := Service(text)
	if service == "" {
		return errors.New("not an ARN")
	}
	if !slices.Contains(services, service) {
		return fmt.Errorf("an ARN of %s", service)
	}
	return nil
}

// Duration reads a duration as OpenFaaS writes it: an integer is seconds,
// anything else is Go's form.
func Duration(text string) (time.Duration, error) {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("parse duration: %w", err)
	}
	return d, nil
}
