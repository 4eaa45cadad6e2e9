package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/faults"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// TestFaults lets each call to AWS of each kind of change fail in each way, and
// the provider end at each of them. Whatever happens: what was deployed before
// serves, or what was to be; another provider's next list leaves nothing behind;
// an error means that nothing changed, unless it says otherwise; and the same
// change works afterwards.
func TestFaults(t *testing.T) {
	cloud := newCloud(t)
	cloud.runs = started
	var cases sync.WaitGroup
	slots := make(chan struct{}, 6)
	count, tried, began := 0, map[string]bool{}, time.Now()
	for _, s := range scenarios {
		calls := cloud.rehearse(t, s)
		var said []string
		for i, call := range calls {
			said = append(said, call.Service+":"+call.Operation)
			kind := fmt.Sprint(len(s.before) > 0, s.managed, call.Service, call.Operation)
			if s.rare && tried[kind] || i > 0 && calls[i-1] == call {
				continue // as in another scenario, or one more look at the same
			}
			tried[kind] = true
			for _, f := range waysToFail {
				if f.passes && s.name != "update" || f.stuck && !settles(call) {
					continue
				}
				if count++; count%faultsEvery != 0 {
					continue
				}
				fc := cloud.newCase(t, fmt.Sprint("case-", count), s)
				cases.Add(1)
				slots <- struct{}{}
				go func() {
					defer cases.Done()
					defer func() { <-slots }()
					if err := cloud.run(t.Context(), fc, s, calls, i, f); err != nil {
						t.Errorf("%s, %s at call %d of %d (%s %s): %v", s.name, f.name, i+1, len(calls), call.Service, call.Operation, err)
					}
				}()
			}
		}
		t.Logf("%s: %d calls: %s", s.name, len(calls), strings.Join(said, ", "))
	}
	cases.Wait()
	t.Logf("%d cases of %d: each of the calls, in %d ways; %s", count/faultsEvery, count, len(waysToFail), time.Since(began).Round(time.Second))
}

// faultsEvery is which of the cases are run: all of them, one in so many where
// they take long.
var faultsEvery = 1

// scenario is one kind of change.
type scenario struct {
	name        string
	before      []string // generations that are deployed, the last one serving
	serves      string   // the generation that is to serve afterwards
	change      func(ctx context.Context, b *aws.Backend, c faultCase) error
	rare        bool // only the calls that no like scenario before has are of interest
	annotations map[string]string
	triggers    bool // it has one of each kind
	managed     bool // it has a managed role
	long        bool
	images      func(t *testing.T, c *cloud, id string) map[string]string // of each generation; nil for those that all share
}

var (
	none, old = []string(nil), []string{"old"}
	asImage   = map[string]string{"com.openfaas.lambda/package": packaging.Image}
	asLayers  = map[string]string{"com.openfaas.lambda/package": packaging.Layers}
	asZip     = map[string]string{"com.openfaas.lambda/package": packaging.Zip}
)

var scenarios = []scenario{
	{name: "create", before: none, serves: "new", change: deployNew},
	{name: "update", before: old, serves: "new", change: deployNew},
	{name: "update with a long record", before: old, serves: "new", change: deployNew, long: true, rare: true},
	{name: "create with a long record", before: none, serves: "new", change: deployNew, long: true, rare: true},
	{name: "create as container image", before: none, serves: "new", change: deployNew, annotations: asImage, rare: true},
	{name: "update as container image", before: old, serves: "new", change: deployNew, annotations: asImage, rare: true},
	{name: "create with layers", before: none, serves: "new", change: deployNew, annotations: asLayers, images: ownLayers, rare: true},
	{name: "update with layers", before: old, serves: "new", change: deployNew, annotations: asLayers, images: ownLayers, rare: true},
	{name: "create through S3", before: none, serves: "new", change: deployNew, annotations: asZip, images: large, rare: true},
	{name: "create with triggers", before: none, serves: "new", change: deployNew, triggers: true, rare: true},
	{name: "update with triggers", before: old, serves: "new", change: deployNew, triggers: true, rare: true},
	{name: "delete with triggers", before: old, serves: "", change: func(ctx context.Context, b *aws.Backend, c faultCase) error {
		return b.Delete(ctx, c.name)
	}, triggers: true, rare: true},
	{name: "create in a managed role", before: none, serves: "new", change: deployNew, managed: true, rare: true},
	{name: "update in a managed role", before: old, serves: "new", change: deployNew, managed: true, rare: true},
	{name: "rollback in a managed role", before: []string{"older", "old"}, serves: "older", change: func(ctx context.Context, b *aws.Backend, c faultCase) error {
		return b.Rollback(ctx, c.name, "")
	}, managed: true, rare: true},
	{name: "delete with a managed role", before: old, serves: "", change: func(ctx context.Context, b *aws.Backend, c faultCase) error {
		return b.Delete(ctx, c.name)
	}, managed: true, rare: true},
	{name: "rollback", before: []string{"older", "old"}, serves: "older", change: func(ctx context.Context, b *aws.Backend, c faultCase) error {
		return b.Rollback(ctx, c.name, "")
	}},
	{name: "scale", before: old, serves: "old", change: func(ctx context.Context, b *aws.Backend, c faultCase) error {
		return b.Scale(ctx, c.name, 0)
	}},
	{name: "delete", before: old, serves: "", change: func(ctx context.Context, b *aws.Backend, c faultCase) error {
		return b.Delete(ctx, c.name)
	}},
}

func deployNew(ctx context.Context, b *aws.Backend, c faultCase) error {
	return b.Deploy(ctx, c.deployment("new"))
}

// ownLayers are images whose layers no other case has.
func ownLayers(t *testing.T, _ *cloud, id string) map[string]string {
	t.Helper()
	images := map[string]string{}
	for _, generation := range []string{"older", "old", "new"} {
		images[generation] = stacked(t, map[string][]byte{"usr/lib/noise": noise(1, 1<<20+1<<18), "usr/lib/" + id: nil}, map[string][]byte{
			"usr/bin/fwatchdog": program(), "bin/cat": program(), "home/" + generation: nil,
		})
	}
	return images
}

// large is an image of which Lambda takes the zip from S3 only.
func large(t *testing.T, c *cloud, _ string) map[string]string {
	t.Helper()
	if c.images["large"] == "" {
		c.images["large"] = stacked(t, map[string][]byte{"usr/lib/noise": noise(2, 51<<20)}, map[string][]byte{"usr/bin/fwatchdog": program(), "bin/cat": program()})
	}
	return map[string]string{"new": c.images["large"]}
}

// incompressible returns text of n characters that hardly compresses.
func incompressible(n int) string {
	var out strings.Builder
	for seed := uint64(88172645463325252); out.Len() < n; {
		seed ^= seed << 13
		seed ^= seed >> 7
		seed ^= seed << 17
		fmt.Fprintf(&out, "%x", seed)
	}
	return out.String()[:n]
}

// fault is a way in which a call fails.
type fault struct {
	name   string
	how    faults.Fault
	always bool // not once, but all calls of that operation from then on
	dies   bool // all calls from then on
	leaves bool // the client goes when AWS has done the call
	stuck  bool // the function does not get ready from what the call began
	passes bool // another attempt, or patience, gets over it
}

var (
	throttled = faults.Fault{Kind: faults.Throttle}
	broken    = faults.Fault{Kind: faults.Failure}
	denied    = faults.Fault{Kind: faults.Failure, Status: 403, Code: "AccessDeniedException"}
	invalid   = faults.Fault{Kind: faults.Failure, Status: 400, Code: "InvalidParameterValueException"}
	cutOff    = faults.Fault{Kind: faults.Cut}
	lost      = faults.Fault{Kind: faults.Cut, After: true}
	slow      = faults.Fault{Kind: faults.Slow, Delay: faults.Duration(100 * time.Millisecond)}
)

var waysToFail = []fault{
	{name: "throttled once", how: throttled, passes: true},
	{name: "throttled for good", how: throttled, always: true},
	{name: "broken once", how: broken, passes: true},
	{name: "broken for good", how: broken, always: true},
	{name: "denied", how: denied, always: true},
	{name: "invalid", how: invalid, always: true},
	{name: "cut off once", how: cutOff, passes: true},
	{name: "cut off for good", how: cutOff, always: true},
	{name: "answer lost", how: lost},
	{name: "answers lost for good", how: lost, always: true},
	{name: "stuck", how: faults.Fault{Kind: faults.Pending}, stuck: true},
	{name: "slow", how: slow, passes: true},
	{name: "client gone", how: lost, leaves: true},
	{name: "killed before", how: cutOff, dies: true},
	{name: "killed after", how: lost, dies: true},
}

// settles tells the calls whose outcome Lambda settles later.
func settles(c faults.Call) bool {
	return c.Operation == "CreateFunction" || c.Operation == "UpdateFunctionCode" || c.Operation == "UpdateFunctionConfiguration"
}

// on is what to ask of the emulator, so that it goes wrong at a call of those
// that a change makes. It is nothing without a way to fail.
func (f fault) on(c faultCase, calls []faults.Call, at int, leave func()) []faults.Fault {
	if f.how.Kind == "" {
		return nil
	}
	how := f.how
	if f.stuck {
		how.Function = c.name.Function
		for _, call := range calls[:at] {
			if settles(call) {
				how.Skip++
			}
		}
		return []faults.Fault{how}
	}
	how.AccessKey, how.Skip = c.key, at
	if f.dies {
		then := faults.Fault{Kind: faults.Cut, AccessKey: c.key, Skip: at}
		if how.After { // the first call is done before all is over
			how.Count, then.Skip = 1, at+1
			return []faults.Fault{how, then}
		}
		return []faults.Fault{then}
	}
	how.Service, how.Operation, how.Skip = calls[at].Service, calls[at].Operation, 0
	for _, call := range calls[:at] {
		if call.Service == how.Service && call.Operation == how.Operation {
			how.Skip++
		}
	}
	if !f.always {
		how.Count = 1
	}
	if f.leaves {
		how.Then = leave
	}
	return []faults.Fault{how}
}
