package events

import (
	"testing"
	"time"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	parsed, err := time.Parse("2006-01-02 15:04:05", text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestSchedulesFall(t *testing.T) {
	for _, c := range []struct{ expression, now, want string }{
		{"rate(1 minute)", "2026-01-01 00:00:30", "2026-01-01 00:01:07"}, // made at 00:00:07
		{"rate(5 minutes)", "2026-01-01 00:05:07", "2026-01-01 00:10:07"},
		{"rate(2 hours)", "2026-01-01 01:00:00", "2026-01-01 02:00:07"},
		{"rate(1 day)", "2026-01-01 00:00:07", "2026-01-02 00:00:07"},
		{"cron(* * * * ? *)", "2026-01-01 00:00:30", "2026-01-01 00:01:00"},
		{"cron(0/15 * * * ? *)", "2026-01-01 00:15:00", "2026-01-01 00:30:00"},
		{"cron(0 10 * * ? *)", "2026-01-01 10:00:00", "2026-01-02 10:00:00"},
		{"cron(15 12 * * ? *)", "2026-01-01 10:00:00", "2026-01-01 12:15:00"},
		{"cron(0 18 ? * MON-FRI *)", "2026-01-02 18:00:00", "2026-01-05 18:00:00"}, // a Friday
		{"cron(0 8 1 * ? *)", "2026-01-01 08:00:00", "2026-02-01 08:00:00"},
		{"cron(0 0 31 * ? *)", "2026-01-31 00:00:00", "2026-03-31 00:00:00"},
		{"cron(0 0 29 FEB ? *)", "2026-01-01 00:00:00", "2028-02-29 00:00:00"},
		{"cron(0 9 ? * 2#1 *)", "2026-01-01 00:00:00", "2026-01-05 09:00:00"},   // the first Monday
		{"cron(0 9 ? * 6L *)", "2026-01-01 00:00:00", "2026-01-30 09:00:00"},    // the last Friday
		{"cron(0 9 L * ? *)", "2026-02-01 00:00:00", "2026-02-28 09:00:00"},     // the last day
		{"cron(0 9 LW * ? *)", "2026-02-01 00:00:00", "2026-02-27 09:00:00"},    // the last weekday: the 28th is a Saturday
		{"cron(0 9 15W * ? *)", "2026-02-01 00:00:00", "2026-02-16 09:00:00"},   // the 15th is a Sunday
		{"cron(0 9 1W * ? *)", "2026-08-01 00:00:00", "2026-08-03 09:00:00"},    // the 1st is a Saturday
		{"cron(0 9 ? * L *)", "2026-01-01 00:00:00", "2026-01-03 09:00:00"},     // Saturday
		{"cron(0 9 ? * SUN,3 *)", "2026-01-01 00:00:00", "2026-01-04 09:00:00"}, // Sunday or Tuesday
		{"cron(0 0 1 1 ? 2027-2030/2)", "2026-01-01 00:00:00", "2027-01-01 00:00:00"},
		{"cron(0 0 1 1 ? 2020)", "2026-01-01 00:00:00", ""},
	} {
		s, err := parseSchedule(c.expression)
		if err != nil {
			t.Errorf("%s: %v", c.expression, err)
			continue
		}
		got := s.next(at(t, "2026-01-01 00:00:07"), at(t, c.now))
		if c.want == "" && !got.IsZero() || c.want != "" && !got.Equal(at(t, c.want)) {
			t.Errorf("%s after %s: %s, want %s", c.expression, c.now, got, c.want)
		}
	}
}

func TestBadSchedules(t *testing.T) {
	for _, text := range []string{
		"", "every minute", "rate(0 minutes)", "rate(1 minutes)", "rate(5 minute)", "rate(5 seconds)", "rate(99999999999 days)", "cron(* * * * *)", "cron(* * * * * *)",
		"cron(* * ? * ? *)", "cron(60 * * * ? *)", "cron(* 24 * * ? *)", "cron(* * 32 * ? *)", "cron(* * * 13 ? *)", "cron(* * ? * 8 *)", "cron(* * * * ? 1969)",
		"cron(5-1 * * * ? *)", "cron(*/0 * * * ? *)", "cron(* * 0W * ? *)", "cron(* * ? * 2#6 *)", "cron(* * ? * XL *)", "cron(* * * * ? *",
	} {
		if _, err := parseSchedule(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func FuzzSchedule(f *testing.F) {
	for _, seed := range []string{"rate(5 minutes)", "cron(0/15 9-17 ? JAN,MAR MON#1 2026)", "cron(0 0 LW * ? *)", "cron(0 0 30W 2 ? *)"} {
		f.Add(seed)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSchedule(text)
		if err != nil {
			return
		}
		if next := s.next(now, now); !next.IsZero() && !next.After(now) {
			t.Errorf("%q falls at %s, not after %s", text, next, now)
		}
	})
}
