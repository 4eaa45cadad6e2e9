package aws

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// settings are what of a function's Lambda configuration a deployment decides.
type settings struct {
	role            string
	memory, timeout int32
	env             map[string]string
}

func (s settings) equal(o settings) bool {
	return s.role == o.role && s.memory == o.memory && s.timeout == o.timeout && maps.Equal(s.env, o.env)
}

func (p plan) settings() settings {
	return settings{role: p.role, memory: int32(p.memory), timeout: int32(p.timeout.Seconds()), env: p.env}
}

func (f *found) settings() settings {
	s := settings{role: aws.ToString(f.config.Role), memory: aws.ToInt32(f.config.MemorySize), timeout: aws.ToInt32(f.config.Timeout), env: map[string]string{}}
	if f.config.Environment != nil && f.config.Environment.Variables != nil {
		s.env = f.config.Environment.Variables
	}
	return s
}

func architectures(arch string) []lambdatypes.Architecture {
	if arch == "arm64" {
		return []lambdatypes.Architecture{lambdatypes.ArchitectureArm64}
	}
	return []lambdatypes.Architecture{lambdatypes.ArchitectureX8664}
}

func sameArchitecture(have []lambdatypes.Architecture, arch string) bool {
	return slices.Equal(have, architectures(arch))
}

// errNotReady is the kind of a function that Lambda could not make ready.
var errNotReady = errors.New("function did not become ready")

// ready waits until a function can be invoked and no update of it is under way.
// A new function is Pending, one that is updated InProgress
// (docs.aws.amazon.com/lambda, "Lambda function states").
func (b *Backend) ready(ctx context.Context, function string) error {
	ctx, cancel := context.WithTimeout(ctx, b.opts.DeployTimeout)
	defer cancel()
	doing := "wait for function " + function
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		c, err := b.home.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &function})
		if err != nil {
			return awsError(doing, err)
		}
		switch {
		case c.State == lambdatypes.StateFailed:
			return backend.Errorf(errNotReady, "%s: %s (%s)", doing, aws.ToString(c.StateReason), c.StateReasonCode)
		case c.LastUpdateStatus == lambdatypes.LastUpdateStatusFailed:
			return backend.Errorf(errNotReady, "%s: %s (%s)", doing, aws.ToString(c.LastUpdateStatusReason), c.LastUpdateStatusReasonCode)
		case c.State != lambdatypes.StatePending && c.LastUpdateStatus != lambdatypes.LastUpdateStatusInProgress:
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return awsError(doing, ctx.Err())
		}
	}
}

// retag changes a function's tags from what they are to what is wanted. New
// values go first: the record's checksum tells a reader in between that it has
// to read again.
func (b *Backend) retag(ctx context.Context, name backend.Name, arn string, have, want map[string]string) error {
	stale, changed := difference(have, want)
	if len(changed) > 0 {
		_, err := b.home.lambda.TagResource(ctx, &lambda.TagResourceInput{Resource: &arn, Tags: changed})
		if err != nil {
			return awsError("record function "+name.String(), err)
		}
	}
	if len(stale) > 0 {
		_, err := b.home.lambda.UntagResource(ctx, &lambda.UntagResourceInput{Resource: &arn, TagKeys: stale})
		if err != nil {
			return awsError("record function "+name.String(), err)
		}
	}
	return nil
}

// difference returns which of our tags are there but not wanted, and which are
// wanted but not there with that value. Others' tags are nobody's here.
func difference(have, want map[string]string) (stale []string, changed map[string]string) {
	changed = map[string]string{}
	for key, value := range want {
		if old, ok := have[key]; !ok || old != value {
			changed[key] = value
		}
	}
	for key := range have {
		if _, ok := want[key]; !ok && strings.HasPrefix(key, tagPiece) {
			stale = append(stale, key)
		}
	}
	slices.Sort(stale)
	return stale, changed
}

// busy are the functions that this process is changing.
type busy struct {
	mu    sync.Mutex // guards names
	names map[backend.Name]bool
}

// take reserves a function for one change; the second at a time is refused.
func (b *busy) take(name backend.Name) (release func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.names[name] {
		return nil, backend.Errorf(backend.ErrConflict, "function %s is being changed by another request", name)
	}
	if b.names == nil {
		b.names = map[backend.Name]bool{}
	}
	b.names[name] = true
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.names, name)
	}, nil
}
