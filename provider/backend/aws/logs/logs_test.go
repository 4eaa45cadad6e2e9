package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/openfaas/faas-provider/logs"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// fakeLogs is as much of CloudWatch Logs as reading needs, with pages that are
// partly filled or empty, as its documents allow.
type fakeLogs struct {
	mu     sync.Mutex // guards the rest
	events []fakeEvent
	page   int
	calls  int
	fails  func(call int) bool
}

type fakeEvent struct {
	EventID   string `json:"eventId"`
	Stream    string `json:"logStreamName"`
	Message   string `json:"message"`
	Timestamp int64  `json:"timestamp"`
}

func (f *fakeLogs) put(at time.Time, stream, message string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, fakeEvent{strconv.Itoa(len(f.events)), stream, message, at.UnixMilli()})
}

func (f *fakeLogs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Amz-Target") != "Logs_20140328.FilterLogEvents" {
		refuse(w, "InvalidAction", "not here")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.fails != nil && f.fails(f.calls) {
		refuse(w, "ThrottlingException", "Rate exceeded")
		return
	}
	var in struct {
		LogGroupName       string
		StartTime, EndTime int64
		NextToken          string
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.LogGroupName != "/aws/lambda/logged" || len(f.events) == 0 {
		refuse(w, "ResourceNotFoundException", "The specified log group does not exist.")
		return
	}
	var found []fakeEvent
	for _, e := range f.events {
		if e.Timestamp >= in.StartTime && e.Timestamp <= in.EndTime {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b fakeEvent) int { return int(a.Timestamp - b.Timestamp) })
	from, _ := strconv.Atoi(in.NextToken)
	out := struct {
		Events    []fakeEvent `json:"events"`
		NextToken string      `json:"nextToken,omitempty"`
	}{Events: found[min(from, len(found)):min(from+f.page, len(found))]}
	if from+f.page < len(found) {
		out.NextToken = strconv.Itoa(from + f.page)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(out)
}

func refuse(w http.ResponseWriter, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": message})
}

// logged is a function's log, and who reads it.
type logged struct {
	*Reader
	source Source
	gone   atomic.Bool // the function is no more
}

func (l *logged) query(ctx context.Context, r logs.Request) (<-chan logs.Message, error) {
	return l.Query(ctx, l.source, r)
}

func logsOn(t *testing.T) (*logged, *fakeLogs) {
	t.Helper()
	fake := &fakeLogs{page: 3}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	l := &logged{Reader: NewReader(slog.New(slog.DiscardHandler))}
	l.poll = 2 * time.Millisecond
	l.source = Source{
		Client: cloudwatchlogs.NewFromConfig(aws.Config{
			Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "s", ""),
			Retryer: func() aws.Retryer {
				return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
			},
		}),
		Name: backend.Name{Namespace: "openfaas-fn", Function: "logged"}, Function: "logged", Group: "/aws/lambda/logged",
		Gone: func(context.Context) bool { return l.gone.Load() },
	}
	return l, fake
}

const logStream = "2026/11/24/[1]0123456789abcdef0123456789abcde"

func texts(ctx context.Context, t *testing.T, l *logged, r logs.Request) []string {
	t.Helper()
	messages, err := l.query(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for m := range messages {
		got = append(got, m.Text)
	}
	return got
}

func TestLogsOfThePast(t *testing.T) {
	l, fake := logsOn(t)
	now := time.Now()
	for i := range 10 {
		fake.put(now.Add(-time.Duration(10-i)*time.Hour), logStream+strconv.Itoa(i%3), "line "+strconv.Itoa(i)+"\n")
	}
	id := "8f507cfc-1697-4d35-9f1c-7f3f9a1f8f1a"
	for i, line := range []string{
		"INIT_START Runtime Version: provided:al2023.v1\tRuntime Version ARN: arn", "START RequestId: " + id + " Version: 1",
		"START RequestId: mine", "END RequestId: " + id, "REPORT RequestId: " + id + "\tDuration: 1 ms", `{"time":"t","type":"platform.report","record":{}}`,
		"2026 " + id + " Task timed out after 3.00 seconds", `{"type":"platform.report"}`,
	} {
		fake.put(now.Add(-time.Second+time.Duration(i)*time.Millisecond), logStream+"0", line)
	}
	ago := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
	last := []string{"START RequestId: mine", "2026 " + id + " Task timed out after 3.00 seconds", `{"type":"platform.report"}`}
	lines := func(from int) []string {
		var out []string
		for i := from; i < 10; i++ {
			out = append(out, "line "+strconv.Itoa(i))
		}
		return append(out, last...)
	}
	for _, c := range []struct {
		name    string
		request logs.Request
		want    []string
	}{
		{"all", logs.Request{}, lines(0)},
		{"since", logs.Request{Since: ago(3*time.Hour + time.Minute)}, lines(7)},
		{"tail in the last minute", logs.Request{Tail: 2}, last[1:]},
		{"tail over hours", logs.Request{Tail: 6}, lines(7)},
		{"tail longer than all", logs.Request{Tail: 100}, lines(0)},
		{"tail and since", logs.Request{Tail: 100, Since: ago(90 * time.Minute)}, lines(9)},
		{"an instance", logs.Request{Instance: logStream[strings.IndexByte(logStream, ']')+1:] + "2"}, []string{"line 2", "line 5", "line 8"}},
		{"a stream that is not there", logs.Request{Instance: "none"}, nil},
		{"since later", logs.Request{Since: ago(-time.Hour)}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := texts(t.Context(), t, l, c.request); !slices.Equal(got, c.want) {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
	t.Run("platform lines too", func(t *testing.T) {
		if got := texts(backend.WithPlatformLines(t.Context()), t, l, logs.Request{}); len(got) != 18 {
			t.Errorf("%d lines: %q", len(got), got)
		}
	})
	t.Run("a function without lines", func(t *testing.T) {
		l, _ := logsOn(t)
		if got := texts(t.Context(), t, l, logs.Request{}); len(got) != 0 {
			t.Errorf("%q", got)
		}
	})
}

// TestFollowedLogsLoseNothing writes lines of several sandboxes while they are
// followed: out of order, some a minute and a half late, between calls that fail.
func TestFollowedLogsLoseNothing(t *testing.T) {
	l, fake := logsOn(t)
	fake.page = 40
	fake.fails = func(call int) bool { return call%7 > 3 } // more in a row than are tried
	old := time.Now().Add(-time.Hour)
	for i := range 5 {
		fake.put(old.Add(time.Duration(i)*time.Second), logStream+"0", fmt.Sprintf("0 %d", i))
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var messages <-chan logs.Message
	for err := errors.New("not asked"); err != nil; { // the first call's failure is the caller's
		messages, err = l.query(ctx, logs.Request{Follow: true, Tail: 2})
	}
	got := map[string]int{}
	for range 2 { // before there is more
		got[(<-messages).Text]++
	}
	const streams, each = 4, 150
	var writers sync.WaitGroup
	writers.Go(func() {
		random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test's choice
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for i := range each {
			for s := range streams {
				at := time.Now()
				if s == 3 {
					at = at.Add(-90 * time.Second) // late, in order by itself
				} else {
					at = at.Add(-time.Duration(random.IntN(5*s+1)) * time.Millisecond)
				}
				fake.put(at, logStream+strconv.Itoa(s+1), fmt.Sprintf("%d %d", s+1, i))
			}
			<-tick.C
		}
	})
	limit := time.NewTimer(2 * time.Minute)
	defer limit.Stop()
	for len(got) < streams*each+2 {
		select {
		case m, ok := <-messages:
			if !ok {
				t.Fatalf("logs ended after %d lines", len(got))
			}
			got[m.Text]++
		case <-limit.C:
			t.Fatalf("%d of %d lines", len(got), streams*each+2)
		}
	}
	writers.Wait()
	end()
	for range messages {
	}
	for line, n := range got {
		if n != 1 {
			t.Errorf("line %q came %d times", line, n)
		}
	}
	if got["0 2"] != 0 || got["0 3"] != 1 || got["0 4"] != 1 {
		t.Errorf("the tail was %v", got)
	}
}

func TestFollowingEndsWithTheFunction(t *testing.T) {
	l, fake := logsOn(t)
	fake.put(time.Now().Add(-time.Second), logStream, "hello")
	messages, err := l.query(t.Context(), logs.Request{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	for range messages {
		got++
		l.gone.Store(true)
	}
	if n := l.followers.Load(); got != 1 || n != 0 {
		t.Errorf("%d lines, and %d follow", got, n)
	}
}

// TestMemoryOfFollowedLogsIsBounded has more events than are remembered.
func TestMemoryOfFollowedLogsIsBounded(t *testing.T) {
	now := time.Now()
	s := newSeenEvents(now.Add(-time.Minute))
	s.limit = 2000
	for i := range 3 * s.limit {
		at := now.Add(-time.Minute + time.Duration(i)*10*time.Millisecond)
		if s.before(strconv.Itoa(i), at) && at.After(s.floor) {
			t.Fatalf("event %d is said to be known", i)
		}
	}
	if len(s.at) > s.limit {
		t.Errorf("%d events are remembered", len(s.at))
	}
	last := tail{limit: maxTailLines}
	for range 1000 {
		last.add(line{text: strings.Repeat("x", 1<<20)})
	}
	if len(last.held) != maxTailBytes>>20 {
		t.Errorf("%d lines of a megabyte are held", len(last.held))
	}
}

func FuzzPlatformLine(f *testing.F) {
	for _, line := range []string{"", "START RequestId: x", `{"type":"platform.start","record":{}}`, `{"type":"platform.`, "\x00"} {
		f.Add(line)
	}
	f.Fuzz(func(_ *testing.T, line string) {
		platformLine(line)
		instanceOf(line)
	})
}
