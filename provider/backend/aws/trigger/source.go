package trigger

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/notation"
)

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	broker     = regexp.MustCompile(`^[a-zA-Z0-9.-]+:([0-9]{1,5})$`)
)

// sourceARN returns what checks the ARN of a source: of that service, with that
// in it.
func sourceARN(service, holds string) func(string) error {
	return func(v string) error {
		if err := notation.ARN(v, service); err != nil {
			return fmt.Errorf("%q is %w", v, err)
		}
		if !strings.Contains(v, holds) {
			return fmt.Errorf("%q has no %s in it", v, holds)
		}
		return nil
	}
}

func kafkaSource(v string) error {
	if strings.HasPrefix(v, "arn:") {
		return sourceARN("kafka", ":cluster/")(v)
	}
	for one := range strings.SplitSeq(v, ";") {
		m := broker.FindStringSubmatch(one)
		if m == nil {
			return fmt.Errorf("%q is no HOST:PORT", one)
		}
		if port, err := strconv.ParseUint(m[1], 10, 16); err != nil || port == 0 {
			return fmt.Errorf("%q: no port is %s", one, m[1])
		}
	}
	return nil
}

func bucketSource(v string) error {
	if !bucketName.MatchString(v) {
		return fmt.Errorf("%q is no name of a bucket", v)
	}
	return nil
}

func urlSource(v string) error { return choice("NONE", "AWS_IAM")(v) }

func readSchedules(value string) ([]Trigger, error) {
	var triggers []Trigger
	for one := range strings.SplitSeq(value, ";") {
		one = strings.TrimSpace(one)
		if err := checkExpression(one); err != nil {
			return nil, fmt.Errorf("%q: %w", one, err)
		}
		t := Trigger{Kind: "schedule", Source: one}
		if slices.ContainsFunc(triggers, t.same) {
			return nil, fmt.Errorf("%q: named twice", one)
		}
		triggers = append(triggers, t)
	}
	return triggers, nil
}

var (
	rateExpression = regexp.MustCompile(`^rate\(([1-9][0-9]{0,5}) (?:minute|hour|day)(s?)\)$`)
	cronExpression = regexp.MustCompile(`^cron\(([^ ()]+) ([^ ()]+) ([^ ()]+) ([^ ()]+) ([^ ()]+) ([^ ()]+)\)$`)
	// days of the month and of the week have letters of their own: the last one,
	// the nearest working day, the n-th of the month.
	monthDays = regexp.MustCompile(`^(?:L|L-[1-9][0-9]?|LW|[1-9][0-9]?W)$`)
	weekDays  = regexp.MustCompile(`^(?:L|(?:[1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(?:L|#[1-5]))$`)
)

// eventFields are those of an expression of EventBridge, of which the minute, the
// hour and the month are as crontab has them
// (docs.aws.amazon.com/eventbridge, "Cron expressions").
var eventFields = [6]cronField{
	cronFields[0], cronFields[1], cronFields[2], cronFields[3],
	{name: "day of the week", low: 1, high: 7, names: cronFields[4].names[:7]},
	{name: "year", low: 1970, high: 2199},
}

// checkExpression says what is wrong with a schedule before EventBridge does,
// which says only that it is not valid.
func checkExpression(text string) error {
	if m := rateExpression.FindStringSubmatch(text); m != nil {
		if (m[1] == "1") != (m[2] == "") {
			return errors.New("a rate of 1 is singular, of more plural")
		}
		return nil
	}
	m := cronExpression.FindStringSubmatch(text)
	if m == nil {
		return errors.New("neither rate(…) nor cron(…) with six fields")
	}
	for i, f := range eventFields {
		field := strings.ToUpper(m[i+1])
		switch {
		case f.name == "day" && (field == "?" || monthDays.MatchString(field)):
		case f.name == "day of the week" && (field == "?" || weekDays.MatchString(field)):
		case strings.Contains(field, "?"):
			return fmt.Errorf("%s %q: ? is for days", f.name, m[i+1])
		default:
			if _, err := f.convert(field); err != nil {
				return fmt.Errorf("%s %q: %w", f.name, m[i+1], err)
			}
		}
	}
	if (m[3] == "?") == (m[5] == "?") {
		return errors.New("one of the day and the day of the week must be ?, and only one")
	}
	return nil
}
