package federation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// List implements backend.Reader.
func (b *Backend) List(ctx context.Context, namespace string) ([]types.FunctionStatus, error) {
	functions, _, err := b.ListPartly(ctx, namespace)
	return functions, err
}

// answer is what a child said.
type answer[T any] struct {
	child *child
	value T
	err   error
}

// changeTimeout is how long a change at all children may take at each.
const changeTimeout = 30 * time.Second

// ask asks all children at once, each bounded by Options.ListTimeout. A child
// that is down is not asked. The answers are in the order of the children.
func ask[T any](ctx context.Context, b *Backend, do func(context.Context, *child) (T, error)) []answer[T] {
	return askWithin(ctx, b, b.opts.ListTimeout, do)
}

// askWithin is ask with another bound.
func askWithin[T any](ctx context.Context, b *Backend, within time.Duration, do func(context.Context, *child) (T, error)) []answer[T] {
	answers := make([]answer[T], len(b.children))
	var all sync.WaitGroup
	for i, c := range b.children {
		answers[i].child = c
		if answers[i].err = c.down(); answers[i].err != nil {
			continue
		}
		all.Go(func() {
			bounded, cancel := context.WithTimeoutCause(ctx, within, backend.Errorf(backend.ErrTimeout, "no answer in %s", within))
			defer cancel()
			answers[i].value, answers[i].err = do(bounded, c)
			if answers[i].err != nil && bounded.Err() != nil {
				answers[i].err = context.Cause(bounded)
			}
			b.saw(c, answers[i].err)
		})
	}
	all.Wait()
	return answers
}

// listed is what a child says about a namespace.
type listed struct {
	functions []types.FunctionStatus
	gaps      backend.Gaps
	since     uint64
}

// ListPartly implements backend.Completer: the functions of all children that
// answer, each once.
func (b *Backend) ListPartly(ctx context.Context, namespace string) ([]types.FunctionStatus, backend.Gaps, error) {
	answers := ask(ctx, b, func(ctx context.Context, c *child) (listed, error) {
		out := listed{since: b.index.now()}
		var err error
		if deep, ok := c.Backend.(backend.Completer); ok {
			out.functions, out.gaps, err = deep.ListPartly(ctx, namespace)
		} else {
			out.functions, err = c.Backend.List(ctx, namespace)
		}
		return out, err
	})
	if err := ctx.Err(); err != nil {
		return nil, backend.Gaps{}, err
	}
	gaps := backend.Gaps{Missing: map[string]string{}, Duplicates: map[string][]string{}}
	copies := map[string]map[*child]types.FunctionStatus{}
	var errs []error
	for _, a := range answers {
		if a.err != nil {
			gaps.Missing[a.child.name] = a.err.Error()
			b.metrics.missing.WithLabelValues(a.child.name).Inc()
			errs = append(errs, fmt.Errorf("list functions of %s: %w", a.child.name, a.err))
			continue
		}
		for part, why := range a.value.gaps.Missing {
			gaps.Missing[a.child.name+"/"+part] = why
		}
		b.index.listing(a.child, namespace, a.value.functions, a.value.since)
		for _, f := range a.value.functions {
			if copies[f.Name] == nil {
				copies[f.Name] = map[*child]types.FunctionStatus{}
			}
			copies[f.Name][a.child] = f
		}
	}
	if len(errs) == len(answers) {
		return nil, gaps, backend.As(backend.ErrUnavailable, errors.Join(errs...))
	}
	out := make([]types.FunctionStatus, 0, len(copies))
	for _, function := range slices.Sorted(maps.Keys(copies)) {
		name := backend.Name{Namespace: namespace, Function: function}
		status, places := b.counting(name, copies[function])
		if len(places) > 1 {
			gaps.Duplicates[function] = places
		}
		out = append(out, b.strip(status))
	}
	return out, gaps, nil
}

// counting returns the copy of a function that counts, and where it is followed
// by where it should not be.
func (b *Backend) counting(name backend.Name, copies map[*child]types.FunctionStatus) (types.FunctionStatus, []string) {
	order := b.rank(copies)
	first, places := order[0], []string{order[0].name}
	e := b.index.find(name)
	for _, c := range order[1:] {
		if e == nil || slices.Contains(e.extra, c) {
			places = append(places, c.name)
		}
	}
	return copies[first], places
}

// strip removes what the federation added to a deployment.
func (b *Backend) strip(s types.FunctionStatus) types.FunctionStatus {
	if b.marker(s) != "" {
		annotations := maps.Clone(*s.Annotations)
		delete(annotations, b.markerKey())
		s.Annotations = &annotations
	}
	return s
}

// markerKey is the annotation that is this federation's own, also within
// another federation.
func (b *Backend) markerKey() string {
	if b.opts.Name == "" {
		return markerAnnotation
	}
	return markerAnnotation + "." + b.opts.Name
}

func (b *Backend) marker(s types.FunctionStatus) string {
	if s.Annotations == nil {
		return ""
	}
	return (*s.Annotations)[b.markerKey()]
}

// missInterval is how often functions that nobody knows make the children be
// listed.
const missInterval = time.Second

// resolve returns the function's entry. One that is not known may be new at a
// child: the children are listed, but not for every name that is made up.
func (b *Backend) resolve(ctx context.Context, name backend.Name) (*entry, error) {
	if e := b.index.find(name); e != nil {
		return e, nil
	}
	b.missed.Lock()
	if b.index.find(name) == nil && time.Since(b.missed.at) >= missInterval {
		_, _, err := b.ListPartly(ctx, name.Namespace)
		if err != nil && ctx.Err() != nil {
			b.missed.Unlock()
			return nil, ctx.Err()
		}
		b.missed.at = time.Now()
	}
	b.missed.Unlock()
	v := b.index.view.Load()
	if e := v.functions[name]; e != nil {
		return e, nil
	}
	if !v.complete {
		var unknown []string
		for _, c := range b.children {
			if err := c.down(); err != nil {
				unknown = append(unknown, err.Error())
			}
		}
		if len(unknown) > 0 {
			return nil, backend.AsNotBegun(backend.Errorf(backend.ErrUnavailable, "function %s is not found, and may be where nobody answers: %s", name, strings.Join(unknown, "; ")))
		}
	}
	return nil, backend.NotFound(name)
}
