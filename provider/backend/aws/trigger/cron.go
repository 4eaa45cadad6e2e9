package trigger

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Cron is the trigger of a schedule that the cron-connector's annotation means:
// crontab's five fields, a name such as @hourly, or @every and a duration.
func Cron(schedule string) (Trigger, error) {
	schedule = strings.TrimSpace(schedule)
	if every, ok := strings.CutPrefix(schedule, "@every "); ok {
		rate, err := rateOf(strings.TrimSpace(every))
		return Trigger{Kind: "schedule", Source: rate}, err
	}
	if long, ok := cronNames[schedule]; ok {
		schedule = long
	}
	fields := strings.Fields(schedule)
	if len(fields) != len(cronFields) {
		return Trigger{}, fmt.Errorf("%d fields, want 5: minute, hour, day, month, day of the week", len(fields))
	}
	var out [5]string
	for i, field := range fields {
		var err error
		if out[i], err = cronFields[i].convert(strings.ToUpper(field)); err != nil {
			return Trigger{}, fmt.Errorf("%s %q: %w", cronFields[i].name, field, err)
		}
	}
	// Crontab fires when either day matches; EventBridge wants a ? in one of
	// the two (docs.aws.amazon.com/eventbridge, "Cron expressions").
	switch {
	case out[4] == "*":
		out[4] = "?"
	case out[2] == "*":
		out[2] = "?"
	default:
		return Trigger{}, errors.New("EventBridge takes a day of the month or a day of the week, not both: deploy two functions, or use the annotation " + AnnotationPrefix + "schedule with two expressions")
	}
	return Trigger{Kind: "schedule", Source: "cron(" + strings.Join(out[:], " ") + " *)"}, nil
}

var cronNames = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
	"@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// cronField is a field of a crontab.
type cronField struct {
	name      string
	low, high int
	names     []string // of low, low+1, …
	named     bool     // written to EventBridge by name
}

var cronFields = [5]cronField{
	{name: "minute", low: 0, high: 59},
	{name: "hour", low: 0, high: 23},
	{name: "day", low: 1, high: 31},
	{name: "month", low: 1, high: 12, names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	// EventBridge counts from 1, crontab from 0 and knows 7 as well.
	{name: "day of the week", low: 0, high: 7, names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"}, named: true},
}

// convert writes a field, which is in capitals, for EventBridge: * or the list
// of what it matches.
func (f cronField) convert(field string) (string, error) {
	if field == "*" || field == "?" {
		return "*", nil
	}
	var hits []int
	for part := range strings.SplitSeq(field, ",") {
		some, err := f.span(part)
		if err != nil {
			return "", err
		}
		hits = append(hits, some...)
	}
	slices.Sort(hits)
	var out []string
	for _, n := range slices.Compact(hits) {
		text := strconv.Itoa(n)
		if f.named {
			text = f.names[n]
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return strings.Join(out, ","), nil
}

// span returns what one part of a list matches: *, a, a-b, each with or without
// a step.
func (f cronField) span(part string) ([]int, error) {
	within, by, stepped := strings.Cut(part, "/")
	step := 1
	if stepped {
		n, err := strconv.Atoi(by)
		if err != nil || n < 1 || n > f.high {
			return nil, fmt.Errorf("%q is no step", by)
		}
		step = n
	}
	from, to := f.low, f.high
	if f.named {
		to = 6
	}
	if within != "*" && within != "?" {
		a, b, ranged := strings.Cut(within, "-")
		var err error
		if from, err = f.value(a); err != nil {
			return nil, err
		}
		switch {
		case ranged:
			if to, err = f.value(b); err != nil {
				return nil, err
			}
		case !stepped:
			to = from
		}
	}
	if from > to {
		return nil, fmt.Errorf("%q goes backwards", part)
	}
	var hits []int
	for n := from; n <= to; n += step {
		hits = append(hits, n)
	}
	return hits, nil
}

func (f cronField) value(s string) (int, error) {
	if i := slices.Index(f.names, s); i >= 0 {
		return f.low + i, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < f.low || n > f.high {
		return 0, fmt.Errorf("%q is not within %d and %d", s, f.low, f.high)
	}
	return n, nil
}

// rateOf writes a duration as an EventBridge rate, which has whole minutes.
func rateOf(every string) (string, error) {
	d, err := time.ParseDuration(every)
	if err != nil {
		return "", fmt.Errorf("%q is no duration", every)
	}
	if d < time.Minute || d%time.Minute != 0 || d > 365*24*time.Hour {
		return "", fmt.Errorf("%s is not a number of whole minutes, which EventBridge wants", every)
	}
	n, unit := int(d.Minutes()), "minute"
	if n%60 == 0 {
		n, unit = n/60, "hour"
	}
	if n > 1 {
		unit += "s"
	}
	return fmt.Sprintf("rate(%d %s)", n, unit), nil
}
