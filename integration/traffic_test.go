package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"
)

// trafficWorkers is how many requests there are at a time at most.
const trafficWorkers = 32

// traffic is what users of a provider do, all at once, at a given rate:
// invocations for the most part, some of them long, status, lists and
// deployments.
type traffic struct {
	url    string
	client *http.Client
	image  string
	stop   context.CancelFunc
	done   sync.WaitGroup
	free   chan string // functions that nobody deploys just now

	mu      sync.Mutex // guards the rest
	all     []string   // names of functions
	serving map[string]string
	sent    map[string]int // by kind
	took    map[string][]time.Duration
	failed  map[string]int // by kind and text
	more    chan struct{}  // closed and replaced at every answer
	begun   time.Time
}

// startTraffic sends that many requests a second to url. The functions are
// there.
func startTraffic(ctx context.Context, url string, rate int, image string, functions ...string) *traffic {
	ctx, stop := context.WithCancel(ctx)
	l := &traffic{
		url: url, image: image, stop: stop, free: make(chan string, len(functions)), all: functions,
		// Connections are kept for longer than a replica still takes new ones.
		client:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: trafficWorkers, IdleConnTimeout: 5 * time.Second}},
		serving: map[string]string{}, sent: map[string]int{}, took: map[string][]time.Duration{}, failed: map[string]int{}, more: make(chan struct{}), begun: time.Now(),
	}
	for _, function := range functions {
		l.free <- function
	}
	turns := make(chan int)
	l.done.Go(func() {
		defer close(turns)
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			select {
			case turns <- i:
			case <-ctx.Done():
				return
			}
		}
	})
	for range trafficWorkers {
		l.done.Go(func() {
			for i := range turns {
				begin := time.Now()
				kind, err := l.request(context.WithoutCancel(ctx), i)
				l.count(kind, time.Since(begin), err)
			}
		})
	}
	return l
}

// request makes the i-th request: of two hundred, one is a deployment, 16 are
// lists, 32 ask for a status and the others invoke.
func (l *traffic) request(ctx context.Context, i int) (kind string, err error) {
	function := l.all[i%len(l.all)]
	switch n := i % 200; {
	case n == 0:
		select {
		case function := <-l.free:
			defer func() { l.free <- function }()
			return "deploy", l.deploy(ctx, function, strconv.Itoa(i))
		default: // all of them are being deployed
			return "status", l.status(ctx, function)
		}
	case n <= 16:
		return "list", l.list(ctx)
	case n <= 48:
		return "status", l.status(ctx, function)
	case n <= 56:
		_, err := l.send(ctx, http.MethodGet, "/function/"+function+"/sleep/500ms", nil, http.StatusOK)
		return "long invocation", err
	default:
		body := fmt.Appendf(nil, "body %d", i)
		got, err := l.send(ctx, http.MethodPost, "/function/"+function+"/echo", body, http.StatusOK)
		if err == nil && !bytes.Equal(got, body) {
			err = fmt.Errorf("%q came back as %q", body, got)
		}
		return "invocation", err
	}
}

func (l *traffic) deploy(ctx context.Context, function, generation string) error {
	body, err := json.Marshal(types.FunctionDeployment{Service: function, Image: l.image, EnvVars: map[string]string{"GENERATION": generation}})
	if err != nil {
		return err
	}
	if _, err = l.send(ctx, http.MethodPut, "/system/functions", body, http.StatusAccepted); err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.serving[function] = generation
	}
	return err
}

func (l *traffic) list(ctx context.Context) error {
	body, err := l.send(ctx, http.MethodGet, "/system/functions", nil, http.StatusOK)
	if err != nil {
		return err
	}
	var listed []types.FunctionStatus
	if err := json.Unmarshal(body, &listed); err != nil || len(listed) != len(l.all) {
		return fmt.Errorf("%d functions are listed, %w", len(listed), err)
	}
	return nil
}

func (l *traffic) status(ctx context.Context, function string) error {
	body, err := l.send(ctx, http.MethodGet, "/system/function/"+function, nil, http.StatusOK)
	if err != nil {
		return err
	}
	var status types.FunctionStatus
	if err := json.Unmarshal(body, &status); err != nil || status.Name != function || status.AvailableReplicas == 0 {
		return fmt.Errorf("status of %s: %s, %w", function, body, err)
	}
	return nil
}

func (l *traffic) send(ctx context.Context, method, path string, body []byte, want int) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, l.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	answer, err := l.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != want {
		err = fmt.Errorf("answered %d: %.200s", answer.StatusCode, got)
	}
	return got, err
}

func (l *traffic) count(kind string, took time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[kind]++
	l.took[kind] = append(l.took[kind], took)
	if err != nil {
		l.failed[kind+": "+err.Error()]++
	}
	close(l.more)
	l.more = make(chan struct{})
}

// moreOf waits for n further answers.
func (l *traffic) moreOf(t *testing.T, n int) {
	t.Helper()
	want := -1
	for {
		l.mu.Lock()
		sum, more := 0, l.more
		for _, n := range l.sent {
			sum += n
		}
		l.mu.Unlock()
		if want < 0 {
			want = sum + n
		}
		if sum >= want {
			return
		}
		select {
		case <-more:
		case <-t.Context().Done():
			t.Fatal("no more answers came")
		}
	}
}

// end stops the traffic, prints what became of it and fails the test for every
// request that did not get its answer.
func (l *traffic) end(t *testing.T, title string) {
	t.Helper()
	l.stop()
	l.done.Wait()
	l.client.CloseIdleConnections()
	var out strings.Builder
	sum, failed := 0, 0
	for _, kind := range slices.Sorted(maps.Keys(l.sent)) {
		slices.Sort(l.took[kind])
		fmt.Fprintf(&out, "  %-16s %6d  p50 %s, longest %s\n", kind, l.sent[kind], l.took[kind][l.sent[kind]/2].Round(time.Millisecond), l.took[kind][l.sent[kind]-1].Round(time.Millisecond))
		sum += l.sent[kind]
	}
	for text, n := range l.failed {
		failed += n
		t.Errorf("%s: %d× %s", title, n, text)
	}
	t.Logf("%s: %d requests, %.0f a second, %d failed\n%s", title, sum, float64(sum)/time.Since(l.begun).Seconds(), failed, &out)
}
