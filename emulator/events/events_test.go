package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
)

// clock is set by hand.
type clock struct {
	mu      sync.Mutex // guards now and waiting
	now     time.Time
	waiting map[chan time.Time]time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Until(t time.Time) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan time.Time, 1)
	if !t.After(c.now) {
		ch <- c.now
		return ch
	}
	c.waiting[ch] = t
	return ch
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
	for ch, until := range c.waiting {
		if !until.After(t) {
			ch <- t
			delete(c.waiting, ch)
		}
	}
}

// bench is a store that runs, with a client, and what it delivers.
type bench struct {
	*testing.T
	client    *eventbridge.Client
	clock     *clock
	dir       string
	delivered chan Delivery
	refuses   string // target that takes nothing
	stop      func()
}

var begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func open(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, clock: &clock{now: begin, waiting: map[chan time.Time]time.Time{}}, dir: t.TempDir(), delivered: make(chan Delivery, 100)}
	b.serve()
	return b
}

// serve starts the store.
func (b *bench) serve() {
	b.Helper()
	store, err := Open(Options{Dir: b.dir, Account: "123456789012", Region: "eu-west-1", Clock: b.clock, Deliver: func(d Delivery) error {
		if d.Target == b.refuses {
			return errors.New("refused")
		}
		b.delivered <- d
		return nil
	}})
	if err != nil {
		b.Fatal(err)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		store.Run(done)
	}()
	b.stop = sync.OnceFunc(func() {
		close(done)
		<-ended
	})
	b.Cleanup(b.stop)
	server := httptest.NewServer(store.API())
	b.Cleanup(server.Close)
	b.client = eventbridge.New(eventbridge.Options{BaseEndpoint: &server.URL, Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
}

func (b *bench) rule(name, schedule, pattern string) {
	b.Helper()
	in := &eventbridge.PutRuleInput{Name: &name}
	if schedule != "" {
		in.ScheduleExpression = &schedule
	}
	if pattern != "" {
		in.EventPattern = &pattern
	}
	out, err := b.client.PutRule(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	if *out.RuleArn != "arn:aws:events:eu-west-1:123456789012:rule/"+name {
		b.Errorf("rule %s", *out.RuleArn)
	}
}

const function = "arn:aws:lambda:eu-west-1:123456789012:function:f:live"

func (b *bench) target(rule string, change ...func(*types.Target)) {
	b.Helper()
	t := types.Target{Id: aws.String("function"), Arn: aws.String(function)}
	for _, c := range change {
		c(&t)
	}
	out, err := b.client.PutTargets(b.Context(), &eventbridge.PutTargetsInput{Rule: &rule, Targets: []types.Target{t}})
	if err != nil || out.FailedEntryCount != 0 {
		b.Fatalf("%+v, %v", out, err)
	}
}

func (b *bench) quiet() {
	b.Helper()
	b.stop() // so that nothing is under way
	if len(b.delivered) > 0 {
		b.Errorf("delivered %+v", <-b.delivered)
	}
}

func wantCode(t *testing.T, err error, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), message) {
		t.Errorf("error = %v, want %s %s", err, code, message)
	}
}

func TestScheduleFires(t *testing.T) {
	b := open(t)
	b.rule("r", "rate(5 minutes)", "")
	b.target("r")
	for i := 1; i <= 3; i++ {
		b.clock.set(begin.Add(time.Duration(i) * 5 * time.Minute))
		d := <-b.delivered
		var e struct {
			Source, Account, Region, Time string
			DetailType                    string `json:"detail-type"`
			Resources                     []string
		}
		if err := json.Unmarshal(d.Payload, &e); err != nil || d.Target != function || d.Rule != "arn:aws:events:eu-west-1:123456789012:rule/r" ||
			e.Source != "aws.events" || e.DetailType != "Scheduled Event" || e.Resources[0] != d.Rule || e.Time != begin.Add(time.Duration(i)*5*time.Minute).Format(time.RFC3339) {
			t.Errorf("delivered %+v %s", d, d.Payload)
		}
	}
	b.quiet()
}

// A rule that is changed fires at its new times, with its targets; one that is switched off does not.
func TestScheduleIsChanged(t *testing.T) {
	b := open(t)
	b.rule("r", "cron(0 12 * * ? *)", "")
	b.target("r", func(t *types.Target) { t.Input = aws.String(`{"own":1}`) })
	b.rule("r", "cron(0 6 * * ? *)", "")
	b.clock.set(begin.Truncate(24 * time.Hour).Add(6 * time.Hour))
	if d := <-b.delivered; string(d.Payload) != `{"own":1}` {
		t.Errorf("delivered %s", d.Payload)
	}
	if _, err := b.client.DisableRule(t.Context(), &eventbridge.DisableRuleInput{Name: aws.String("r")}); err != nil {
		t.Fatal(err)
	}
	b.clock.set(begin.Add(48 * time.Hour))
	b.quiet()
}

func TestRules(t *testing.T) {
	b := open(t)
	for i := range 3 {
		b.rule(fmt.Sprint("r", i), "rate(1 day)", "")
	}
	b.target("r0")
	name := aws.String("r0")
	got, err := b.client.DescribeRule(t.Context(), &eventbridge.DescribeRuleInput{Name: name})
	if err != nil || *got.ScheduleExpression != "rate(1 day)" || got.State != types.RuleStateEnabled {
		t.Errorf("described %+v, %v", got, err)
	}
	list, err := b.client.ListRules(t.Context(), &eventbridge.ListRulesInput{NamePrefix: aws.String("r"), Limit: aws.Int32(2)})
	if err != nil || len(list.Rules) != 2 || *list.NextToken != "r2" {
		t.Errorf("listed %+v, %v", list, err)
	}
	names, err := b.client.ListRuleNamesByTarget(t.Context(), &eventbridge.ListRuleNamesByTargetInput{TargetArn: aws.String(function)})
	if err != nil || len(names.RuleNames) != 1 || names.RuleNames[0] != "r0" {
		t.Errorf("names %+v, %v", names, err)
	}
	_, err = b.client.DeleteRule(t.Context(), &eventbridge.DeleteRuleInput{Name: name})
	wantCode(t, err, "ValidationException", "has targets")
	if _, err := b.client.RemoveTargets(t.Context(), &eventbridge.RemoveTargetsInput{Rule: name, Ids: []string{"function"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := b.client.DeleteRule(t.Context(), &eventbridge.DeleteRuleInput{Name: name}); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	_, err = b.client.RemoveTargets(t.Context(), &eventbridge.RemoveTargetsInput{Rule: name, Ids: []string{"function"}})
	var none *types.ResourceNotFoundException
	if !errors.As(err, &none) {
		t.Errorf("removed from what is not there: %v", err)
	}
	for _, expression := range []string{"rate(1 minutes)", "cron(* * * * * *)"} {
		_, err = b.client.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: name, ScheduleExpression: &expression})
		wantCode(t, err, "ValidationException", "Parameter ScheduleExpression is not valid.")
	}
	_, err = b.client.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: name, EventPattern: aws.String(`{"a":1}`)})
	wantCode(t, err, "InvalidEventPatternException", "Event pattern is not valid")
	_, err = b.client.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: name, EventBusName: aws.String("own"), ScheduleExpression: aws.String("rate(1 day)")})
	wantCode(t, err, "ResourceNotFoundException", "Event bus own does not exist.")
}

func TestEventsArePut(t *testing.T) {
	b := open(t)
	b.rule("r", "", `{"source":["shop"],"detail":{"kind":["a"]}}`)
	b.target("r", func(t *types.Target) { t.InputPath = aws.String("$.detail.kind") })
	entry := func(detail string) types.PutEventsRequestEntry {
		return types.PutEventsRequestEntry{Source: aws.String("shop"), DetailType: aws.String("order"), Detail: &detail}
	}
	out, err := b.client.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{entry(`{"kind":"a"}`), entry(`{"kind":"b"}`), entry(`no`)}})
	if err != nil || out.FailedEntryCount != 1 || out.Entries[0].EventId == nil || *out.Entries[2].ErrorCode != "MalformedDetail" {
		t.Errorf("put %+v, %v", out, err)
	}
	if d := <-b.delivered; string(d.Payload) != `"a"` {
		t.Errorf("delivered %s", d.Payload)
	}
	b.quiet()
}

func TestDeadLetters(t *testing.T) {
	b := open(t)
	queue := "arn:aws:sqs:eu-west-1:123456789012:dead"
	b.refuses = function
	b.rule("r", "rate(1 minute)", "")
	b.target("r", func(t *types.Target) { t.DeadLetterConfig = &types.DeadLetterConfig{Arn: &queue} })
	b.clock.set(begin.Add(time.Minute))
	if d := <-b.delivered; d.Target != queue || !strings.Contains(string(d.Payload), "Scheduled Event") {
		t.Errorf("delivered %+v", d)
	}
}

func TestRulesOutliveTheProgram(t *testing.T) {
	b := open(t)
	b.rule("r", "rate(1 hour)", "")
	b.target("r")
	if _, err := b.client.TagResource(t.Context(), &eventbridge.TagResourceInput{ResourceARN: aws.String("arn:aws:events:eu-west-1:123456789012:rule/r"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}); err != nil {
		t.Fatal(err)
	}
	b.stop()
	b.clock.set(begin.Add(90 * time.Minute)) // what falls meanwhile is lost
	b.serve()
	b.clock.set(begin.Add(2 * time.Hour))
	if d := <-b.delivered; d.Target != function {
		t.Errorf("delivered %+v", d)
	}
	b.quiet()
	tags, err := b.client.ListTagsForResource(t.Context(), &eventbridge.ListTagsForResourceInput{ResourceARN: aws.String("arn:aws:events:eu-west-1:123456789012:rule/r")})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Value != "v" {
		t.Errorf("tags %+v, %v", tags, err)
	}
}
