package backend

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"
)

func TestWhatHasNotBegun(t *testing.T) {
	why := errors.New("why")
	for _, c := range []struct {
		name     string
		err      error
		notBegun bool
	}{
		{"nothing", nil, false},
		{"any error", why, false},
		{"throttled", &Throttled{After: time.Second, Err: why}, true},
		{"too large", fmt.Errorf("invoke: %w", As(ErrTooLarge, why)), true},
		{"unreachable", Errorf(ErrUnreachable, "dial: %w", why), true},
		{"unavailable", As(ErrUnavailable, why), false},
		{"unavailable before it began", AsNotBegun(As(ErrUnavailable, why)), true},
		{"timed out", As(ErrTimeout, why), false},
		{"a crash", &FunctionError{Type: "Runtime.ExitError"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if NotBegun(c.err) != c.notBegun {
				t.Errorf("NotBegun(%v) = %v", c.err, !c.notBegun)
			}
		})
	}
}

func TestKindsDoNotChangeTheText(t *testing.T) {
	why := errors.New("why")
	for _, err := range []error{As(ErrConflict, why), Errorf(ErrConflict, "%w", why), AsNotBegun(As(ErrConflict, why))} {
		if err.Error() != "why" || !errors.Is(err, ErrConflict) || !errors.Is(err, why) || errors.Is(err, ErrExists) {
			t.Errorf("%v", err)
		}
	}
	if As(ErrConflict, nil) != nil || AsNotBegun(nil) != nil {
		t.Error("no error became one")
	}
}

func TestAStatusTellsItsDeployment(t *testing.T) {
	full := types.FunctionDeployment{
		Service: "f", Namespace: "n", Image: "i", EnvProcess: "cat", EnvVars: map[string]string{"a": "b"}, Constraints: []string{"c"}, Secrets: []string{"s"},
		Labels: &map[string]string{"l": "1"}, Annotations: &map[string]string{"a": "1"},
		Limits: &types.FunctionResources{Memory: "1Gi"}, Requests: &types.FunctionResources{CPU: "1"}, ReadOnlyRootFilesystem: true,
	}
	got := DeploymentOf(StatusOf(full))
	if diff := cmp.Diff(full, got); diff != "" {
		t.Error(diff)
	}
	(*got.Labels)["l"], (*got.Annotations)["a"] = "2", "2"
	if (*full.Labels)["l"] != "1" || (*full.Annotations)["a"] != "1" {
		t.Error("a change of one is a change of the other")
	}
	for label, want := range map[string]uint64{"": 1, "0": 1, "3": 3, "many": 1, "-1": 1, "99999": 1} {
		if n := MinReplicas(types.FunctionDeployment{Labels: &map[string]string{MinReplicasLabel: label}}); n != want {
			t.Errorf("%s=%q: %d replicas, want %d", MinReplicasLabel, label, n, want)
		}
	}
}
