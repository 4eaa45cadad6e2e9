package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
)

// provider returns a backend on the cloud, with images that run.
func (c *cloud) provider(t *testing.T, m made, change func(*aws.Options)) *aws.Backend {
	t.Helper()
	o := c.options("openfaas-fn", c.url.String(), time.Minute)
	o.TakeOver = 0
	o.Packager = m.packager()
	if change != nil {
		change(&o)
	}
	b, err := aws.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (c *cloud) versions(t *testing.T, function string) []string {
	t.Helper()
	out, err := c.lambda.ListVersionsByFunction(t.Context(), &lambda.ListVersionsByFunctionInput{FunctionName: &function})
	if err != nil {
		t.Fatal(err)
	}
	var numbers []string
	for _, v := range out.Versions {
		numbers = append(numbers, *v.Version)
	}
	return numbers
}

func ask(t *testing.T, b backend.Backend, function, body string) (string, error) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(body))
	answer, err := b.Invoke(t.Context(), backend.Name{Namespace: "openfaas-fn", Function: function}, r)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(answer.Body)
	return string(text), errors.Join(err, answer.Body.Close())
}

func generation(m made, function, value string) types.FunctionDeployment {
	return types.FunctionDeployment{Service: function, Namespace: "openfaas-fn", Image: m.image, EnvVars: map[string]string{"GENERATION": value}}
}

func TestDeploymentsAreVersions(t *testing.T) {
	cloud, m := newCloud(t), build(t)
	b := cloud.provider(t, m, nil)
	name := backend.Name{Namespace: "openfaas-fn", Function: "f"}
	deploy := func(value string) {
		t.Helper()
		if err := b.Deploy(t.Context(), generation(m, "f", value)); err != nil {
			t.Fatal(err)
		}
	}
	serves := func(want string) {
		t.Helper()
		status, err := b.Status(t.Context(), name)
		if err != nil || status.EnvVars["GENERATION"] != want || len(status.EnvVars) != 1 {
			t.Errorf("%v serves, %v, want %s", status.EnvVars, err, want)
		}
		if got, err := ask(t, b, "f", "hello"); err != nil || got != "hello" {
			t.Errorf("%q, %v", got, err)
		}
	}
	deploy("1")
	deploy("1") // nothing is new
	if got := cloud.versions(t, "f"); len(got) != 2 {
		t.Errorf("after the same deployment twice: versions %v", got)
	}
	serves("1")
	for _, value := range []string{"2", "3", "4", "5", "6"} {
		deploy(value)
		serves(value)
	}
	if got := strings.Join(cloud.versions(t, "f"), " "); got != "$LATEST 3 4 5 6" {
		t.Errorf("versions %s are kept", got)
	}
	var out bytes.Buffer
	if err := rollBack(t.Context(), b, name, "", &out); err != nil {
		t.Fatal(err)
	}
	serves("5")
	if err := b.Rollback(t.Context(), name, ""); err != nil {
		t.Fatal(err)
	}
	serves("4")
	all, err := b.Deployments(t.Context(), name)
	if err != nil || len(all) != 4 || !all[2].Serving || !strings.Contains(out.String(), all[1].ID) {
		t.Fatalf("%+v, %v; it said %q", all, err, out.String())
	}
	// By annotation, to what served last.
	d := generation(m, "f", "not looked at")
	d.Annotations = &map[string]string{"com.openfaas.lambda/rollback": all[0].ID}
	if err := b.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	serves("6")
	d.Service = "g"
	if err := b.Deploy(t.Context(), d); !errors.Is(err, backend.ErrInvalid) {
		t.Errorf("rollback of a function that is not there, by annotation: %v", err)
	}
	out.Reset()
	if err := listDeployments(t.Context(), b, name, &out); err != nil || strings.Count(out.String(), "\n") != 5 || strings.Count(out.String(), "yes") != 1 {
		t.Errorf("%v\n%s", err, out.String())
	}
	for _, id := range []string{"0123456789abcdef", "x"} {
		if err := b.Rollback(t.Context(), name, id); !errors.Is(err, backend.ErrInvalid) {
			t.Errorf("rollback to %s: %v", id, err)
		}
	}
	if err := b.Rollback(t.Context(), backend.Name{Namespace: "openfaas-fn", Function: "g"}, ""); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("rollback of a function that is not there: %v", err)
	}
	deploy("7")
	serves("7")
}

func TestInvocationsGoOnWhileTheirFunctionIsReplaced(t *testing.T) {
	cloud, m := newCloud(t), build(t)
	b := cloud.provider(t, m, nil)
	if err := b.Deploy(t.Context(), generation(m, "f", "1")); err != nil {
		t.Fatal(err)
	}
	// The answer is not read, and so the invocation goes on.
	body := bytes.Repeat([]byte("x"), 1<<20)
	answer, err := b.Invoke(t.Context(), backend.Name{Namespace: "openfaas-fn", Function: "f"}, httptest.NewRequestWithContext(t.Context(), "POST", "/", bytes.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"2", "3"} {
		if err := b.Deploy(t.Context(), generation(m, "f", value)); err != nil {
			t.Fatal(err)
		}
		if got, err := ask(t, b, "f", "new"); err != nil || got != "new" {
			t.Errorf("%q, %v", got, err)
		}
	}
	got, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes of %d, %v", len(got), len(body), err)
	}
}

// TestSeveralProvidersDeployAtOnce lets providers, which know nothing of each
// other, deploy one function.
func TestSeveralProvidersDeployAtOnce(t *testing.T) {
	cloud, m := newCloud(t), build(t)
	name := backend.Name{Namespace: "openfaas-fn", Function: "f"}
	var providers []*aws.Backend
	for range 4 {
		providers = append(providers, cloud.provider(t, m, nil))
	}
	won := 0
	for round := range 5 {
		errs := make([]error, len(providers))
		var all sync.WaitGroup
		for i, b := range providers {
			all.Go(func() { errs[i] = b.Deploy(t.Context(), generation(m, "f", strconv.Itoa(round)+"-"+strconv.Itoa(i))) })
		}
		all.Wait()
		winners := ""
		for i, err := range errs {
			switch {
			case err == nil:
				winners += " " + strconv.Itoa(round) + "-" + strconv.Itoa(i)
				won++
			case !errors.Is(err, backend.ErrConflict):
				t.Errorf("round %d: %v", round, err)
			}
		}
		status, err := cloud.provider(t, m, nil).Status(t.Context(), name)
		if err != nil || winners == "" || !strings.Contains(winners, status.EnvVars["GENERATION"]) {
			t.Errorf("round %d: %v serves, won has%s, %v: %v", round, status.EnvVars, winners, err, errs)
		}
		if status.AvailableReplicas == 0 {
			t.Errorf("round %d: it is not available", round)
		}
	}
	if got := cloud.versions(t, "f"); len(got) > 5 {
		t.Errorf("versions %v are left", got)
	}
	t.Logf("%d of 20 deployments won", won)
}

func TestScalingIsConcurrency(t *testing.T) {
	cloud, m := newCloud(t), build(t)
	b := cloud.provider(t, m, nil)
	name := backend.Name{Namespace: "openfaas-fn", Function: "f"}
	d := generation(m, "f", "1")
	d.Labels = &map[string]string{"com.openfaas.scale.min": "2", "com.openfaas.scale.max": "6"}
	if err := b.Deploy(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	concurrency := func(provisioned, reserved int32, replicas uint64) {
		t.Helper()
		function, err := cloud.lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: awssdk.String("f")})
		if err != nil {
			t.Fatal(err)
		}
		got := int32(-1)
		if function.Concurrency != nil {
			got = *function.Concurrency.ReservedConcurrentExecutions
		}
		config, err := cloud.lambda.GetProvisionedConcurrencyConfig(t.Context(), &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: awssdk.String("f"), Qualifier: awssdk.String("live")})
		var none *lambdatypes.ProvisionedConcurrencyConfigNotFoundException
		if errors.As(err, &none) {
			config, err = &lambda.GetProvisionedConcurrencyConfigOutput{RequestedProvisionedConcurrentExecutions: awssdk.Int32(0)}, nil
		}
		if err != nil || got != reserved || *config.RequestedProvisionedConcurrentExecutions != provisioned {
			t.Errorf("reserved %d, provisioned %d, %v: want %d and %d", got, *config.RequestedProvisionedConcurrentExecutions, err, reserved, provisioned)
		}
		status, err := b.Status(t.Context(), name)
		if err != nil || status.Replicas != replicas || status.AvailableReplicas != replicas {
			t.Errorf("replicas %d of %d, %v, want %d", status.AvailableReplicas, status.Replicas, err, replicas)
		}
	}
	concurrency(2, 6, 2)
	scale := func(n uint64) {
		t.Helper()
		if err := b.Scale(t.Context(), name, n); err != nil {
			t.Fatal(err)
		}
	}
	scale(4)
	concurrency(4, 6, 4)
	scale(9)
	concurrency(6, 6, 6)
	scale(1)
	concurrency(0, 6, 1)
	scale(0)
	concurrency(0, 0, 0)
	if _, err := ask(t, b, "f", "x"); !errors.Is(err, backend.ErrThrottled) {
		t.Errorf("a function scaled to zero answers %v", err)
	}
	scale(1)
	concurrency(0, 6, 1)
	if got, err := ask(t, b, "f", "x"); err != nil || got != "x" {
		t.Errorf("%q, %v", got, err)
	}
	d.Labels = &map[string]string{"com.openfaas.scale.zero": "true"}
	if err := b.Deploy(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	scale(0)
	if got, err := ask(t, b, "f", "x"); err != nil || got != "x" {
		t.Errorf("an idle function that may scale from zero: %q, %v", got, err)
	}
}

func TestFunctionsOfOthersAreAdopted(t *testing.T) {
	cloud, m := newCloud(t), build(t)
	for name, tags := range map[string]map[string]string{"legacy-a": nil, "tagged": {"faas-lambda:adopt": "true"}, "foreign": {"owner": "x"}, "legacy-kept": {"faas-lambda:adopt": "false"}} {
		_, err := cloud.lambda.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
			FunctionName: &name, Role: awssdk.String("arn:aws:iam::" + account + ":role/theirs"), Runtime: lambdatypes.RuntimeProvidedal2023, Handler: awssdk.String("h"),
			Code: &lambdatypes.FunctionCode{ZipFile: emptyZip}, Tags: tags, Environment: &lambdatypes.Environment{Variables: map[string]string{"PASSWORD": "secret"}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	b := cloud.provider(t, m, func(o *aws.Options) { o.AdoptPattern = "legacy-*" })
	if err := b.Deploy(t.Context(), generation(m, "ours", "1")); err != nil {
		t.Fatal(err)
	}
	list, err := b.List(t.Context(), "openfaas-fn")
	if err != nil || len(list) != 3 || list[0].Name != "legacy-a" || list[1].Name != "ours" || list[2].Name != "tagged" {
		t.Fatalf("%+v, %v", list, err)
	}
	if (*list[0].Annotations)["com.openfaas.lambda/adopted"] != "true" || list[0].AvailableReplicas != 1 || len(list[0].EnvVars) != 0 {
		t.Errorf("%+v", list[0])
	}
	for _, function := range []string{"legacy-a", "tagged", "foreign", "legacy-kept"} {
		name := backend.Name{Namespace: "openfaas-fn", Function: function}
		_, err := b.Status(t.Context(), name)
		if adopted := function == "legacy-a" || function == "tagged"; adopted && err != nil || !adopted && !errors.Is(err, backend.ErrNotFound) {
			t.Errorf("status of %s: %v", function, err)
		}
		for what, change := range map[string]func(context.Context) error{
			"deploy":   func(ctx context.Context) error { return b.Deploy(ctx, generation(m, function, "1")) },
			"delete":   func(ctx context.Context) error { return b.Delete(ctx, name) },
			"scale":    func(ctx context.Context) error { return b.Scale(ctx, name, 3) },
			"rollback": func(ctx context.Context) error { return b.Rollback(ctx, name, "") },
		} {
			if err := change(t.Context()); !errors.Is(err, backend.ErrConflict) || !strings.Contains(err.Error(), function) {
				t.Errorf("%s %s: %v", what, function, err)
			}
		}
	}
	out, err := cloud.lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: awssdk.String("tagged")})
	if err != nil || len(out.Tags) != 1 || awssdk.ToString(out.Configuration.Description) != "" {
		t.Errorf("an adopted function was changed: %+v, %v", out, err)
	}
}

// emptyZip is an archive with nothing in it.
var emptyZip = append([]byte("PK\x05\x06"), make([]byte, 18)...)

func TestLongRecordsLieInS3(t *testing.T) {
	cloud, m := newCloud(t), build(t)
	b := cloud.provider(t, m, nil)
	d := generation(m, "f", "1")
	for _, n := range []int{300_000, 10, 40_000} {
		long := incompressible(n)
		d.Annotations = &map[string]string{"long": long}
		if err := b.Deploy(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		other := cloud.provider(t, m, nil)
		status, err := other.Status(t.Context(), backend.NameOf(d))
		if err != nil || (*status.Annotations)["long"] != long {
			t.Errorf("%d characters came back as %d, %v", n, len((*status.Annotations)["long"]), err)
		}
		if list, err := other.List(t.Context(), "openfaas-fn"); err != nil || len(list) != 1 || (*list[0].Annotations)["long"] != long {
			t.Errorf("%d characters are not listed, %v", n, err)
		}
	}
}
