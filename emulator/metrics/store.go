// Package metrics is Amazon CloudWatch's metrics as far as Lambda writes them and
// people read them: sums, averages and extremes by the minute. They are kept in
// memory for fifteen days and are gone at the end of the program.
package metrics

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	minute = time.Minute
	// keptFor is how long AWS keeps metrics by the minute (CloudWatch User Guide,
	// "Metrics retention").
	keptFor = 15 * 24 * time.Hour
	// maxSamples bounds what is kept of a minute's values for percentiles.
	maxSamples = 1000
)

// Dimension is one of a metric's.
type Dimension struct {
	Name  string
	Value string
}

// Store is the metrics of an account in a region. Its methods may be called at
// the same time.
type Store struct {
	now func() time.Time

	mu     sync.Mutex         // guards series and what they point to
	series map[string]*series // by keyOf
}

// series is one metric.
type series struct {
	namespace, name string
	dimensions      []Dimension
	minutes         map[int64]*bucket // by the minute's number since 1970
	pruned          int64             // minute at which old ones were last removed
}

// bucket is what was measured within a time.
type bucket struct {
	sum, least, most, count float64
	samples                 []float64
}

// New returns an empty store. now is the clock; nil is time.Now.
func New(now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{now: now, series: map[string]*series{}}
}

// keyOf names a metric; the order of dimensions does not count.
func keyOf(namespace, name string, dimensions []Dimension) string {
	var b strings.Builder
	b.WriteString(namespace + "\x00" + name)
	for _, d := range sorted(dimensions) {
		b.WriteString("\x00" + d.Name + "\x00" + d.Value)
	}
	return b.String()
}

func sorted(dimensions []Dimension) []Dimension {
	byName := func(a, b Dimension) int { return cmp.Compare(a.Name, b.Name) }
	if slices.IsSortedFunc(dimensions, byName) {
		return dimensions
	}
	dimensions = slices.Clone(dimensions)
	slices.SortFunc(dimensions, byName)
	return dimensions
}

// Record adds a measurement.
func (s *Store) Record(namespace, name string, at time.Time, value float64, dimensions ...Dimension) {
	s.record(namespace, name, dimensions, at, bucket{sum: value, least: value, most: value, count: 1, samples: []float64{value}})
}

func (s *Store) record(namespace, name string, dimensions []Dimension, at time.Time, measured bucket) {
	key := keyOf(namespace, name, dimensions)
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.series[key]
	if m == nil {
		m = &series{namespace: namespace, name: name, dimensions: slices.Clone(sorted(dimensions)), minutes: map[int64]*bucket{}}
		s.series[key] = m
	}
	number := at.Unix() / int64(minute.Seconds())
	b := m.minutes[number]
	if b == nil {
		m.prune(s.now())
		b = &bucket{}
		m.minutes[number] = b
	}
	b.add(measured)
}

// prune removes what is too old, once an hour.
func (m *series) prune(now time.Time) {
	number := now.Unix() / int64(minute.Seconds())
	if number-m.pruned < 60 {
		return
	}
	m.pruned = number
	oldest := number - int64(keptFor/minute)
	maps.DeleteFunc(m.minutes, func(at int64, _ *bucket) bool { return at < oldest })
}

func (b *bucket) add(other bucket) {
	if b.count == 0 {
		b.least, b.most = other.least, other.most
	}
	b.sum, b.count = b.sum+other.sum, b.count+other.count
	b.least, b.most = min(b.least, other.least), max(b.most, other.most)
	if room := maxSamples - len(b.samples); room > 0 {
		b.samples = append(b.samples, other.samples[:min(room, len(other.samples))]...)
	}
}

// point is the value of a statistic over a period that begins at at.
type point struct {
	at    time.Time
	value bucket
}

// read returns what a metric was from one time to another, by periods of whole
// minutes, in order; periods without a measurement are left out.
func (s *Store) read(key string, from, to time.Time, period time.Duration) []point {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.series[key]
	if m == nil {
		return nil
	}
	by := map[int64]*bucket{}
	for number, b := range m.minutes {
		at := time.Unix(number*int64(minute.Seconds()), 0)
		if at.Before(from) || !at.Before(to) {
			continue
		}
		start := at.Truncate(period).Unix()
		if by[start] == nil {
			by[start] = &bucket{}
		}
		by[start].add(*b)
	}
	var list []point
	for _, start := range slices.Sorted(maps.Keys(by)) {
		list = append(list, point{time.Unix(start, 0).UTC(), *by[start]})
	}
	return list
}
