package aws

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/trigger/triggertest"
)

// firstTags are the tags of a function of the first program.
func firstTags(t *testing.T) map[string]string {
	t.Helper()
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err == nil {
		_, err = w.Write([]byte(`{"deployed":{"service":"","image":"image","annotations":{"long":"` + noise(1000) + `"}},"created":"2026-01-02T03:04:05Z","replicas":3}`))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawStdEncoding.EncodeToString(packed.Bytes())
	tags, pieces := map[string]string{tagService: "hello", tagNamespace: "openfaas-fn"}, 0
	for sum := crc32.ChecksumIEEE([]byte(text)); text != ""; pieces++ {
		n := min(len(text), maxTagValue)
		tags[piece(pieces)], text = text[:n], text[n:]
		tags[tagRecord] = fmt.Sprintf("1:%d:%08x", pieces+1, sum)
	}
	return tags
}

func TestFunctionsFromBeforeVersionsKeepWorking(t *testing.T) {
	f := newFakeLambda(t)
	function := &fakeFunction{tags: firstTags(t), config: map[string]any{
		"FunctionName": "hello", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:hello", "CodeSha256": "sha", "State": "Active",
		"Environment": map[string]any{"Variables": map[string]any{"OLD": "1"}},
	}}
	function.touch()
	f.functions["hello"] = function
	status, err := f.Status(t.Context(), hello)
	if err != nil || status.EnvVars["OLD"] != "1" || status.Replicas != 3 || status.AvailableReplicas != 3 || len((*status.Annotations)["long"]) != 1000 {
		t.Fatalf("%+v, %v", status, err)
	}
	if to, err := f.target(t.Context(), hello); err != nil || to.Qualifier != "" {
		t.Errorf("it is invoked at %q, %v", to.Qualifier, err)
	}
	if list, err := f.List(t.Context(), "openfaas-fn"); err != nil || len(list) != 1 || f.changes() != nil {
		t.Errorf("%v, %v, changes %v", list, err, f.changes())
	}
	// What it was is published before an update touches it.
	if err := f.deploy(t.Context(), t, types.FunctionDeployment{EnvVars: map[string]string{"NEW": "2"}}, "zip"); err != nil {
		t.Fatal(err)
	}
	all, err := f.Deployments(t.Context(), hello)
	if err != nil || len(all) != 2 || !all[0].Serving || function.live != 2 {
		t.Errorf("%+v, %v, version %d serves", all, err, function.live)
	}
	if status, err = f.Status(t.Context(), hello); err != nil || status.EnvVars["NEW"] != "2" || len(status.EnvVars) != 1 || status.CreatedAt.Year() != 2026 {
		t.Errorf("%+v, %v", status, err)
	}
	if err := f.Rollback(t.Context(), hello, ""); err != nil {
		t.Fatal(err)
	}
	if status, err = f.Status(t.Context(), hello); err != nil || status.EnvVars["OLD"] != "1" || len(status.EnvVars) != 1 || len((*status.Annotations)["long"]) != 1000 {
		t.Errorf("rolled back: %+v, %v", status, err)
	}
	if to, err := f.target(t.Context(), hello); err != nil || to.Qualifier != liveAlias {
		t.Errorf("it is invoked at %q, %v", to.Qualifier, err)
	}
}

// TestAgeIsByOneClock is about providers whose clocks are wrong: how old a change
// is says AWS's clock alone.
func TestAgeIsByOneClock(t *testing.T) {
	now := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC) // far from this machine's
	for _, c := range []struct {
		name     string
		takeOver time.Duration
		changed  string
		want     bool
	}{
		{"just now", time.Minute, now.Format(lastModified), false},
		{"a little ago", time.Minute, now.Add(-30 * time.Second).Format(lastModified), false},
		{"in another zone", time.Minute, now.Add(-30 * time.Second).In(time.FixedZone("", 3600)).Format(lastModified), false},
		{"long ago", time.Minute, now.Add(-time.Minute).Format(lastModified), true},
		{"in the same second", time.Minute, now.Add(time.Second).Format(lastModified), false},
		{"at once", -1, now.Format(lastModified), true},
	} {
		b := &Backend{opts: Options{TakeOver: c.takeOver}}
		f := &found{at: now, config: lambdatypes.FunctionConfiguration{LastModified: &c.changed}}
		if got := b.abandoned(f); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

// TestAnotherProvidersChangeIsLeftAloneForAWhile finds what another provider is
// in the middle of.
func TestAnotherProvidersChangeIsLeftAloneForAWhile(t *testing.T) {
	f := newFakeLambda(t)
	if err := f.deploy(t.Context(), t, types.FunctionDeployment{EnvVars: map[string]string{"AA": "old"}}, "zip"); err != nil {
		t.Fatal(err)
	}
	function := f.functions["hello"]
	function.config["Description"] = *mark{strings.Repeat("a", 16), "01234567"}.description("new")
	function.config["Environment"] = map[string]any{"Variables": map[string]any{"AA": "new"}}
	function.touch()
	f.calls = nil
	f.cache.forget(hello)
	if list, err := f.List(t.Context(), "openfaas-fn"); err != nil || len(list) != 1 || list[0].EnvVars["AA"] != "old" || f.changes() != nil {
		t.Errorf("%+v, %v, changes %v", list, err, f.changes())
	}
	for what, change := range map[string]func() error{
		"deploy":   func() error { return f.deploy(t.Context(), t, types.FunctionDeployment{}, "zip") },
		"delete":   func() error { return f.Delete(t.Context(), hello) },
		"scale":    func() error { return f.Scale(t.Context(), hello, 5) },
		"rollback": func() error { return f.Rollback(t.Context(), hello, "") },
	} {
		if err := change(); !errors.Is(err, backend.ErrConflict) || !strings.Contains(err.Error(), "in progress") {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Three minutes later its provider is taken to be gone.
	function.config["LastModified"] = time.Now().UTC().Add(-3 * time.Minute).Format(lastModified)
	f.home.listing.expire()
	if list, err := f.List(t.Context(), "openfaas-fn"); err != nil || len(list) != 1 || list[0].EnvVars["AA"] != "old" {
		t.Errorf("%+v, %v", list, err)
	}
	current, err := f.get(t.Context(), hello)
	if err != nil || current.state() != settled || variables(current.config)["AA"] != "old" {
		t.Errorf("state %d, %v, %v", current.state(), variables(current.config), err)
	}
}

func TestNamespacesHaveTheirPlaces(t *testing.T) {
	b, err := Open(t.Context(), Options{
		Namespace: "openfaas-fn", Role: "own", Endpoint: "http://127.0.0.1:1", Region: "us-east-1", AccessKey: "a", SecretKey: "s",
		Accounts: map[string]AccountOptions{"openfaas-fn": {AssumeRole: "home"}, "conf": {AssumeRole: "conf-role", Region: "eu-west-1", Role: "conf-run"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	annotated := map[string]string{namespaceAssume: "a-role", namespaceRegion: "eu-north-1", namespaceRole: "a-run"}
	b.spaces.all, b.spaces.at = map[string]types.FunctionNamespace{
		"plain": {Name: "plain"}, "moved": {Name: "moved", Annotations: annotated}, "conf": {Name: "conf", Annotations: map[string]string{namespaceRegion: "eu-south-1"}},
	}, time.Now()
	for _, c := range []struct{ namespace, assumes, region, runs string }{
		{"openfaas-fn", "home", "us-east-1", "own"},
		{"plain", "home", "us-east-1", "own"},
		{"moved", "a-role", "eu-north-1", "a-run"},
		{"conf", "conf-role", "eu-south-1", "conf-run"},
	} {
		a, err := b.accountOf(t.Context(), c.namespace)
		if err != nil || a.key.AssumeRole != c.assumes || a.config.Region != c.region || a.role != c.runs || a.lambda.Options().Region != c.region {
			t.Errorf("%s: %+v, region %s, role %s, %v", c.namespace, a.key, a.config.Region, a.role, err)
		}
		again, err := b.accountOf(t.Context(), c.namespace)
		if err != nil || again != a {
			t.Errorf("%s: its clients are made twice", c.namespace)
		}
	}
	names, err := b.Namespaces(t.Context())
	if err != nil || strings.Join(names, " ") != "openfaas-fn conf moved plain" {
		t.Errorf("%v, %v", names, err)
	}
	for name, ns := range map[string]types.FunctionNamespace{
		"odd name":           {Name: "A"},
		"no ARN":             {Name: "a", Annotations: map[string]string{namespaceAssume: "admin"}},
		"no region":          {Name: "a", Annotations: map[string]string{namespaceRegion: "Frankfurt"}},
		"unknown annotation": {Name: "a", Annotations: map[string]string{annotations.Prefix + "x": "y"}},
	} {
		if err := b.CreateNamespace(t.Context(), ns); !errors.Is(err, backend.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := b.CreateNamespace(t.Context(), types.FunctionNamespace{Name: "conf"}); !errors.Is(err, backend.ErrExists) {
		t.Errorf("one of the configuration: %v", err)
	}
	if err := b.DeleteNamespace(t.Context(), "conf"); !errors.Is(err, backend.ErrConflict) {
		t.Errorf("delete one of the configuration: %v", err)
	}
}

func TestNamesInLambda(t *testing.T) {
	b := &Backend{opts: Options{Namespace: "openfaas-fn"}}
	long := strings.Repeat("f", 60)
	seen := map[string]bool{}
	for _, name := range []backend.Name{
		{Namespace: "openfaas-fn", Function: "f"}, {Namespace: "a", Function: "f"}, {Namespace: "b", Function: "f"},
		{Namespace: "openfaas-fn", Function: long}, {Namespace: "aaaaaaaa", Function: long}, {Namespace: "aaaaaaab", Function: long}, {Namespace: "aaaaaaaa", Function: long + "f"},
	} {
		got, err := b.lambdaName(name)
		if err != nil || len(got) > 64 || !functionName.MatchString(got) || seen[got] {
			t.Errorf("%s is called %q, %v", name, got, err)
		}
		if name.Namespace == "openfaas-fn" && got != name.Function {
			t.Errorf("%s is called %q", name, got)
		}
		seen[got] = true
	}
}

func TestAnnotationsBecomeConfiguration(t *testing.T) {
	const p, arn = annotations.Prefix, "arn:aws:"
	f := newFakeLambda(t)
	d := annotated(p+"role", arn+"iam::123456789012:role/own", p+"vpc-subnets", "subnet-0a1b2c3d", p+"vpc-security-groups", "sg-0a1b2c3d", p+"ephemeral-storage", "2Gi",
		p+"tracing", "Active", p+"layers", arn+"lambda:eu-west-1:123456789012:layer:agent:7", p+"log-format", "JSON", p+"log-group", "/teams/a",
		p+"dead-letter", arn+"sqs:eu-west-1:123456789012:failed", p+"kms-key", arn+"kms:eu-west-1:123456789012:key/k",
		p+"file-system", arn+"elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0a1b2c3d:/mnt/data")
	d.Namespace, d.Limits = "openfaas-fn", &types.FunctionResources{Memory: "512Mi"}
	plan, err := f.plan(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	in := plan.configuration(code{layers: []string{"base"}})
	for what, ok := range map[string]bool{
		"role": *in.Role == arn+"iam::123456789012:role/own", "VPC": in.VpcConfig.SubnetIds[0] == "subnet-0a1b2c3d" && in.VpcConfig.SecurityGroupIds[0] == "sg-0a1b2c3d",
		"storage": *in.EphemeralStorage.Size == 2048, "tracing": in.TracingConfig.Mode == lambdatypes.TracingModeActive, "layers": len(in.Layers) == 2 && in.Layers[0] == "base",
		"log": in.LoggingConfig.LogFormat == "JSON" && *in.LoggingConfig.LogGroup == "/teams/a", "dead letter": strings.HasSuffix(*in.DeadLetterConfig.TargetArn, "failed"),
		"key": strings.HasSuffix(*in.KMSKeyArn, "key/k"), "file system": *in.FileSystemConfigs[0].LocalMountPath == "/mnt/data", "memory": *in.MemorySize == 512,
	} {
		if !ok {
			t.Errorf("%s: %+v", what, in)
		}
	}
	// A function that has it all is reset by a deployment without.
	has := lambdatypes.FunctionConfiguration{
		FunctionName: aws.String("a"), VpcConfig: &lambdatypes.VpcConfigResponse{SubnetIds: []string{"s"}}, EphemeralStorage: in.EphemeralStorage,
		TracingConfig: &lambdatypes.TracingConfigResponse{Mode: lambdatypes.TracingModeActive}, Layers: []lambdatypes.Layer{{}}, LoggingConfig: in.LoggingConfig,
		DeadLetterConfig: in.DeadLetterConfig, KMSKeyArn: in.KMSKeyArn, FileSystemConfigs: in.FileSystemConfigs,
		SnapStart: &lambdatypes.SnapStartResponse{ApplyOn: lambdatypes.SnapStartApplyOnPublishedVersions},
	}
	if plan, err = f.plan(t.Context(), types.FunctionDeployment{Service: "a", Namespace: "openfaas-fn"}); err != nil {
		t.Fatal(err)
	}
	out := resetting(plan.configuration(code{}), has)
	if out.VpcConfig == nil || len(out.VpcConfig.SubnetIds) != 0 || *out.EphemeralStorage.Size != 512 || out.TracingConfig.Mode != lambdatypes.TracingModePassThrough ||
		out.Layers == nil || len(out.Layers) != 0 || out.LoggingConfig.LogFormat != "Text" || *out.LoggingConfig.LogGroup != "/aws/lambda/a" || *out.DeadLetterConfig.TargetArn != "" ||
		*out.KMSKeyArn != "" || out.FileSystemConfigs == nil || len(out.FileSystemConfigs) != 0 || out.SnapStart.ApplyOn != lambdatypes.SnapStartApplyOnNone {
		t.Errorf("%+v", out)
	}
	if same := resetting(plan.configuration(code{}), lambdatypes.FunctionConfiguration{}); same.VpcConfig != nil || same.LoggingConfig != nil || same.SnapStart != nil || same.Layers != nil {
		t.Errorf("a plain function: %+v", same)
	}
}

func TestWhatOtherToolsDidIsMended(t *testing.T) {
	old, d := types.FunctionDeployment{EnvVars: map[string]string{"AA": "old"}}, types.FunctionDeployment{EnvVars: map[string]string{"AA": "new"}}
	for name, meddle := range map[string]func(f *fakeFunction){
		"nothing":             func(*fakeFunction) {},
		"alias removed":       func(f *fakeFunction) { f.live = 0 },
		"alias moved":         func(f *fakeFunction) { f.live = 1 },
		"record damaged":      func(f *fakeFunction) { f.tags[piece(0)] = "x" },
		"record removed":      func(f *fakeFunction) { delete(f.tags, tagRecord) },
		"description changed": func(f *fakeFunction) { f.config["Description"] = "mine" },
		"version removed":     func(f *fakeFunction) { f.versions[1], f.live = nil, 0 },
		"all removed": func(f *fakeFunction) {
			f.versions, f.live, f.tags[tagPending] = []map[string]any{nil, nil}, 0, pendingDeploy
		},
		"marked by another change": func(f *fakeFunction) { f.tags[tagPending] = pendingDeploy },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeLambda(t)
			f.opts.TakeOver, f.triggers = -1, triggertest.New()
			for _, d := range []types.FunctionDeployment{old, d} {
				if err := f.deploy(t.Context(), t, d, "zip"); err != nil {
					t.Fatal(err)
				}
			}
			function := f.functions["hello"]
			meddle(function)
			f.cache.forget(hello)
			if _, err := f.List(t.Context(), "openfaas-fn"); err != nil {
				t.Errorf("list: %v", err)
			}
			if err := f.deploy(t.Context(), t, d, "zip"); err != nil {
				t.Fatalf("deploy: %v", err)
			}
			status, err := f.Status(t.Context(), hello)
			if err != nil || status.EnvVars["AA"] != "new" {
				t.Errorf("status: %v, %v", status.EnvVars, err)
			}
			serving := function.version(liveAlias)
			if serving == nil || serving["Environment"].(map[string]any)["Variables"].(map[string]any)["AA"] != "new" {
				t.Errorf("version %d serves: %v", function.live, serving)
			}
			meddle(function)
			if err := f.Delete(t.Context(), hello); err != nil || len(f.functions) != 0 {
				t.Errorf("delete: %v", err)
			}
		})
	}
}
