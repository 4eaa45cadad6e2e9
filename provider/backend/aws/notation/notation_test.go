package notation

import (
	"slices"
	"testing"
	"time"
)

func TestList(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, " , ,": nil, "a": {"a"}, " a ,b,, c d ": {"a", "b", "c d"},
	} {
		if got := List(text); !slices.Equal(got, want) {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestARN(t *testing.T) {
	for text, want := range map[string]string{
		"arn:aws:sqs:eu-west-1:123456789012:q":          "sqs",
		"arn:aws-cn:sns:cn-north-1:123456789012:t":      "sns",
		"arn:aws:s3:::bucket":                           "s3",
		"arn:aws:iam::123456789012:role/r":              "iam",
		"arn:aws:sqs:eu-west-1:12345:q":                 "",
		"arn:aws:sqs:eu-west-1:123456789012:":           "",
		"arn:aws:sqs:eu-west-1:123456789012:a,b":        "",
		"arn:other:sqs:eu-west-1:123456789012:q":        "",
		"sqs":                                           "",
		"to arn:aws:sqs:eu-west-1:123456789012:q":       "",
		"arn:aws:SQS:eu-west-1:123456789012:q":          "",
		"arn:aws:sqs:eu-west-1:123456789012:q\narn:aws": "",
	} {
		if got := Service(text); got != want {
			t.Errorf("%q is of %q, want %q", text, got, want)
		}
		if err := ARN(text, "lambda", "sqs"); (err == nil) != (want == "sqs") {
			t.Errorf("%q as one of Lambda or SQS: %v", text, err)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "30": 30 * time.Second, "-1": -time.Second, "1m30s": 90 * time.Second, "1500ms": 1500 * time.Millisecond} {
		if got, err := Duration(text); err != nil || got != want {
			t.Errorf("%q is %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "soon", "1.5", "30 s", "4294967296"} {
		if got, err := Duration(text); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}

func FuzzDuration(f *testing.F) {
	f.Add("30")
	f.Add("1m30s")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Duration(text)
		if again, repeated := Duration(d.String()); err == nil && (repeated != nil || again != d) {
			t.Errorf("%q is %s, and that %s, %v", text, d, again, repeated)
		}
	})
}
