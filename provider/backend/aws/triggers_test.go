package aws

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
)

// fakeTriggers is as much of Lambda's policies, mappings and URLs, and of S3,
// SNS and EventBridge, as triggers need.
type fakeTriggers struct {
	statements    map[string]map[string]any
	mappings      map[string]map[string]any
	url           map[string]any
	notifications map[string]notificationsXML // by bucket
	subscriptions map[string]url.Values       // by ARN
	rules         map[string]string           // expression by name
	targets       map[string]string           // ARN by rule
	made          int
}

type notificationsXML struct {
	XMLName   xml.Name `xml:"NotificationConfiguration"`
	Functions []struct {
		ID     string                         `xml:"Id"`
		Target string                         `xml:"CloudFunction"`
		Events []string                       `xml:"Event"`
		Rules  []struct{ Name, Value string } `xml:"Filter>S3Key>FilterRule"`
	} `xml:"CloudFunctionConfiguration"`
	Queues []struct {
		ID    string `xml:"Id"`
		Queue string
		Event string
	} `xml:"QueueConfiguration"`
}

func newFakeTriggers() *fakeTriggers {
	return &fakeTriggers{
		statements: map[string]map[string]any{}, mappings: map[string]map[string]any{}, notifications: map[string]notificationsXML{},
		subscriptions: map[string]url.Values{}, rules: map[string]string{}, targets: map[string]string{},
	}
}

// serve answers a request that is about triggers.
func (f *fakeTriggers) serve(w http.ResponseWriter, r *http.Request) bool {
	service := ""
	if _, scope, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		if parts := strings.Split(scope, "/"); len(parts) > 3 {
			service = parts[3]
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	var in map[string]any
	_ = json.Unmarshal(body, &in) // some are XML or forms
	switch {
	case service == "s3":
		f.s3(w, r, body)
	case service == "sns":
		f.sns(w, body)
	case service == "events":
		f.events(w, r.Header.Get("X-Amz-Target"), in)
	case service == "sts":
		fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>000000000000</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	case strings.Contains(r.URL.Path, "/policy"):
		f.policy(w, r, in)
	case strings.HasSuffix(r.URL.Path, "/url"):
		f.functionURL(w, r, in)
	case strings.Contains(r.URL.Path, "/event-source-mappings"):
		f.mapping(w, r, in)
	default:
		return false
	}
	return true
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (f *fakeTriggers) policy(w http.ResponseWriter, r *http.Request, in map[string]any) {
	switch r.Method {
	case "GET":
		if len(f.statements) == 0 {
			refuse(w, 404, "ResourceNotFoundException", "The resource you requested does not exist.")
			return
		}
		text, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": slices.Collect(maps.Values(f.statements))})
		answerJSON(w, map[string]any{"Policy": string(text)})
	case "POST":
		sid := in["StatementId"].(string)
		s := map[string]any{"Sid": sid, "Action": in["Action"], "Principal": map[string]any{"Service": in["Principal"]}}
		if source, ok := in["SourceArn"]; ok {
			s["Condition"] = map[string]any{"ArnLike": map[string]any{"AWS:SourceArn": source}}
		}
		f.statements[sid] = s
		answerJSON(w, map[string]any{"Statement": "{}"})
	case "DELETE":
		sid := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		if f.statements[sid] == nil {
			refuse(w, 404, "ResourceNotFoundException", "Statement "+sid+" is not found in resource policy.")
			return
		}
		delete(f.statements, sid)
		w.WriteHeader(204)
	}
}

func (f *fakeTriggers) functionURL(w http.ResponseWriter, r *http.Request, in map[string]any) {
	switch {
	case r.Method == "POST" && f.url != nil:
		refuse(w, 409, "ResourceConflictException", "FunctionUrlConfig exists for this Lambda function")
	case r.Method == "DELETE" && f.url == nil:
		refuse(w, 404, "ResourceNotFoundException", "The resource you requested does not exist.")
	case r.Method == "DELETE":
		f.url = nil
		w.WriteHeader(204)
	default:
		f.url = in
		answerJSON(w, in)
	}
}

func (f *fakeTriggers) mapping(w http.ResponseWriter, r *http.Request, in map[string]any) {
	id := strings.Trim(r.URL.Path[strings.Index(r.URL.Path, "mappings")+len("mappings"):], "/")
	switch r.Method {
	case "GET":
		answerJSON(w, map[string]any{"EventSourceMappings": slices.Collect(maps.Values(f.mappings))})
	case "POST":
		f.made++
		id = strconv.Itoa(f.made)
		in["UUID"], in["State"] = id, "Enabled"
		if size := 10; in["BatchSize"] == nil {
			if !strings.Contains(fmt.Sprint(in["EventSourceArn"]), ":sqs:") {
				size = 100
			}
			in["BatchSize"] = size
		}
		f.mappings[id] = in
		answerJSON(w, in)
	case "PUT":
		maps.Copy(f.mappings[id], in)
		answerJSON(w, f.mappings[id])
	case "DELETE":
		delete(f.mappings, id)
		answerJSON(w, map[string]any{"UUID": id, "State": "Deleting"})
	}
}

func (f *fakeTriggers) s3(w http.ResponseWriter, r *http.Request, body []byte) {
	bucket := strings.Trim(r.URL.Path, "/")
	has, ok := f.notifications[bucket]
	if !ok {
		w.WriteHeader(404)
		fmt.Fprint(w, `<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>`)
		return
	}
	if r.Method == "PUT" {
		var in notificationsXML
		if err := xml.Unmarshal(body, &in); err != nil {
			w.WriteHeader(400)
			return
		}
		f.notifications[bucket] = in
		return
	}
	_ = xml.NewEncoder(w).Encode(has)
}

func (f *fakeTriggers) sns(w http.ResponseWriter, body []byte) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		w.WriteHeader(400)
		return
	}
	switch form.Get("Action") {
	case "Subscribe":
		for arn, s := range f.subscriptions {
			if s.Get("TopicArn") != form.Get("TopicArn") {
				continue
			}
			if s.Get("Attributes.entry.1.value") == form.Get("Attributes.entry.1.value") {
				fmt.Fprintf(w, `<SubscribeResponse><SubscribeResult><SubscriptionArn>%s</SubscriptionArn></SubscribeResult></SubscribeResponse>`, arn)
				return
			}
			if s.Get("Attributes.entry.1.value") != form.Get("Attributes.entry.1.value") {
				w.WriteHeader(400)
				fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>InvalidParameter</Code><Message>Invalid parameter: Attributes Reason: Subscription already exists with different attributes</Message></Error></ErrorResponse>`)
				return
			}
		}
		f.made++
		arn := form.Get("TopicArn") + ":" + strconv.Itoa(f.made)
		f.subscriptions[arn] = form
		fmt.Fprintf(w, `<SubscribeResponse><SubscribeResult><SubscriptionArn>%s</SubscriptionArn></SubscribeResult></SubscribeResponse>`, arn)
	case "ListSubscriptionsByTopic":
		fmt.Fprint(w, `<ListSubscriptionsByTopicResponse><ListSubscriptionsByTopicResult><Subscriptions>`)
		for arn, s := range f.subscriptions {
			if s.Get("TopicArn") == form.Get("TopicArn") {
				fmt.Fprintf(w, `<member><SubscriptionArn>%s</SubscriptionArn><Endpoint>%s</Endpoint></member>`, arn, s.Get("Endpoint"))
			}
		}
		fmt.Fprint(w, `</Subscriptions></ListSubscriptionsByTopicResult></ListSubscriptionsByTopicResponse>`)
	case "Unsubscribe":
		delete(f.subscriptions, form.Get("SubscriptionArn"))
		fmt.Fprint(w, `<UnsubscribeResponse/>`)
	}
}

func (f *fakeTriggers) events(w http.ResponseWriter, target string, in map[string]any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch strings.TrimPrefix(target, "AWSEvents.") {
	case "PutRule":
		f.rules[in["Name"].(string)] = in["ScheduleExpression"].(string)
	case "PutTargets":
		if f.rules[in["Rule"].(string)] == "" {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"__type":"ResourceNotFoundException","message":"Rule does not exist on EventBus default."}`)
			return
		}
		f.targets[in["Rule"].(string)] = in["Targets"].([]any)[0].(map[string]any)["Arn"].(string)
	case "RemoveTargets":
		delete(f.targets, in["Rule"].(string))
	case "DeleteRule":
		delete(f.rules, in["Name"].(string))
	}
	fmt.Fprint(w, `{}`)
}

// summary is what there is, told shortly.
func (f *fakeTriggers) summary() []string {
	var out []string
	for _, m := range f.mappings {
		source, _ := m["EventSourceArn"].(string)
		if self, ok := m["SelfManagedEventSource"]; ok {
			source = fmt.Sprint(self)
		}
		out = append(out, fmt.Sprintf("mapping %s %v %v", source[strings.LastIndexByte(source, ':')+1:], m["BatchSize"], m["Topics"]))
	}
	for bucket, n := range f.notifications {
		for _, c := range n.Functions {
			out = append(out, fmt.Sprintf("bucket %s %v %v", bucket, c.Events, c.Rules))
		}
		for _, q := range n.Queues {
			out = append(out, fmt.Sprintf("bucket %s to %s", bucket, q.Queue))
		}
	}
	for _, s := range f.subscriptions {
		out = append(out, "topic "+s.Get("TopicArn")[strings.LastIndexByte(s.Get("TopicArn"), ':')+1:]+" "+s.Get("Attributes.entry.1.value"))
	}
	for name, expression := range f.rules {
		out = append(out, fmt.Sprintf("rule %s target %t", expression, strings.HasSuffix(f.targets[name], ":function:hello:live")))
	}
	if f.url != nil {
		out = append(out, fmt.Sprintf("url %v %v", f.url["AuthType"], f.url["InvokeMode"]))
	}
	out = append(out, fmt.Sprintf("%d statements", len(f.statements)))
	slices.Sort(out)
	return out
}

func TestTriggers(t *testing.T) {
	f := newFakeLambda(t)
	f.triggers = newFakeTriggers()
	others := notificationsXML{}
	others.Queues = append(others.Queues, struct {
		ID    string `xml:"Id"`
		Queue string
		Event string
	}{"theirs", "q", "s3:ObjectCreated:*"})
	f.triggers.notifications["uploads"], f.triggers.notifications["images"] = others, notificationsXML{}
	f.triggers.statements["theirs"] = map[string]any{"Sid": "theirs", "Condition": map[string]any{"StringEquals": map[string]any{"aws:x": []string{"a"}}}}
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
		if diff := cmp.Diff(step.want, f.triggers.summary()); diff != "" {
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
	f.triggers.made = 0
	if err := f.deploy(t.Context(), t, annotated(p+"sqs", sqs+"a", p+"s3", "uploads", p+"schedule", "rate(1 day)", p+"url", "NONE", p+"sns", sns+"news", "more", "x"), "zip"); err != nil || f.triggers.made != 0 {
		t.Errorf("a deployment with the same triggers made %d: %v", f.triggers.made, err)
	}
	if err := f.Delete(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(nothing, f.triggers.summary()); diff != "" {
		t.Errorf("after the deletion (-want +got)\n%s", diff)
	}
}

func TestTriggersThatFailAreTakenBack(t *testing.T) {
	f := newFakeLambda(t)
	f.triggers = newFakeTriggers()
	const p, sqs = annotations.Prefix, "arn:aws:sqs:us-east-1:000000000000:"
	if err := f.deploy(t.Context(), t, annotated(p+"sqs", sqs+"a"), "zip"); err != nil {
		t.Fatal(err)
	}
	before := f.triggers.summary()
	err := f.deploy(t.Context(), t, annotated(p+"sqs", sqs+"b", p+"s3", "no-such-bucket"), "zip")
	if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Fatalf("%v", err)
	}
	if diff := cmp.Diff(before, f.triggers.summary()); diff != "" {
		t.Errorf("after an update that failed (-want +got)\n%s", diff)
	}
	status, err := f.Status(t.Context(), hello)
	if err != nil || (*status.Annotations)[p+"sqs"] != sqs+"a" {
		t.Errorf("%v, %v", status.Annotations, err)
	}
}
