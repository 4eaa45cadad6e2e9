package federation

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// The annotations of a function that the federation reads.
const (
	// GatewayAnnotation names the child that the function belongs to. Its name
	// is the one that faas-federation gave it.
	GatewayAnnotation = "com.openfaas.federation.gateway"
	// OverflowAnnotation names a second child, which gets the function too.
	OverflowAnnotation = "com.openfaas.federation.overflow"
	// OverflowOnAnnotation says what sends an invocation on to it, separated by
	// commas: throttled, too-large, unreachable, unavailable, timeout. The
	// first three are the default; an invocation that is unavailable or timed
	// out may have begun.
	OverflowOnAnnotation = "com.openfaas.federation.overflow-on"
	// WeightAnnotation is the percentage of invocations that go to the second
	// place, from 0 to 100.
	WeightAnnotation = "com.openfaas.federation.weight"
	// StickyAnnotation names a request header: the same value goes to the same
	// place, as long as the weight stays the same or grows towards it.
	StickyAnnotation = "com.openfaas.federation.sticky"
	// BudgetAnnotation bounds what the function uses of the first place in a
	// calendar month of UTC: free-tier, or requests=N, gb-seconds=N or both
	// separated by a comma. After that invocations go to the second place.
	BudgetAnnotation = "com.openfaas.federation.budget"

	prefix = "com.openfaas.federation."
	// markerAnnotation is ours alone, and nobody but the children sees it:
	// which copies of the function elsewhere go when this one is ready.
	markerAnnotation = prefix + "moved-from"
)

// The free tier of AWS Lambda, every month
// (aws.amazon.com/lambda/pricing, "AWS Lambda free tier").
const (
	freeRequests  = 1_000_000
	freeGBSeconds = 400_000
)

// policy is what a function's annotations say about its second place.
type policy struct {
	on     overflows
	weight uint32 // of 10,000
	sticky string // canonical header name; empty: none
	budget *limits
}

// overflows are the reasons for which an invocation goes on to a second place.
type overflows struct{ throttled, tooLarge, unreachable, unavailable, timeout bool }

var defaultOverflows = overflows{throttled: true, tooLarge: true, unreachable: true}

// limits are of a month; 0 is none.
type limits struct {
	requests  uint64
	gbSeconds float64
}

// allow returns why an invocation that failed with err goes on.
func (o overflows) allow(err error) (reason, bool) {
	switch {
	case errors.Is(err, backend.ErrThrottled) && !errors.Is(err, backend.ErrUnavailable):
		return reasonThrottled, o.throttled
	case errors.Is(err, backend.ErrTooLarge):
		return reasonTooLarge, o.tooLarge
	case backend.NotBegun(err):
		return reasonUnreachable, o.unreachable
	case errors.Is(err, backend.ErrTimeout):
		return reasonTimeout, o.timeout
	case errors.Is(err, backend.ErrUnavailable):
		return reasonUnavailable, o.unavailable
	}
	return 0, false
}

// policyOf reads the annotations. Every one that cannot be used is named.
func policyOf(d types.FunctionDeployment) (policy, error) {
	p := policy{on: defaultOverflows}
	if d.Annotations == nil {
		return p, nil
	}
	var errs []error
	for key, set := range map[string]func(*policy, string) error{
		OverflowOnAnnotation: (*policy).setOn, WeightAnnotation: (*policy).setWeight, StickyAnnotation: (*policy).setSticky, BudgetAnnotation: (*policy).setBudget,
	} {
		value, ok := (*d.Annotations)[key]
		if !ok {
			continue
		}
		if (*d.Annotations)[OverflowAnnotation] == "" {
			errs = append(errs, fmt.Errorf("annotation %s needs %s", key, OverflowAnnotation))
		}
		if err := set(&p, value); err != nil {
			errs = append(errs, fmt.Errorf("annotation %s=%q: %w", key, value, err))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return p, errors.Join(errs...)
}

func (p *policy) setOn(value string) error {
	p.on = overflows{}
	for word := range strings.SplitSeq(value, ",") {
		switch strings.TrimSpace(word) {
		case "throttled":
			p.on.throttled = true
		case "too-large":
			p.on.tooLarge = true
		case "unreachable":
			p.on.unreachable = true
		case "unavailable":
			p.on.unavailable = true
		case "timeout":
			p.on.timeout = true
		case "":
		default:
			return fmt.Errorf("want throttled, too-large, unreachable, unavailable or timeout, separated by commas")
		}
	}
	return nil
}

func (p *policy) setWeight(value string) error {
	percent, err := strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64)
	if err != nil || math.IsNaN(percent) || percent < 0 || percent > 100 {
		return errors.New("want a percentage from 0 to 100")
	}
	p.weight = uint32(math.Round(percent * 100))
	return nil
}

func (p *policy) setSticky(value string) error {
	if value == "" || strings.ContainsFunc(value, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return errors.New("want the name of a request header")
	}
	p.sticky = canonical(value)
	return nil
}

func (p *policy) setBudget(value string) error {
	p.budget = &limits{}
	if value == "free-tier" || value == "true" {
		*p.budget = limits{freeRequests, freeGBSeconds}
		return nil
	}
	for part := range strings.SplitSeq(value, ",") {
		key, number, _ := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || math.IsNaN(n) || n <= 0 || n > 1e15 {
			key = ""
		}
		switch key {
		case "requests":
			p.budget.requests = uint64(n)
		case "gb-seconds":
			p.budget.gbSeconds = n
		default:
			return errors.New("want free-tier, or requests=N and gb-seconds=N, one of them or both separated by a comma")
		}
	}
	return nil
}
