package federation

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// index knows where every function is. Invocations read a view of it, which is
// replaced and never changed.
type index struct {
	owner *Backend
	view  atomic.Pointer[view]

	mu     sync.Mutex // guards the rest
	clock  uint64     // counts the changes made here
	copies map[backend.Name]map[*child]types.FunctionStatus
	// changed is when something was last changed here: a listing that began
	// before that does not know of it.
	changed map[backend.Name]uint64
	spaces  map[*child][]string
	listed  map[*child]bool
	states  map[backend.Name]*state
}

type view struct {
	functions  map[backend.Name]*entry
	namespaces []string // the default one first
	complete   bool     // every child was listed once
}

// entry is a function as invocations see it.
type entry struct {
	name       backend.Name
	home       *child
	second     *child // nil, unless the function is there too and says so
	policy     policy
	budget     *budget // nil: none
	homeFlight *flight
	nextFlight *flight
	extra      []*child // copies that should not be there
}

// state is what outlives a change of the function.
type state struct {
	flights map[*child]*flight
	budget  *budget
}

func newIndex(owner *Backend) *index {
	x := &index{
		owner: owner, copies: map[backend.Name]map[*child]types.FunctionStatus{}, changed: map[backend.Name]uint64{},
		spaces: map[*child][]string{}, listed: map[*child]bool{}, states: map[backend.Name]*state{},
	}
	x.view.Store(&view{functions: map[backend.Name]*entry{}, namespaces: []string{owner.opts.Namespace}})
	return x
}

func (x *index) find(name backend.Name) *entry { return x.view.Load().functions[name] }

// now is what listing takes as the time when a listing began.
func (x *index) now() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.clock
}

// touch says that name is being changed here.
func (x *index) touch(name backend.Name) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.clock++
	x.changed[name] = x.clock
}

// set takes note of a copy, or with a nil status of its end.
func (x *index) set(name backend.Name, c *child, status *types.FunctionStatus) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.clock++
	x.changed[name] = x.clock
	x.put(name, c, status)
	next := *x.view.Load()
	next.functions = maps.Clone(next.functions)
	x.rebuild(next.functions, name)
	x.view.Store(&next)
	x.report(&next)
}

// put changes copies; the caller holds mu.
func (x *index) put(name backend.Name, c *child, status *types.FunctionStatus) {
	if status != nil {
		if x.copies[name] == nil {
			x.copies[name] = map[*child]types.FunctionStatus{}
		}
		x.copies[name][c] = *status
		return
	}
	delete(x.copies[name], c)
	if len(x.copies[name]) == 0 {
		delete(x.copies, name)
	}
}

// listing takes over what a child said are its functions in a namespace.
func (x *index) listing(c *child, namespace string, functions []types.FunctionStatus, since uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	there := make(map[backend.Name]bool, len(functions))
	next := *x.view.Load()
	next.functions = maps.Clone(next.functions)
	for i := range functions {
		name := backend.Name{Namespace: namespace, Function: functions[i].Name}
		there[name] = true
		if x.changed[name] <= since {
			x.put(name, c, &functions[i])
			x.rebuild(next.functions, name)
		}
	}
	for name, copies := range x.copies {
		if _, was := copies[c]; was && name.Namespace == namespace && !there[name] && x.changed[name] <= since {
			x.put(name, c, nil)
			x.rebuild(next.functions, name)
		}
	}
	x.view.Store(&next)
	x.report(&next)
	if len(x.changed) > 2*len(x.copies)+1000 {
		maps.DeleteFunc(x.changed, func(name backend.Name, at uint64) bool { return x.copies[name] == nil && at < since })
	}
}

// namespaces takes over the namespaces of a child.
func (x *index) namespaces(c *child, names []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.spaces[c] = names
	all := map[string]bool{}
	for _, of := range x.spaces {
		for _, name := range of {
			all[name] = true
		}
	}
	delete(all, x.owner.opts.Namespace)
	next := *x.view.Load()
	next.namespaces = append([]string{x.owner.opts.Namespace}, slices.Sorted(maps.Keys(all))...)
	x.view.Store(&next)
}

// complete says that all of a child's functions are known.
func (x *index) complete(c *child) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.listed[c] = true
	next := *x.view.Load()
	next.complete = len(x.listed) == len(x.owner.children)
	x.view.Store(&next)
}

// rebuild makes the entry of a function; the caller holds mu.
func (x *index) rebuild(functions map[backend.Name]*entry, name backend.Name) {
	copies := x.copies[name]
	if len(copies) == 0 {
		delete(functions, name)
		delete(x.states, name)
		return
	}
	s := x.states[name]
	if s == nil {
		s = &state{flights: map[*child]*flight{}}
		for _, c := range x.owner.children {
			s.flights[c] = &flight{}
		}
		x.states[name] = s
	}
	order := x.owner.rank(copies)
	first := order[0]
	e := &entry{name: name, home: first, homeFlight: s.flights[first]}
	p, err := x.owner.route(backend.DeploymentOf(copies[first]))
	if err == nil {
		e.policy = p.policy
	}
	moved := x.owner.replaces(copies[first])
	for _, c := range order[1:] {
		if x.owner.names(moved, c, copies[c]) {
			continue // on its way out
		}
		if err == nil && e.second == nil && x.owner.isSecond(copies[c], first, c) && p.second == c {
			e.second, e.nextFlight = c, s.flights[c]
		} else {
			e.extra = append(e.extra, c)
		}
	}
	e.budget = s.budgetFor(e)
	functions[name] = e
}

// rank orders the copies of a function. The one that counts comes first: one
// that has moved and is ready, then one that is where its own annotations put
// it, then by the order of the children.
func (b *Backend) rank(copies map[*child]types.FunctionStatus) []*child {
	weight := func(c *child) int {
		status := copies[c]
		left := b.replaces(status)
		for other := range copies {
			if other != c && b.names(left, other, copies[other]) {
				if status.AvailableReplicas > 0 {
					return 0
				}
				return 3 // not ready yet: what it replaces counts
			}
		}
		if p, err := b.route(backend.DeploymentOf(status)); err == nil && p.home == c {
			return 1
		}
		return 2
	}
	order := slices.Collect(maps.Keys(copies))
	slices.SortFunc(order, func(a, b *child) int {
		return cmp.Or(cmp.Compare(weight(a), weight(b)), cmp.Compare(a.order, b.order))
	})
	return order
}

// isSecond tells whether a copy was deployed as the second place of the one at
// home, and is not another function of that name.
func (b *Backend) isSecond(status types.FunctionStatus, home, c *child) bool {
	p, err := b.route(backend.DeploymentOf(status))
	return err == nil && p.second == c && (p.home == home || !p.chosen)
}

// report counts duplicates; the caller holds mu.
func (x *index) report(v *view) {
	n := 0
	for _, e := range v.functions {
		if len(e.extra) > 0 {
			n++
		}
	}
	x.owner.metrics.duplicates.Set(float64(n))
}

// known returns the copies of a function.
func (x *index) known(name backend.Name) map[*child]types.FunctionStatus {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.copies[name])
}

// counts returns how many functions count where they are, by child.
func (x *index) counts() map[*child]int {
	out := map[*child]int{}
	for _, e := range x.view.Load().functions {
		out[e.home]++
		if e.second != nil {
			out[e.second]++
		}
	}
	return out
}

// moving returns the functions of which a copy says that it has moved.
func (x *index) moving() []backend.Name {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []backend.Name
	for name, copies := range x.copies {
		if len(copies) < 2 {
			continue
		}
		for _, status := range copies {
			if x.owner.marker(status) != "" {
				out = append(out, name)
				break
			}
		}
	}
	slices.SortFunc(out, func(a, b backend.Name) int { return strings.Compare(a.String(), b.String()) })
	return out
}
