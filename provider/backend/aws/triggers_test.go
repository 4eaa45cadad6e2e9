package aws

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/trigger/triggertest"
)

func TestTriggers(t *testing.T) {
	f := newFakeLambda(t)
	f.triggers = triggertest.New()
	others := triggertest.Notifications{}
	others.Queues = append(others.Queues, struct {
		ID    string `xml:"Id"`
		Queue string
		Event string
	}{"theirs", "q", "s3:ObjectCreated:*"})
	f.triggers.Notifications["uploads"], f.triggers.Notifications["images"] = others, triggertest.Notifications{}
	f.triggers.Statements["theirs"] = map[string]any{"Sid": "theirs", "Condition": map[string]any{"StringEquals": map[string]any{"aws:x": []string{"a"}}}}
	const p, sqs, sns = annotations.Prefix, "arn:aws:sqs:us-east-1:000000000000:", "arn:aws:sns:us-east-1:000000000000:"
	nothing := []string{"1 statements", "bucket uploads to q"}
	for _, step := range []struct {
		name        string
		annotations []string
		want        []string
	}{
		{"none", nil, nothing},
		{"of every kind", []string{
			p + "sqs", sqs + "a?batch-size=5," + sqs + "b", p + "kafka", "b2:9092;b1:9092?topic=orders", p + "s3", "uploads?prefix=in/&events=s3:ObjectCreated:*+s3:ObjectRemoved:*",
			p + "sns", sns + `news?filter={"kind":["a"]}`, p + "url", "NONE?mode=RESPONSE_STREAM", "topic", "cron-function", "schedule", "*/30 * * * *",
		}, []string{
			"6 statements", "bucket uploads [s3:ObjectCreated:* s3:ObjectRemoved:*] [{prefix in/}]", "bucket uploads to q",
			"mapping a 5 <nil>", "mapping b 10 <nil>", "mapping 9092]]] 100 [orders]",
			"rule cron(0,30 * * * ? *) target true", `topic news {"kind":["a"]}`, "url NONE RESPONSE_STREAM",
		}},
		{"others", []string{
			p + "sqs", sqs + "a?batch-size=7", p + "s3", "images", p + "sns", sns + `news?filter={"kind":["b"]}`, p + "schedule", "rate(5 minutes); cron(0 12 * * ? *)", p + "url", "AWS_IAM",
		}, []string{
			"5 statements", "bucket images [s3:ObjectCreated:*] []", "bucket uploads to q", "mapping a 7 <nil>",
			"rule cron(0 12 * * ? *) target true", "rule rate(5 minutes) target true", `topic news {"kind":["b"]}`, "url AWS_IAM BUFFERED",
		}},
		{"none again", nil, nothing},
	} {
		d := annotated(step.annotations...)
		if err := f.deploy(t.Context(), t, d, "zip"); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		slices.Sort(step.want)
		if diff := cmp.Diff(step.want, f.triggers.Summary()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", step.name, diff)
		}
		status, err := f.Status(t.Context(), hello)
		if err != nil || len(status.EnvVars) != 0 {
			t.Errorf("%s: variables %v, %v", step.name, status.EnvVars, err)
		}
	}
	if err := f.deploy(t.Context(), t, annotated(p+"sqs", sqs+"a", p+"s3", "uploads", p+"schedule", "rate(1 day)", p+"url", "NONE", p+"sns", sns+"news"), "zip"); err != nil {
		t.Fatal(err)
	}
	f.triggers.Made = 0
	if err := f.deploy(t.Context(), t, annotated(p+"sqs", sqs+"a", p+"s3", "uploads", p+"schedule", "rate(1 day)", p+"url", "NONE", p+"sns", sns+"news", "more", "x"), "zip"); err != nil || f.triggers.Made != 0 {
		t.Errorf("a deployment with the same triggers made %d: %v", f.triggers.Made, err)
	}
	if err := f.Delete(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(nothing, f.triggers.Summary()); diff != "" {
		t.Errorf("after the deletion (-want +got)\n%s", diff)
	}
}

func TestTriggersThatFailAreTakenBack(t *testing.T) {
	f := newFakeLambda(t)
	f.triggers = triggertest.New()
	const p, sqs = annotations.Prefix, "arn:aws:sqs:us-east-1:000000000000:"
	if err := f.deploy(t.Context(), t, annotated(p+"sqs", sqs+"a"), "zip"); err != nil {
		t.Fatal(err)
	}
	before := f.triggers.Summary()
	err := f.deploy(t.Context(), t, annotated(p+"sqs", sqs+"b", p+"s3", "no-such-bucket"), "zip")
	if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Fatalf("%v", err)
	}
	if diff := cmp.Diff(before, f.triggers.Summary()); diff != "" {
		t.Errorf("after an update that failed (-want +got)\n%s", diff)
	}
	status, err := f.Status(t.Context(), hello)
	if err != nil || (*status.Annotations)[p+"sqs"] != sqs+"a" {
		t.Errorf("%v, %v", status.Annotations, err)
	}
}
