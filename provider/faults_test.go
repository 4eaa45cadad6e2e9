package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
)

// TestFaults lets each call to AWS of each kind of change fail in each way, and
// the provider end at each of them. Whatever happens: what was deployed before
// serves, or what was to be; another provider's next list leaves nothing behind;
// an error means that nothing changed, unless it says otherwise; and the same
// change works afterwards.
func TestFaults(t *testing.T) {
	cloud := newCloud(t)
	var cases sync.WaitGroup
	slots := make(chan struct{}, 6)
	count, tried := 0, map[string]bool{}
	for _, s := range scenarios {
		calls := cloud.rehearse(t, s)
		for i, call := range calls {
			kind := strconv.FormatBool(s.before) + call
			if s.rare && tried[kind] || i > 0 && calls[i-1] == call {
				continue // as in another scenario, or one more look at the same
			}
			tried[kind] = true
			for _, f := range faults {
				if f.passes && s.name != "update" || f.alter != nil && !strings.HasPrefix(call, "GET functions/*") {
					continue
				}
				count++
				id := count
				cases.Add(1)
				slots <- struct{}{}
				go func() {
					defer cases.Done()
					defer func() { <-slots }()
					if err := cloud.run(t.Context(), id, s, i, f); err != nil {
						t.Errorf("%s, %s at call %d of %d (%s): %v", s.name, f.name, i+1, len(calls), call, err)
					}
				}()
			}
		}
		t.Logf("%s: %d calls: %s", s.name, len(calls), strings.Join(calls, ", "))
	}
	cases.Wait()
	t.Logf("%d cases: each of the calls, in %d ways", count, len(faults))
}

// scenario is one kind of change.
type scenario struct {
	name   string
	before bool // a function is there
	change func(ctx context.Context, b *aws.Backend, c faultCase) error
	rare   bool // only the calls that no like scenario before has are of interest
}

var scenarios = []scenario{
	{"create", false, deployNew, false},
	{"update", true, deployNew, false},
	{"update with a long record", true, func(ctx context.Context, b *aws.Backend, c faultCase) error {
		d := c.deployment("new")
		(*d.Annotations)["long"] = incompressible(20_000)
		return b.Deploy(ctx, d)
	}, true},
	{"create with a long record", false, func(ctx context.Context, b *aws.Backend, c faultCase) error {
		d := c.deployment("new")
		(*d.Annotations)["long"] = incompressible(20_000)
		return b.Deploy(ctx, d)
	}, true},
	{"rollback", true, func(ctx context.Context, b *aws.Backend, c faultCase) error {
		return b.Rollback(ctx, c.name, "")
	}, false},
	{"scale", true, func(ctx context.Context, b *aws.Backend, c faultCase) error {
		return b.Scale(ctx, c.name, 0)
	}, false},
	{"delete", true, func(ctx context.Context, b *aws.Backend, c faultCase) error {
		return b.Delete(ctx, c.name)
	}, false},
}

func deployNew(ctx context.Context, b *aws.Backend, c faultCase) error {
	return b.Deploy(ctx, c.deployment("new"))
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
	always bool // not once, but all calls of that operation from then on
	dies   bool // all calls from then on
	after  bool // when AWS has done what was asked
	leaves bool // the client goes when AWS has done the call
	passes bool // another attempt, or patience, gets over it
	do     func(w http.ResponseWriter)
	alter  func(body []byte) []byte
}

var faults = []fault{
	{name: "throttled once", passes: true, do: refuse(429, "TooManyRequestsException")},
	{name: "throttled for good", always: true, do: refuse(429, "TooManyRequestsException")},
	{name: "broken once", passes: true, do: refuse(500, "ServiceException")},
	{name: "broken for good", always: true, do: refuse(500, "ServiceException")},
	{name: "denied", always: true, do: refuse(403, "AccessDeniedException")},
	{name: "invalid", always: true, do: refuse(400, "InvalidParameterValueException")},
	{name: "cut off once", passes: true, do: cut},
	{name: "cut off for good", always: true, do: cut},
	{name: "answer lost", after: true, do: cut},
	{name: "answers lost for good", after: true, always: true, do: cut},
	{name: "stuck", always: true, alter: stick},
	{name: "slow", passes: true, after: true},
	{name: "client gone", leaves: true},
	{name: "killed before", dies: true, do: cut},
	{name: "killed after", dies: true, after: true, do: cut},
}

func refuse(status int, code string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("X-Amzn-ErrorType", code)
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"Type":"User","message":"fault"}`)
	}
}

func cut(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// stick makes a function look as if it never got ready.
func stick(body []byte) []byte {
	body = bytes.Replace(body, []byte(`"State":"Active"`), []byte(`"State":"Pending"`), 1)
	return bytes.Replace(body, []byte(`"LastUpdateStatus":"Successful"`), []byte(`"LastUpdateStatus":"InProgress"`), 1)
}
