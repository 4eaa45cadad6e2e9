package lambda

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

func (h *harness) publish(name string) string {
	h.t.Helper()
	out, err := h.Lambda.PublishVersion(h.t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String(name)})
	if err != nil {
		h.t.Fatal(err)
	}
	return aws.ToString(out.Version)
}

func (h *harness) setVariable(name, value string) {
	h.t.Helper()
	_, err := h.Lambda.UpdateFunctionConfiguration(h.t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String(name), Environment: lambdatest.Vars("AA", value)})
	if err != nil {
		h.t.Fatal(err)
	}
	h.Updated(name)
}

func (h *harness) alias(name, alias, version string) {
	h.t.Helper()
	_, err := h.Lambda.CreateAlias(h.t.Context(), &lambda.CreateAliasInput{FunctionName: aws.String(name), Name: aws.String(alias), FunctionVersion: aws.String(version)})
	if err != nil {
		h.t.Fatal(err)
	}
}

const tellVersion = `{"Do":"sh","Text":"echo $AA $AWS_LAMBDA_FUNCTION_VERSION $AWS_LAMBDA_INITIALIZATION_TYPE"}`

// Each version runs what it was when it was published, whatever becomes of $LATEST, also after a restart.
func TestVersionsRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := start(t, Options{Dir: dir})
	h.Deploy("f", func(in *lambda.CreateFunctionInput) { in.Environment, in.Publish = lambdatest.Vars("AA", "one"), true })
	if got := h.publish("f"); got != "1" {
		t.Errorf("published again without a change: %s", got)
	}
	h.setVariable("f", "two")
	if got := h.publish("f"); got != "2" {
		t.Errorf("version = %s", got)
	}
	h.setVariable("f", "three")
	h.alias("f", "live", "1")
	for range 2 {
		for target, want := range map[string]string{
			"f": "three $LATEST", "f:$LATEST": "three $LATEST", "f:1": "one 1", lambdatest.ARN + "f:2": "two 2", "f:live": "one 1",
		} {
			out := h.Invoke(target, tellVersion)
			_, version, _ := strings.Cut(want, " ")
			if got := string(out.Payload); got != want+" on-demand" || aws.ToString(out.ExecutedVersion) != version {
				t.Errorf("%s: answer = %q of version %s, want %q", target, got, aws.ToString(out.ExecutedVersion), want)
			}
			if log := tailOf(t, out); !strings.Contains(log, "Version: "+version) {
				t.Errorf("%s: log = %s", target, log)
			}
		}
		h.stop()
		h = start(t, Options{Dir: dir})
	}
	_, err := h.Lambda.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: aws.String("f"), Qualifier: aws.String("1")})
	lambdatest.WantError(t, err, "ResourceConflictException", "")
	if _, err := h.Lambda.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: aws.String("f"), Qualifier: aws.String("2")}); err != nil {
		t.Error(err)
	}
	_, err = h.TryInvoke(t.Context(), "f:2", "{}")
	lambdatest.WantError(t, err, "ResourceNotFoundException", "Function not found: "+lambdatest.ARN+"f:2")
}

// Moving an alias lets what is under way on the old version end there.
func TestAliasMoves(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", func(in *lambda.CreateFunctionInput) { in.Environment, in.Publish = lambdatest.Vars("AA", "old"), true })
	h.setVariable("f", "new")
	h.publish("f")
	h.alias("f", "live", "1")
	s := shake(h)
	done := make(chan error)
	go func() {
		_, err := h.TryInvoke(t.Context(), "f:live", `{"Do":"get","Wait":"`+inside+`/"}`)
		done <- err
	}()
	<-s.reached
	_, err := h.Lambda.UpdateAlias(t.Context(), &lambda.UpdateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("2")})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(h.Invoke("f:live", tellVersion).Payload); got != "new 2 on-demand" {
		t.Errorf("after the move: %q", got)
	}
	s.goOn <- struct{}{}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAliasWeights(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", func(in *lambda.CreateFunctionInput) { in.Environment, in.Publish = lambdatest.Vars("AA", "one"), true })
	h.setVariable("f", "two")
	h.publish("f")
	_, err := h.Lambda.CreateAlias(t.Context(), &lambda.CreateAliasInput{
		FunctionName: aws.String("f"), Name: aws.String("both"), FunctionVersion: aws.String("1"),
		RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0.5}},
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for range 40 { // one in 2^39 runs sees one version only
		seen[aws.ToString(h.Invoke("f:both", "{}").ExecutedVersion)]++
	}
	if seen["1"] == 0 || seen["2"] == 0 || len(seen) != 2 {
		t.Errorf("versions = %v", seen)
	}
}

func TestProvisionedConcurrency(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", func(in *lambda.CreateFunctionInput) { in.Environment, in.Publish = lambdatest.Vars("AA", "one"), true })
	h.alias("f", "live", "1")
	name, qualifier := aws.String("f"), aws.String("live")
	put, err := h.Lambda.PutProvisionedConcurrencyConfig(t.Context(), &lambda.PutProvisionedConcurrencyConfigInput{
		FunctionName: name, Qualifier: qualifier, ProvisionedConcurrentExecutions: aws.Int32(2),
	})
	if err != nil || put.Status != types.ProvisionedConcurrencyStatusEnumInProgress {
		t.Fatalf("put = %+v, %v", put, err)
	}
	ready := func() bool {
		out, err := h.Lambda.GetProvisionedConcurrencyConfig(t.Context(), &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: name, Qualifier: qualifier})
		return err == nil && out.Status == types.ProvisionedConcurrencyStatusEnumReady && *out.AvailableProvisionedConcurrentExecutions == 2
	}
	lambdatest.WaitFor(t, "ready", ready)
	out := h.Invoke("f:live", tellVersion)
	if got := string(out.Payload); got != "one 1 provisioned-concurrency" {
		t.Errorf("answer = %q", got)
	}
	if log := tailOf(t, out); strings.Contains(log, "Init Duration") {
		t.Errorf("a provisioned sandbox started cold: %s", log)
	}
	h.fleet.reapBefore(time.Now().Add(time.Hour))
	if !ready() {
		t.Error("idle provisioned sandboxes were ended")
	}
	h.Invoke("f:live", `{"Do":"exit"}`)
	lambdatest.WaitFor(t, "ready again", ready)
	if _, err := h.Lambda.DeleteProvisionedConcurrencyConfig(t.Context(), &lambda.DeleteProvisionedConcurrencyConfigInput{FunctionName: name, Qualifier: qualifier}); err != nil {
		t.Fatal(err)
	}
	lambdatest.WaitFor(t, "started on demand", func() bool {
		h.fleet.reapBefore(time.Now().Add(time.Hour))
		return string(h.Invoke("f:live", tellVersion).Payload) == "one 1 on-demand"
	})
}
