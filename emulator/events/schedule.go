package events

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// schedule says when a rule fires.
type schedule interface {
	// next returns the first time after now; zero for never. created is when the rule was made.
	next(created, now time.Time) time.Time
}

var rateForm = regexp.MustCompile(`^rate\(([1-9][0-9]*) (minute|hour|day)(s?)\)$`)

// parseSchedule reads rate(…) or cron(…), in UTC.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
func parseSchedule(text string) (schedule, error) {
	if m := rateForm.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil || (n == 1) != (m[3] == "") {
			return nil, errors.New("a rate of one is singular, and of more plural")
		}
		unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[m[2]]
		if n > 100_000_000/int(unit.Minutes()) { // some two hundred years
			return nil, errors.New("the rate is too long")
		}
		return rate(time.Duration(n) * unit), nil
	}
	inside, isCron := strings.CutPrefix(text, "cron(")
	inside, closed := strings.CutSuffix(inside, ")")
	if !isCron || !closed {
		return nil, errors.New("neither rate(…) nor cron(…)")
	}
	return parseCron(inside)
}

type rate time.Duration

func (r rate) next(created, now time.Time) time.Time {
	every := time.Duration(r)
	if now.Before(created) {
		return created.Add(every)
	}
	return created.Add((now.Sub(created)/every + 1) * every)
}

// cron is the six fields: minute, hour, day of the month, month, day of the week, year.
type cron struct {
	minute, hour, month, year field
	day, weekday              dayField
}

// field tells which numbers fit.
type field map[int]bool

// dayField is a field of days, with what depends on the month beside it.
type dayField struct {
	field
	any  bool                   // ?
	also func(t time.Time) bool // L, W, #; nil for nothing
}

var (
	monthNames   = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	weekdayNames = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

const firstYear, lastYear = 1970, 2199

func parseCron(text string) (schedule, error) {
	fields := strings.Fields(strings.ToUpper(text))
	if len(fields) != 6 {
		return nil, fmt.Errorf("cron(…) has %d fields, want 6", len(fields))
	}
	c := &cron{}
	var err error
	for _, p := range []struct {
		to        *field
		text      string
		low, high int
		names     []string
	}{
		{&c.minute, fields[0], 0, 59, nil}, {&c.hour, fields[1], 0, 23, nil}, {&c.month, fields[3], 1, 12, monthNames}, {&c.year, fields[5], firstYear, lastYear, nil},
	} {
		if *p.to, err = parseField(p.text, p.low, p.high, p.names); err != nil {
			return nil, err
		}
	}
	if c.day, err = parseDay(fields[2]); err != nil {
		return nil, err
	}
	if c.weekday, err = parseWeekday(fields[4]); err != nil {
		return nil, err
	}
	if c.day.any == c.weekday.any {
		return nil, errors.New("one of day of the month and day of the week, and only one, must be ?")
	}
	return c, nil
}

// parseField reads a list of *, a, a-b, each with or without /step.
func parseField(text string, low, high int, names []string) (field, error) {
	f := field{}
	value := func(s string) (int, error) {
		for i, name := range names {
			if s == name {
				return low + i, nil
			}
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("%q is not within %d and %d", s, low, high)
		}
		return n, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		span, by, stepped := strings.Cut(part, "/")
		step, from, to := 1, low, high
		var err error
		if stepped {
			if step, err = strconv.Atoi(by); err != nil || step < 1 {
				return nil, fmt.Errorf("%q is no step", by)
			}
		}
		if span != "*" {
			first, last, ranged := strings.Cut(span, "-")
			if from, err = value(first); err != nil {
				return nil, err
			}
			if ranged {
				if to, err = value(last); err != nil {
					return nil, err
				}
			} else if !stepped {
				to = from
			}
		}
		if from > to {
			return nil, fmt.Errorf("%q goes backwards", part)
		}
		for n := from; n <= to; n += step {
			f[n] = true
		}
	}
	return f, nil
}

// parseDay reads a day of the month, which may be L, the last; LW, the last weekday; or nW, the weekday next to n.
func parseDay(text string) (dayField, error) {
	switch {
	case text == "?":
		return dayField{any: true}, nil
	case text == "L":
		return dayField{also: func(t time.Time) bool { return t.Day() == lastDay(t) }}, nil
	case text == "LW":
		return dayField{also: func(t time.Time) bool { return t.Day() == nearestWeekday(t, lastDay(t)) }}, nil
	case strings.HasSuffix(text, "W"):
		n, err := strconv.Atoi(strings.TrimSuffix(text, "W"))
		if err != nil || n < 1 || n > 31 {
			return dayField{}, fmt.Errorf("%q is no day", text)
		}
		return dayField{also: func(t time.Time) bool { return n <= lastDay(t) && t.Day() == nearestWeekday(t, n) }}, nil
	}
	f, err := parseField(text, 1, 31, nil)
	return dayField{field: f}, err
}

// parseWeekday reads a day of the week, from 1, Sunday, to 7, which may be L, Saturday; nL, the last such of the month; or n#k, the kth.
func parseWeekday(text string) (dayField, error) {
	if text == "?" {
		return dayField{any: true}, nil
	}
	one := func(s string) (int, error) {
		f, err := parseField(s, 1, 7, weekdayNames)
		if err != nil || len(f) != 1 {
			return 0, fmt.Errorf("%q is no day of the week", s)
		}
		for n := range f {
			return n, nil
		}
		return 0, nil // there is one
	}
	if text == "L" {
		text = "SAT"
	}
	if day, ok := strings.CutSuffix(text, "L"); ok {
		n, err := one(day)
		return dayField{also: func(t time.Time) bool { return int(t.Weekday())+1 == n && t.Day() > lastDay(t)-7 }}, err
	}
	if day, which, ok := strings.Cut(text, "#"); ok {
		n, err := one(day)
		k, numberErr := strconv.Atoi(which)
		if numberErr != nil || k < 1 || k > 5 {
			return dayField{}, fmt.Errorf("%q is not within 1 and 5", which)
		}
		return dayField{also: func(t time.Time) bool { return int(t.Weekday())+1 == n && (t.Day()-1)/7+1 == k }}, err
	}
	f, err := parseField(text, 1, 7, weekdayNames)
	return dayField{field: f}, err
}

func lastDay(t time.Time) int { return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() }

// nearestWeekday is the day of a month, from Monday to Friday, that is next to day n of it.
func nearestWeekday(t time.Time, n int) int {
	switch time.Date(t.Year(), t.Month(), n, 0, 0, 0, 0, time.UTC).Weekday() {
	case time.Saturday:
		if n == 1 {
			return 3
		}
		return n - 1
	case time.Sunday:
		if n == lastDay(t) {
			return n - 2
		}
		return n + 1
	}
	return n
}

func (d dayField) fits(t time.Time, n int) bool {
	return d.any || d.field[n] || d.also != nil && d.also(t)
}

// next looks at each unit in turn, from years to minutes, and goes to the beginning of the next where one does not fit.
func (c *cron) next(_, now time.Time) time.Time {
	t := now.UTC().Truncate(time.Minute).Add(time.Minute)
	for t.Year() <= lastYear {
		switch {
		case !c.year[t.Year()]:
			t = time.Date(t.Year()+1, 1, 1, 0, 0, 0, 0, time.UTC)
		case !c.month[int(t.Month())]:
			t = time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		case !c.day.fits(t, t.Day()) || !c.weekday.fits(t, int(t.Weekday())+1):
			t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC)
		case !c.hour[t.Hour()]:
			t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour()+1, 0, 0, 0, time.UTC)
		case !c.minute[t.Minute()]:
			t = t.Add(time.Minute)
		default:
			return t
		}
	}
	return time.Time{}
}
