package federation

import (
	"context"
	"errors"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/replay"
)

// Invoke implements backend.Invoker: at the function's home, or at its second
// place when its annotations say so. It asks nobody where the function is.
func (b *Backend) Invoke(ctx context.Context, name backend.Name, r *http.Request) (*http.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	i := invocation{Backend: b, request: r}
	defer i.forget()
	for {
		e, err := b.resolve(ctx, name)
		if err != nil {
			return nil, err
		}
		answer, err := i.serve(ctx, e)
		if !errors.Is(err, errMoved) {
			return answer, err
		}
	}
}

// invocation is one that may need more than one attempt.
type invocation struct {
	*Backend
	request *http.Request
	body    *replay.Body // nil until there is something to replay
}

func (i *invocation) forget() {
	if i.body != nil {
		i.body.Forget()
	}
}

// errMoved says that an entry was replaced before anything was sent.
var errMoved = errors.New("function has moved")

// serve invokes an entry's function.
func (i *invocation) serve(ctx context.Context, e *entry) (*http.Response, error) {
	r := i.request
	if e.second == nil && i.body == nil {
		return i.send(ctx, e, attempt{e.home, e.homeFlight, reasonHome}, r)
	}
	first, next := e.choose(r, i.Backend)
	if i.body == nil && next != nil && r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0 {
		i.body = replay.New(r.Body, r.ContentLength, i.opts.ReplayBytes, i.replays)
	}
	answer, err := i.send(ctx, e, first, i.again())
	if err == nil || next == nil || errors.Is(err, errMoved) || ctx.Err() != nil {
		return answer, err
	}
	why, ok := e.policy.on.allow(err)
	if !ok || i.body != nil && !i.body.Again() {
		return nil, err
	}
	next.why = why
	answer, second := i.send(ctx, e, *next, i.again())
	if second != nil && !errors.Is(second, errMoved) && backend.NotBegun(second) {
		return nil, err // nobody served it: why the first place did not says more
	}
	return answer, second
}

// again returns the request with its body from the beginning.
func (i *invocation) again() *http.Request {
	if i.body == nil {
		return i.request
	}
	out := *i.request
	attempt, ok := i.body.Attempt()
	if !ok { // who asks for another attempt has asked Again before
		attempt = io.NopCloser(strings.NewReader(""))
	}
	out.Body = attempt
	return &out
}

// attempt is one way to serve an invocation.
type attempt struct {
	to     *child
	flight *flight
	why    reason
}

// choose returns where an invocation goes, and where it goes on to when it
// cannot be served there: nowhere, when next is nil.
func (e *entry) choose(r *http.Request, b *Backend) (first attempt, next *attempt) {
	home := attempt{e.home, e.homeFlight, reasonHome}
	if e.second == nil {
		return home, nil
	}
	second := attempt{e.second, e.nextFlight, reasonWeight}
	if e.budget.over(b.now) {
		second.why = reasonBudget
		return second, nil
	}
	if e.policy.weight > 0 && e.ticket(r) < e.policy.weight {
		return second, &home
	}
	return home, &second
}

// ticket is a number below 10,000: the same for the same value of the sticky
// header, wherever and whenever it is computed, else a random one.
func (e *entry) ticket(r *http.Request) uint32 {
	if e.policy.sticky != "" {
		if values := r.Header[e.policy.sticky]; len(values) > 0 {
			h := fnv.New64a()
			_, _ = io.WriteString(h, e.name.Function+"\x00"+values[0]) // never fails
			x := h.Sum64()
			x ^= x >> 33 // FNV's low bits alone are not even (MurmurHash3's mixer)
			x *= 0xff51afd7ed558ccd
			x ^= x >> 33
			return uint32(x % 10_000)
		}
	}
	return rand.Uint32N(10_000)
}

// send invokes at one child. A child that is down is not asked.
func (b *Backend) send(ctx context.Context, e *entry, a attempt, r *http.Request) (*http.Response, error) {
	a.flight.begin()
	if b.index.find(e.name) != e {
		// Whoever moves the function has not seen this invocation.
		a.flight.end()
		return nil, errMoved
	}
	if err := a.to.down(); err != nil {
		a.flight.end()
		return nil, err
	}
	if a.to == e.home {
		e.budget.count(b.now)
	}
	a.to.served[a.why].Inc()
	answer, err := a.to.Backend.Invoke(ctx, e.name, r)
	if err != nil {
		a.flight.end()
		if ctx.Err() != nil {
			return nil, err
		}
		b.saw(a.to, err)
		if errors.Is(err, backend.ErrNotFound) {
			a.to.wake()
			return nil, backend.NotFound(e.name)
		}
		return nil, err
	}
	if a.to.failures.Load() != 0 {
		b.saw(a.to, nil)
	}
	servedBy(answer.Header, a.to.name)
	answer.Body = &inFlight{ReadCloser: answer.Body, flight: a.flight}
	return answer, nil
}

// servedBy names the child that answered, after those of federations within.
func servedBy(header http.Header, name string) {
	if within := header.Get(backend.ServedByHeader); within != "" {
		name += "/" + within
	}
	header[backend.ServedByHeader] = []string{name}
}

// inFlight is an answer's body, the end of which is that of the invocation.
type inFlight struct {
	io.ReadCloser
	flight *flight
	closed bool
}

func (f *inFlight) Close() error {
	err := f.ReadCloser.Close()
	if !f.closed {
		f.closed = true
		f.flight.end()
	}
	return err
}
