package integration

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// tally counts what happened to the invocations of a function.
type tally struct {
	sent, failed int
	by           map[string]int // answered, by whom
	errors       map[string]int
}

// load invokes functions all the time.
type load struct {
	stop    chan struct{}
	done    sync.WaitGroup
	mu      sync.Mutex // guards the rest
	tallies map[string]*tally
	more    chan struct{} // closed and replaced at every answer
}

// startLoad keeps workers busy with each of the functions.
func (f *fleet) startLoad(ctx context.Context, workers int, functions ...string) *load {
	l := &load{stop: make(chan struct{}), tallies: map[string]*tally{}, more: make(chan struct{})}
	for _, function := range functions {
		l.tallies[function] = &tally{by: map[string]int{}, errors: map[string]int{}}
		for worker := range workers {
			l.done.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-l.stop:
						return
					default:
					}
					body := fmt.Sprintf("%s %d %d", function, worker, i)
					answer, err := f.federation.Do(ctx, "POST", "/function/"+function, []byte(body))
					l.count(function, body, answer, err)
				}
			})
		}
	}
	return l
}

func (l *load) count(function, body string, answer fixture.Answer, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tallies[function]
	t.sent++
	switch {
	case err != nil:
		t.failed++
		t.errors[err.Error()]++
	case answer.Status != http.StatusOK || string(answer.Body) != body:
		t.failed++
		t.errors[fmt.Sprintf("%d %.150s", answer.Status, answer.Body)]++
	default:
		t.by[answer.Header.Get(backend.ServedByHeader)]++
	}
	close(l.more)
	l.more = make(chan struct{})
}

// until waits until the tallies fit.
func (l *load) until(t *testing.T, what string, fits func(map[string]*tally) bool) {
	t.Helper()
	for {
		l.mu.Lock()
		ok, more := fits(l.tallies), l.more
		l.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-more:
		case <-t.Context().Done():
			t.Fatalf("never: %s", what)
		}
	}
}

// moreOf waits for n further answers of each function.
func (l *load) moreOf(t *testing.T, n int) {
	t.Helper()
	l.mu.Lock()
	want := map[string]int{}
	for function, tally := range l.tallies {
		want[function] = tally.sent + n
	}
	l.mu.Unlock()
	l.until(t, "more answers", func(now map[string]*tally) bool {
		for function, n := range want {
			if now[function].sent < n {
				return false
			}
		}
		return true
	})
}

// end stops the load and prints the tallies.
func (l *load) end(t *testing.T, title string) map[string]*tally {
	t.Helper()
	close(l.stop)
	l.done.Wait()
	out := fmt.Sprintf("%s\n%-12s %7s %7s  answered by\n", title, "function", "sent", "failed")
	for _, function := range slices.Sorted(maps.Keys(l.tallies)) {
		tally := l.tallies[function]
		out += fmt.Sprintf("%-12s %7d %7d  %v\n", function, tally.sent, tally.failed, tally.by)
		for text, n := range tally.errors {
			out += fmt.Sprintf("%29d× %s\n", n, strings.TrimSpace(text))
		}
	}
	t.Log(out)
	return l.tallies
}
