package emulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/faas-lambda/faas-lambda/emulator/faults"
	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

// Every service refuses in its own protocol, as its SDK's client reads it; the operation alone says what a fault is for.
func TestFaultsOfServices(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &h.http.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	}
	for _, c := range []struct {
		operation, throttled, failed string
		call                         func() error
	}{
		{"ListFunctions", "TooManyRequestsException", "ServiceException", func() error {
			_, err := lambda.NewFromConfig(cfg).ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
			return err
		}},
		{"ListBuckets", "SlowDown", "InternalError", func() error {
			_, err := s3.NewFromConfig(cfg).ListBuckets(t.Context(), &s3.ListBucketsInput{})
			return err
		}},
		{"GetCallerIdentity", "Throttling", "InternalFailure", func() error {
			_, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			return err
		}},
		{"ListSecrets", "ThrottlingException", "InternalFailure", func() error {
			_, err := secretsmanager.NewFromConfig(cfg).ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
			return err
		}},
		{"DescribeLogGroups", "ThrottlingException", "InternalFailure", func() error {
			_, err := cloudwatchlogs.NewFromConfig(cfg).DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{})
			return err
		}},
		{"ListMetrics", "ThrottlingException", "InternalFailure", func() error {
			_, err := cloudwatch.NewFromConfig(cfg).ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{})
			return err
		}},
	} {
		for _, f := range []struct {
			fault faults.Fault
			code  string
		}{
			{faults.Fault{Kind: faults.Throttle}, c.throttled},
			{faults.Fault{Kind: faults.Failure}, c.failed},
			{faults.Fault{Kind: faults.Failure, Status: 403, Code: "AccessDeniedException"}, "AccessDeniedException"},
		} {
			f.fault.Operation, f.fault.Count = c.operation, 1
			if _, err := h.Faults().Add(f.fault); err != nil {
				t.Fatal(err)
			}
			var api smithy.APIError
			if err := c.call(); !errors.As(err, &api) || api.ErrorCode() != f.code {
				t.Errorf("%s: %v, want %s", c.operation, err, f.code)
			}
			if err := c.call(); err != nil {
				t.Errorf("%s after the fault: %v", c.operation, err)
			}
		}
	}
}

// faultByHTTP asks for a fault as a user does, and returns its id.
func (h *harness) faultByHTTP(body string) string {
	h.t.Helper()
	resp, err := http.Post(h.http.URL+faults.Path, "application/json", bytes.NewReader([]byte(body)))
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	var added struct{ ID string }
	if err := errors.Join(err, json.Unmarshal(data, &added)); err != nil || resp.StatusCode != http.StatusCreated {
		h.t.Fatalf("%d %s: %v", resp.StatusCode, data, err)
	}
	return added.ID
}

// A function that is to be pending stays so until the fault is removed, and others do not.
func TestStuckPending(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	id := h.faultByHTTP(`{"kind":"pending","function":"stuck"}`)
	if _, err := h.Lambda.CreateFunction(t.Context(), lambdatest.CreateInput("stuck", nil)); err != nil {
		t.Fatal(err)
	}
	h.Deploy("other", nil)
	state := func() string {
		out, err := h.Lambda.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("stuck")})
		if err != nil {
			t.Fatal(err)
		}
		return string(out.State)
	}
	if got := state(); got != "Pending" {
		t.Errorf("state = %s", got)
	}
	if !h.Faults().Remove(id) {
		t.Error("no such fault")
	}
	h.Active("stuck")
}

// A call that is cut off afterwards has taken effect; one that is cut off before has not.
func TestCutOff(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	for _, after := range []string{"false", "true"} {
		h.faultByHTTP(`{"kind":"cut","count":1,"service":"lambda","operation":"CreateFunction","function":"f","after":` + after + `}`)
		if _, err := h.Lambda.CreateFunction(t.Context(), lambdatest.CreateInput("f", nil)); err == nil {
			t.Error("no error")
		}
		_, err := h.Lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
		if (err == nil) != (after == "true") {
			t.Errorf("after %s: %v", after, err)
		}
	}
}
