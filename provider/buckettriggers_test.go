package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/emulator/faults"
	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
)

// TestBucketTriggersThatOverlap: S3 does not take two notifications of one event.
// A new one of a function takes the place of its old one, and gives it back when
// the deployment fails; another function's stays.
func TestBucketTriggersThatOverlap(t *testing.T) {
	c := newCloud(t)
	c.runs = started
	b, err := aws.Open(t.Context(), c.options("openfaas-fn", c.url.String(), time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: awssdk.String("uploads")}); err != nil {
		t.Fatal(err)
	}
	deploy := func(function, trigger string) error {
		return b.Deploy(t.Context(), types.FunctionDeployment{
			Service: function, Namespace: "openfaas-fn", Image: c.images["old"], EnvVars: map[string]string{"TRIGGER": trigger},
			Annotations: &map[string]string{"com.openfaas.lambda/s3": trigger},
		})
	}
	notifications := func() string {
		t.Helper()
		out, err := c.s3.GetBucketNotificationConfiguration(t.Context(), &s3.GetBucketNotificationConfigurationInput{Bucket: awssdk.String("uploads")})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, n := range out.LambdaFunctionConfigurations {
			var rules string
			if n.Filter != nil {
				for _, r := range n.Filter.Key.FilterRules {
					rules += " " + *r.Value
				}
			}
			parts := strings.Split(*n.LambdaFunctionArn, ":")
			all = append(all, parts[len(parts)-2]+rules)
		}
		return strings.Join(all, ", ")
	}
	const overlaps = "annotation com.openfaas.lambda/s3: notify of bucket uploads: Configuration is ambiguously defined."
	for _, step := range []struct {
		function, trigger, fault string // operation that fails once
		kind                     error
		says, want               string
	}{
		{"first", "uploads?prefix=in/", "", nil, "", "first in/"},
		{"first", "uploads?prefix=in/&suffix=.jpg", "", nil, "", "first in/ .jpg"},
		{"first", "uploads?prefix=in/&suffix=.jpg", "", nil, "", "first in/ .jpg"},
		{"second", "uploads", "", backend.ErrInvalid, overlaps, "first in/ .jpg"},
		{"second", "uploads?prefix=out/", "", nil, "", "first in/ .jpg, second out/"},
		{"second", "uploads?prefix=in/a", "", backend.ErrInvalid, overlaps, "first in/ .jpg, second out/"},
		{"first", "uploads?prefix=i", "UpdateAlias", backend.ErrInvalid, "A fault was asked for", "second out/, first in/ .jpg"},
		{"first", "uploads?prefix=in/a,uploads?prefix=in/ab", "", backend.ErrInvalid, overlaps, "second out/, first in/ .jpg"},
		{"first", "uploads?prefix=in/,uploads?prefix=on/", "", nil, "", "second out/, first in/, first on/"},
	} {
		if step.fault != "" {
			if _, err := c.server.Faults().Add(faults.Fault{Service: "lambda", Operation: step.fault, Kind: faults.Failure, Status: 400, Code: "InvalidParameterValueException", Count: 1}); err != nil {
				t.Fatal(err)
			}
		}
		err := deploy(step.function, step.trigger)
		if !errors.Is(err, step.kind) || err != nil && !strings.Contains(err.Error(), step.says) {
			t.Errorf("%s by %s: %v, want %v %q", step.function, step.trigger, err, step.kind, step.says)
		}
		if got := notifications(); got != step.want {
			t.Errorf("%s by %s: the bucket notifies %q, want %q", step.function, step.trigger, got, step.want)
		}
	}
}
