// Package logs is Amazon CloudWatch Logs as far as functions write to it and
// people read: groups, streams, events, filters. Events are kept in memory, the
// newest of them, and are gone at the end of the program.
package logs

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// maxKept bounds the text of a group's events, in bytes; the oldest go first.
const maxKept = 16 << 20

// Options configure a store.
type Options struct {
	Account, Region string
	Now             func() time.Time // nil is time.Now
}

// Store is the log groups of an account in a region. Its methods may be called
// at the same time.
type Store struct {
	opts Options

	mu     sync.Mutex // guards groups and what they point to
	groups map[string]*group
	number uint64 // of the last event
}

type group struct {
	name      string
	created   time.Time
	retention int // days; 0 for ever
	tags      map[string]string
	streams   map[string]*stream
	events    []event // by time, then number
	size      int
}

type stream struct {
	name        string
	created     time.Time
	first, last int64 // times of events, in ms
	ingested    time.Time
	empty       bool
}

type event struct {
	number   uint64
	at       int64 // ms since 1970
	ingested int64
	stream   string
	message  string
}

// New returns an empty store.
func New(opts Options) *Store {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Store{opts: opts, groups: map[string]*group{}}
}

// Put adds a line to a stream; group and stream are made if need be. It keeps a
// copy of line.
func (s *Store) Put(name, streamName string, at time.Time, line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[name]
	if g == nil {
		g = s.newGroup(name)
	}
	if g.streams[streamName] == nil {
		g.streams[streamName] = &stream{name: streamName, created: s.opts.Now(), empty: true}
	}
	s.add(g, streamName, at.UnixMilli(), string(bytes.TrimSuffix(line, []byte("\n"))))
}

// newGroup makes a group. The caller holds s.mu.
func (s *Store) newGroup(name string) *group {
	g := &group{name: name, created: s.opts.Now(), tags: map[string]string{}, streams: map[string]*stream{}}
	s.groups[name] = g
	return g
}

// add adds an event. The caller holds s.mu.
func (s *Store) add(g *group, streamName string, at int64, message string) {
	s.number++
	now := s.opts.Now()
	e := event{number: s.number, at: at, ingested: now.UnixMilli(), stream: streamName, message: message}
	i := len(g.events) // mostly the newest
	for i > 0 && g.events[i-1].at > at {
		i--
	}
	g.events = slices.Insert(g.events, i, e)
	g.size += len(message)
	if g.size > maxKept {
		g.shrink()
	}
	st := g.streams[streamName]
	if st.empty || at < st.first {
		st.first = at
	}
	if st.empty || at > st.last {
		st.last = at
	}
	st.empty, st.ingested = false, now
}

// shrink drops the oldest events, more of them than it must: it copies the rest.
func (g *group) shrink() {
	drop := 0
	for g.size > maxKept*3/4 && drop < len(g.events)-1 {
		g.size -= len(g.events[drop].message)
		drop++
	}
	g.events = slices.Clone(g.events[drop:]) // a slice of the old array would hold all of it
}

// find returns a group. The caller holds s.mu.
func (s *Store) find(name string) (*group, error) {
	if arn, ok := strings.CutPrefix(name, "arn:"); ok { // ARN:log-group:NAME, with or without :* at its end
		_, name, _ = strings.Cut(arn, ":log-group:")
		name = strings.TrimSuffix(name, ":*")
	}
	if g := s.groups[name]; g != nil {
		return g, nil
	}
	return nil, wire.Refuse("ResourceNotFoundException", "The specified log group does not exist.")
}

func (s *Store) groupARN(g *group) string {
	return fmt.Sprintf("arn:aws:logs:%s:%s:log-group:%s", s.opts.Region, s.opts.Account, g.name)
}

// expire removes what a group's retention no longer keeps. The caller holds s.mu.
func (s *Store) expire(g *group) {
	if g.retention == 0 {
		return
	}
	oldest := s.opts.Now().AddDate(0, 0, -g.retention).UnixMilli()
	i, _ := slices.BinarySearchFunc(g.events, oldest, func(e event, t int64) int { return cmp.Compare(e.at, t) })
	for _, e := range g.events[:i] {
		g.size -= len(e.message)
	}
	g.events = g.events[i:]
}

// query says which events are asked for.
type query struct {
	streams  func(name string) bool
	matches  func(message string) bool
	from, to int64 // ms, both inclusive; to is -1 for no end
	limit    int
	after    position // what was read last; zero for the beginning
}

// position is a place among a group's events.
type position struct {
	at     int64
	number uint64
}

func (p position) compare(e event) int {
	return cmp.Or(cmp.Compare(e.at, p.at), cmp.Compare(e.number, p.number))
}

// read returns events in order, and where to go on when there are more.
func (s *Store) read(name string, q query) (list []event, next *position, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(name)
	if err != nil {
		return nil, nil, err
	}
	s.expire(g)
	for _, e := range g.events {
		switch {
		case e.at < q.from || q.to >= 0 && e.at > q.to, q.after != position{} && q.after.compare(e) <= 0:
		case !q.streams(e.stream) || !q.matches(e.message):
		case len(list) == q.limit:
			last := list[len(list)-1]
			return list, &position{last.at, last.number}, nil
		default:
			list = append(list, e)
		}
	}
	return list, nil, nil
}
