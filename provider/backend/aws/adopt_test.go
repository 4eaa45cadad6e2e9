package aws

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// TestStatusOfAnAdoptedFunction takes from Lambda when it was changed last, and
// whether it can be invoked.
func TestStatusOfAnAdoptedFunction(t *testing.T) {
	changed := time.Date(2026, 11, 28, 14, 17, 54, 0, time.UTC)
	for state, available := range map[lambdatypes.State]uint64{
		"":                        1, // as in a list
		lambdatypes.StateActive:   1,
		lambdatypes.StateInactive: 1, // an invocation wakes it
		lambdatypes.StatePending:  0,
		lambdatypes.StateFailed:   0,
	} {
		f := &found{name: backend.Name{Namespace: "openfaas-fn", Function: "legacy"}, adopted: true, config: lambdatypes.FunctionConfiguration{
			State: state, Runtime: lambdatypes.RuntimePython313, MemorySize: aws.Int32(512), LastModified: aws.String(changed.Format(lastModified)),
		}}
		status := f.foreignStatus()
		if !status.CreatedAt.Equal(changed) || status.Replicas != 1 || status.AvailableReplicas != available || status.Image != "python3.13" || status.Limits.Memory != "512Mi" {
			t.Errorf("state %q: %+v", state, status)
		}
	}
}
