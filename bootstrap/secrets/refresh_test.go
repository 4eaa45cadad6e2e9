package secrets

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// refreshed is a Store of one secret, "a", of "old" value, whose time stands
// still.
func refreshed(t *testing.T, more ...string) (*fakeAWS, *Store, *logs, *clock) {
	t.Helper()
	aws := startAWS(t, map[string][]answer{"secretsmanager:id": {secretString("old")}})
	s, l := load(t, aws.env(t, map[string]string{"a": "secretsmanager:id"}, append([]string{"FAAS_LAMBDA_SECRETS_REFRESH=4m"}, more...)...))
	c := &clock{now: s.fresh}
	s.now, s.wait = c.read, time.Minute // however busy the machine is
	return aws, s, l, c
}

func TestFreshValuesCostNothing(t *testing.T) {
	aws, s, _, c := refreshed(t)
	c.add(3*time.Minute - time.Second)
	if s.Refresh(t.Context(), time.Time{}); len(aws.calls()) != 1 {
		t.Errorf("%d calls", len(aws.calls()))
	}
	if n := testing.AllocsPerRun(100, func() { s.Refresh(t.Context(), time.Time{}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRefreshBesideAnInvocation(t *testing.T) {
	aws, s, _, c := refreshed(t)
	aws.set("secretsmanager:id", secretString("new"))
	release := aws.block()
	c.add(3 * time.Minute)
	s.Refresh(t.Context(), time.Time{}) // returns while the server holds the request
	<-aws.held
	if got := value(t, s, "a"); got != "old" {
		t.Errorf("value %q", got)
	}
	s.Refresh(t.Context(), time.Time{}) // starts no second one
	release()
	s.ended.Wait()
	if got := value(t, s, "a"); got != "new" || len(aws.calls()) != 2 {
		t.Errorf("value %q after %d calls", got, len(aws.calls()))
	}
	if s.Refresh(t.Context(), time.Time{}); len(aws.calls()) != 2 {
		t.Error("it is not fresh")
	}
}

func TestOldValuesAreWaitedFor(t *testing.T) {
	for name, d := range map[string]time.Duration{"time is up": 4 * time.Minute, "frozen for a week": 7 * 24 * time.Hour, "clock set back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			aws, s, _, c := refreshed(t)
			aws.set("secretsmanager:id", secretString("new"))
			c.add(d)
			if s.Refresh(t.Context(), time.Time{}); value(t, s, "a") != "new" {
				t.Error("the invocation would see the old value")
			}
		})
	}
}

func TestWaitLeavesTheInvocationItsTime(t *testing.T) {
	aws, s, _, c := refreshed(t)
	release := aws.block()
	c.add(time.Hour)
	began := time.Now()
	s.Refresh(t.Context(), began.Add(200*time.Millisecond))
	if d := time.Since(began); d < 50*time.Millisecond || d >= s.wait {
		t.Errorf("it waited %s", d)
	}
	release()
	s.ended.Wait()
}

func TestFailedRefreshKeepsTheOldValue(t *testing.T) {
	aws, s, l, c := refreshed(t)
	aws.set("secretsmanager:id", answer{400, `{"__type":"AccessDeniedException","Message":"no more"}`})
	c.add(time.Hour)
	s.Refresh(t.Context(), time.Time{})
	if got := value(t, s, "a"); got != "old" {
		t.Errorf("value %q", got)
	}
	if text := l.String(); !strings.Contains(text, "fetch secret a (secretsmanager:id): AccessDeniedException (status 400): no more") || strings.Contains(text, "old\"") {
		t.Errorf("log: %s", text)
	}
	if s.Refresh(t.Context(), time.Time{}); len(aws.calls()) != 2 {
		t.Error("it was tried again at once")
	}
	c.add(firstRetry)
	aws.set("secretsmanager:id", secretString("new"))
	s.Refresh(t.Context(), time.Time{}) // in the background: nothing waits for what failed before
	s.ended.Wait()
	if got := value(t, s, "a"); got != "new" {
		t.Errorf("value %q", got)
	}
}

func TestFailureOfOneDoesNotHoldUpOthers(t *testing.T) {
	names, answers := numbered(2)
	aws := startAWS(t, answers)
	s, _ := load(t, aws.env(t, names))
	c := &clock{now: s.fresh.Add(time.Hour)}
	s.now, s.wait = c.read, time.Minute
	aws.set("secretsmanager:id0", answer{400, `{"__type":"AccessDeniedException"}`})
	aws.set("secretsmanager:id1", secretString("new"))
	s.Refresh(t.Context(), time.Time{})
	if a, b := value(t, s, "s00"), value(t, s, "s01"); a != "value 0" || b != "new" {
		t.Errorf("values %q and %q", a, b)
	}
}

func TestRefreshFrozenWithTheSandbox(t *testing.T) {
	aws, s, l, c := refreshed(t)
	release := aws.block()
	c.add(3 * time.Minute)
	s.Refresh(t.Context(), time.Time{})
	<-aws.held
	c.add(time.Hour) // frozen after the answer, thawed by the next invocation
	aws.set("secretsmanager:id", secretString("new"))
	go func() {
		<-aws.held
		release()
	}()
	if s.Refresh(t.Context(), time.Time{}); value(t, s, "a") != "new" {
		t.Error("the invocation would see the old value")
	}
	s.ended.Wait()
	if l.String() != "" {
		t.Errorf("log: %s", l)
	}
}

func TestUnchangedFilesAreNotTouched(t *testing.T) {
	_, s, _, c := refreshed(t)
	before, err := os.Stat(filepath.Join(s.Dir(), "a"))
	if err != nil {
		t.Fatal(err)
	}
	c.add(time.Hour)
	s.Refresh(t.Context(), time.Time{})
	after, err := os.Stat(filepath.Join(s.Dir(), "a"))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was replaced: %v", err)
	}
	if err := os.Remove(filepath.Join(s.Dir(), "a")); err != nil {
		t.Fatal(err)
	}
	c.add(time.Hour)
	if s.Refresh(t.Context(), time.Time{}); value(t, s, "a") != "old" {
		t.Error("a removed file was not written again")
	}
}

func TestNever(t *testing.T) {
	aws, s, _, c := refreshed(t, "FAAS_LAMBDA_SECRETS_REFRESH=0")
	c.add(1000 * time.Hour)
	if s.Refresh(t.Context(), time.Time{}); len(aws.calls()) != 1 {
		t.Errorf("%d calls", len(aws.calls()))
	}
}

func TestCloseEndsARefresh(t *testing.T) {
	for name, end := range map[string]func(*Store, context.CancelFunc){
		"by Close":   func(s *Store, _ context.CancelFunc) { s.Close() },
		"by context": func(s *Store, cancel context.CancelFunc) { cancel(); s.ended.Wait() },
	} {
		t.Run(name, func(t *testing.T) {
			aws, s, _, c := refreshed(t)
			release := aws.block()
			defer release()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c.add(3 * time.Minute)
			s.Refresh(ctx, time.Time{})
			<-aws.held
			end(s, cancel)
			if got := value(t, s, "a"); got != "old" {
				t.Errorf("value %q", got)
			}
		})
	}
}
