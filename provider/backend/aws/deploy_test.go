package aws

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

var hello = backend.Name{Namespace: "openfaas-fn", Function: "hello"}

// deploy deploys as Backend.put does, with a package that is already made.
func (f *fakeLambda) deploy(ctx context.Context, t testing.TB, d types.FunctionDeployment, content string) error {
	t.Helper()
	d.Service, d.Namespace, d.Image = "hello", "openfaas-fn", "image"
	p, err := f.plan(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	code, err := f.ship(ctx, p, packaging.Spec{}, packed(t, content))
	if err != nil {
		t.Fatal(err)
	}
	current, err := f.claimable(ctx, "deploy function hello", hello)
	if err != nil && !errors.Is(err, backend.ErrNotFound) {
		return err
	}
	return f.bring(ctx, p, code, current)
}

func TestCreateThatFailsIsUndone(t *testing.T) {
	for _, c := range []struct {
		name    string
		fault   func(op string, w http.ResponseWriter) bool
		after   func(op string, f *fakeFunction)
		kind    error
		says    string
		changes []string
	}{
		{"refused", func(op string, w http.ResponseWriter) bool {
			if op == "CreateFunction" {
				refuse(w, 400, "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda.")
			}
			return op == "CreateFunction"
		}, nil, backend.ErrInvalid, "cannot be assumed by Lambda", []string{"CreateFunction"}},
		{"made by another meanwhile", func(op string, w http.ResponseWriter) bool {
			if op == "CreateFunction" {
				refuse(w, 409, "ResourceConflictException", "Function already exist: hello")
			}
			return op == "CreateFunction"
		}, nil, backend.ErrConflict, "already exist", []string{"CreateFunction"}},
		{"denied", func(op string, w http.ResponseWriter) bool {
			if op == "CreateFunction" {
				refuse(w, 403, "AccessDeniedException", "User is not authorized to perform: lambda:CreateFunction")
			}
			return op == "CreateFunction"
		}, nil, nil, "not authorized", []string{"CreateFunction"}},
		{"never active", nil, func(op string, f *fakeFunction) {
			if op == "CreateFunction" {
				f.config["State"], f.config["StateReason"], f.config["StateReasonCode"] = "Failed", "out of addresses", "SubnetOutOfIPAddresses"
			}
		}, errNotReady, "out of addresses (SubnetOutOfIPAddresses)", []string{"CreateFunction", "DeleteFunction"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFakeLambda(t)
			f.fault, f.after = c.fault, c.after
			err := f.deploy(t.Context(), t, types.FunctionDeployment{}, "zip")
			if err == nil || c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %v and %q", err, c.kind, c.says)
			}
			if diff := cmp.Diff(c.changes, f.changes()); diff != "" || len(f.functions) != 0 {
				t.Errorf("%d functions left; calls (-want +got)\n%s", len(f.functions), diff)
			}
		})
	}
}

func TestCreateWhoseAnswerIsLost(t *testing.T) {
	f := newFakeLambda(t)
	f.lose = "CreateFunction"
	if err := f.deploy(t.Context(), t, types.FunctionDeployment{}, "zip"); err != nil || len(f.functions) != 1 {
		t.Errorf("%v, %d functions", err, len(f.functions))
	}
	if diff := cmp.Diff([]string{"CreateFunction", "CreateFunction", "PublishVersion", "CreateAlias", "TagResource"}, f.changes()); diff != "" {
		t.Errorf("calls (-want +got)\n%s", diff)
	}
}

func TestCreateThatIsPendingEndsWithItsClient(t *testing.T) {
	f := newFakeLambda(t)
	ctx, leave := context.WithCancel(t.Context())
	f.after = func(op string, function *fakeFunction) {
		switch op {
		case "CreateFunction":
			function.config["State"] = "Pending"
		case "GetFunction":
			if function != nil {
				leave()
			}
		}
	}
	if err := f.deploy(ctx, t, types.FunctionDeployment{}, "zip"); !errors.Is(err, context.Canceled) || len(f.functions) != 0 {
		t.Errorf("%v, %d functions left", err, len(f.functions))
	}
}

func TestCreateThatTakesTooLong(t *testing.T) {
	f := newFakeLambda(t)
	f.opts.DeployTimeout = time.Second
	f.after = func(op string, function *fakeFunction) {
		if op == "CreateFunction" {
			function.config["State"] = "Pending"
		}
	}
	if err := f.deploy(t.Context(), t, types.FunctionDeployment{}, "zip"); !errors.Is(err, backend.ErrTimeout) || len(f.functions) != 0 {
		t.Errorf("%v, %d functions left", err, len(f.functions))
	}
}

func TestUpdate(t *testing.T) {
	env := func(value string) types.FunctionDeployment {
		return types.FunctionDeployment{EnvVars: map[string]string{"AA": value}}
	}
	failed := false
	for _, c := range []struct {
		name    string
		d       types.FunctionDeployment
		content string
		fault   func(op string, w http.ResponseWriter) bool
		after   func(op string, f *fakeFunction)
		kind    error
		changes []string
		env     string // afterwards
	}{
		{"nothing new", env("old"), "zip", nil, nil, nil, nil, "old"},
		{"configuration alone", env("new"), "zip", nil, nil, nil, []string{"UpdateFunctionConfiguration", "TagResource", "PublishVersion", "UpdateAlias", "TagResource"}, "new"},
		{"code alone", env("old"), "other", nil, nil, nil, []string{"UpdateFunctionConfiguration", "TagResource", "UpdateFunctionCode", "PublishVersion", "UpdateAlias", "TagResource"}, "old"},
		{"both, and the record", types.FunctionDeployment{EnvVars: map[string]string{"AA": "new"}, Secrets: []string{"s"}}, "other", nil, nil, nil,
			[]string{"UpdateFunctionConfiguration", "TagResource", "UpdateFunctionCode", "PublishVersion", "UpdateAlias", "TagResource"}, "new"},
		{"configuration refused", env("new"), "other", func(op string, w http.ResponseWriter) bool {
			if op == "UpdateFunctionConfiguration" {
				refuse(w, 400, "InvalidParameterValueException", "no")
			}
			return op == "UpdateFunctionConfiguration"
		}, nil, backend.ErrInvalid, []string{"UpdateFunctionConfiguration"}, "old"},
		{"configuration fails later", env("new"), "other", nil, func(op string, f *fakeFunction) {
			if op == "UpdateFunctionConfiguration" {
				failed = !failed
				f.config["LastUpdateStatus"] = map[bool]string{true: "Failed", false: "Successful"}[failed]
			}
		}, errNotReady, []string{"UpdateFunctionConfiguration", "UpdateFunctionConfiguration"}, "old"},
		{"code refused", env("new"), "other", func(op string, w http.ResponseWriter) bool {
			if op == "UpdateFunctionCode" {
				refuse(w, 400, "InvalidParameterValueException", "Could not unzip uploaded file. Please check your file, then try to upload again.")
			}
			return op == "UpdateFunctionCode"
		}, nil, backend.ErrInvalid, []string{"UpdateFunctionConfiguration", "TagResource", "UpdateFunctionCode", "UpdateFunctionConfiguration", "TagResource"}, "old"},
		{"changed by another meanwhile", env("new"), "zip", func(op string, w http.ResponseWriter) bool {
			if op == "UpdateFunctionConfiguration" {
				refuse(w, 409, "ResourceConflictException", "An update is in progress for resource")
			}
			return op == "UpdateFunctionConfiguration"
		}, nil, backend.ErrConflict, []string{"UpdateFunctionConfiguration"}, "old"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFakeLambda(t)
			if err := f.deploy(t.Context(), t, env("old"), "zip"); err != nil {
				t.Fatal(err)
			}
			f.functions["hello"].config["CodeSha256"] = packed(t, "zip").Summary.SHA256
			f.calls, f.fault, f.after = nil, c.fault, c.after
			err := f.deploy(t.Context(), t, c.d, c.content)
			if c.kind == nil && err != nil || !errors.Is(err, c.kind) {
				t.Errorf("%v, want %v", err, c.kind)
			}
			if diff := cmp.Diff(c.changes, f.changes()); diff != "" {
				t.Errorf("calls (-want +got)\n%s", diff)
			}
			f.fault = nil
			status, err := f.Status(t.Context(), hello)
			if err != nil || status.EnvVars["AA"] != c.env {
				t.Errorf("afterwards AA=%s, %v", status.EnvVars["AA"], err)
			}
		})
	}
}

func TestUpdateUnderWayIsAConflict(t *testing.T) {
	f := newFakeLambda(t)
	if err := f.deploy(t.Context(), t, types.FunctionDeployment{}, "zip"); err != nil {
		t.Fatal(err)
	}
	f.functions["hello"].config["LastUpdateStatus"] = "InProgress"
	if err := f.deploy(t.Context(), t, types.FunctionDeployment{}, "zip"); !errors.Is(err, backend.ErrConflict) {
		t.Errorf("%v", err)
	}
	f.functions["hello"].config["LastUpdateStatus"] = "Successful"
	release, err := f.busy.take(hello)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Delete(t.Context(), hello); !errors.Is(err, backend.ErrConflict) {
		t.Errorf("delete during a deployment: %v", err)
	}
	release()
	if err := f.Delete(t.Context(), hello); err != nil {
		t.Error(err)
	}
}

func TestFunctionsOfOthersAreLeftAlone(t *testing.T) {
	f := newFakeLambda(t)
	f.functions["hello"] = &fakeFunction{config: map[string]any{"FunctionName": "hello", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:hello"}, tags: map[string]string{"owner": "x"}}
	f.invoked = func(http.ResponseWriter, *http.Request) { t.Error("it was invoked") }
	if err := f.deploy(t.Context(), t, types.FunctionDeployment{}, "zip"); !errors.Is(err, backend.ErrConflict) {
		t.Errorf("deploy: %v", err)
	}
	if err := f.Delete(t.Context(), hello); !errors.Is(err, backend.ErrConflict) {
		t.Errorf("delete: %v", err)
	}
	if _, err := f.Status(t.Context(), hello); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("status: %v", err)
	}
	if _, err := f.Invoke(t.Context(), hello, nil); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("invoke: %v", err)
	}
	if list, err := f.List(t.Context(), "openfaas-fn"); err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
	if changes := f.changes(); changes != nil {
		t.Errorf("calls %v", changes)
	}
}

func TestReadsAreCachedUntilAChange(t *testing.T) {
	f := newFakeLambda(t)
	if err := f.deploy(t.Context(), t, types.FunctionDeployment{}, "zip"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		f.functions[name] = &fakeFunction{config: map[string]any{"FunctionName": name, "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:" + name}}
	}
	f.calls = nil
	for range 10 {
		if list, err := f.List(t.Context(), "openfaas-fn"); err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		if _, err := f.Status(t.Context(), hello); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.calls) != 2+4+1+1 { // two pages, the tags of four functions, one that was just changed, one function
		t.Errorf("%d calls: %v", len(f.calls), f.calls)
	}
	if err := f.Scale(t.Context(), hello, 5); err != nil {
		t.Fatal(err)
	}
	list, err := f.List(t.Context(), "openfaas-fn")
	if err != nil || list[0].Replicas != 5 {
		t.Errorf("after scaling: %v, %v", list, err)
	}
}

func TestErrorsKeepAWSsWords(t *testing.T) {
	f := newFakeLambda(t)
	for _, c := range []struct {
		code int
		kind string
		want error
	}{
		{400, "InvalidParameterValueException", backend.ErrInvalid},
		{409, "ResourceConflictException", backend.ErrConflict},
		{413, "RequestTooLargeException", backend.ErrTooLarge},
		{403, "ExpiredTokenException", nil},
	} {
		f.fault = func(_ string, w http.ResponseWriter) bool {
			refuse(w, c.code, c.kind, "AWS's own words.")
			return true
		}
		_, err := f.get(t.Context(), hello)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.kind, err)
			continue
		}
		for _, part := range []string{"AWS's own words.", c.kind, "the-request", "hello.openfaas-fn"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("no %q in %v", part, err)
			}
		}
	}
}
