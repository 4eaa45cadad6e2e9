package lambda

import (
	"strings"
	"time"
)

// measure records a metric of a function, invoked as resource: its name, with or without a qualifier. version is the one that ran.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
func (s *Service) measure(name, resource, version string, value float64, unit string) {
	function, qualifier, _ := strings.Cut(resource, ":")
	m := Metric{Name: name, Function: function, Resource: resource, Unit: unit, Value: value, At: time.Now()}
	if qualifier != "" && qualifier != latest && qualifier != version {
		m.ExecutedVersion = version
	}
	s.services.Metrics.Record(m)
}

// measureInvocation records what became of one that ran.
func (s *Service) measureInvocation(resource, version string, failed bool, took time.Duration) {
	s.measure("Invocations", resource, version, 1, "Count")
	errors := 0.0
	if failed {
		errors = 1
	}
	s.measure("Errors", resource, version, errors, "Count")
	s.measure("Duration", resource, version, milliseconds(took), "Milliseconds")
}

// resourceOf returns what an ARN of a function says behind "function:".
func resourceOf(arn string) string {
	_, resource, _ := strings.Cut(arn, ":function:")
	return resource
}
