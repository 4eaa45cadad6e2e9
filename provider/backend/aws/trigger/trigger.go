// Package trigger is what invokes functions by itself: queues, streams, buckets,
// topics, schedules and URLs, as annotations name them (docs/triggers.md). It
// reads them, and connects them to a function on AWS. It knows neither
// deployments nor their records: who calls it says what is wanted, and what may be
// there.
package trigger

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/notation"
)

// AnnotationPrefix is what the annotations begin with that make triggers. The kind
// follows it.
const AnnotationPrefix = "com.openfaas.lambda/"

// Trigger is something that invokes a function by itself.
type Trigger struct {
	Kind    string            // name of one of Kinds
	Source  string            // ARN, bucket, expression; by kind
	Options map[string]string // by kind; all are checked
}

// Kind is a kind of triggers: which annotation makes them, what that may be, and
// how it is read.
type Kind struct {
	Name    string // what follows AnnotationPrefix
	Value   string // what it may be, for docs/annotations.md
	Example string // that Read takes
	Meaning string //
	// Read returns the triggers that a value makes, one at least. The error says
	// what is wrong with the value.
	Read func(value string) ([]Trigger, error)
}

// Kinds are all that there are, in the order of docs/annotations.md. A value holds
// one or more sources, separated by commas, each with its options as in a URL's
// query.
var Kinds = []Kind{
	{"sqs", "ARNs of queues", "arn:aws:sqs:eu-west-1:123456789012:orders?batch-size=10&window=5s", "the function gets the queue's messages",
		readTriggers("sqs", sourceARN("sqs", ""), "batch-size", "window", "concurrency", "filter", "report-failures")},
	{"kinesis", "ARNs of streams", "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks?position=TRIM_HORIZON", "the function gets the stream's records",
		readTriggers("kinesis", sourceARN("kinesis", ":stream/"), streamOptions...)},
	{"dynamodb", "ARNs of table streams", "arn:aws:dynamodb:eu-west-1:123456789012:table/carts/stream/2026-01-01T00:00:00.000", "the function gets the changes of a table",
		readTriggers("dynamodb", sourceARN("dynamodb", "/stream/"), streamOptions...)},
	{"kafka", "ARNs of MSK clusters, or brokers as HOST:PORT, several separated by `;`", "arn:aws:kafka:eu-west-1:123456789012:cluster/c/0a1b2c3d?topic=orders", "the function gets the messages of a topic; `topic` is needed",
		readTriggers("kafka", kafkaSource, "topic", "group", "batch-size", "window", "position", "filter", "secret", "auth")},
	{"s3", "buckets", "uploads?events=s3:ObjectCreated:*&prefix=in/&suffix=.jpg", "the function gets the bucket's events, `s3:ObjectCreated:*` unless `events` says otherwise",
		readTriggers("s3", bucketSource, "events", "prefix", "suffix")},
	{"sns", "ARNs of topics", "arn:aws:sns:eu-west-1:123456789012:news?filter={\"kind\":[\"a\"]}", "the function is subscribed to the topic",
		readTriggers("sns", sourceARN("sns", ""), "filter", "filter-scope", "dead-letter")},
	{"schedule", "an expression of EventBridge, with its spaces; `;` separates several", "rate(5 minutes)", "the function is invoked at those times (UTC), as the cron-connector does it. `topic: cron-function` with `schedule` in crontab's form works too",
		readSchedules},
	{"url", "`NONE` or `AWS_IAM`, as the authentication", "AWS_IAM?mode=RESPONSE_STREAM", "the function has a URL of its own",
		readTriggers("url", urlSource, "mode", "cors-origins")},
}

var streamOptions = []string{"batch-size", "window", "position", "parallelization", "retries", "max-age", "bisect", "on-failure", "filter", "report-failures"}

// readTriggers returns the reader of an annotation that makes triggers of kind.
func readTriggers(kind string, source func(string) error, options ...string) func(string) ([]Trigger, error) {
	return func(value string) ([]Trigger, error) {
		all := notation.List(value)
		if len(all) == 0 {
			return nil, errors.New("empty")
		}
		if kind == "url" && len(all) > 1 {
			return nil, errors.New("more than one")
		}
		var triggers []Trigger
		for _, one := range all {
			from, query, _ := strings.Cut(one, "?")
			if err := source(from); err != nil {
				return nil, err
			}
			parsed, err := readOptions(query, options)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", from, err)
			}
			if kind == "kafka" && parsed["topic"] == "" {
				return nil, fmt.Errorf("%s: topic is missing", from)
			}
			t := Trigger{Kind: kind, Source: from, Options: parsed}
			if slices.ContainsFunc(triggers, t.same) {
				return nil, fmt.Errorf("%s: named twice", from)
			}
			triggers = append(triggers, t)
		}
		return triggers, nil
	}
}

// same tells whether another trigger could not stand beside t: a queue or stream
// has one mapping to a function, a topic one subscription.
func (t Trigger) same(o Trigger) bool {
	switch {
	case t.Kind != o.Kind:
		return false
	case t.Mapped():
		return t.mappingKey() == o.mappingKey()
	case t.Kind == "sns":
		return t.Source == o.Source
	}
	return t.sid("") == o.sid("")
}

// Mapped tells whether Lambda itself polls the source, by an event source
// mapping; the other kinds push, and need a permission.
func (t Trigger) Mapped() bool {
	switch t.Kind {
	case "sqs", "kinesis", "dynamodb", "kafka":
		return true
	}
	return false
}

// sidPrefix is what the statements of our triggers begin with in a function's
// policy.
const sidPrefix = "faas-lambda-"

// sid names the trigger of a function: the statement of its permission, its
// rule, its notification. Other options make another trigger.
func (t Trigger) sid(function string) string {
	h := sha256.New()
	part := func(s string) { _, _ = fmt.Fprintf(h, "%d:%s", len(s), s) } // a hash takes everything
	part(function)
	part(t.Source)
	for _, key := range slices.Sorted(maps.Keys(t.Options)) {
		part(key)
		part(t.Options[key])
	}
	return sidPrefix + t.Kind + "-" + hex.EncodeToString(h.Sum(nil))[:16]
}

// kindOf is the reverse of sid, as far as it goes; empty when the statement is
// not one of ours.
func kindOf(sid string) string {
	rest, ok := strings.CutPrefix(sid, sidPrefix)
	if !ok {
		return ""
	}
	kind, _, _ := strings.Cut(rest, "-")
	return kind
}
