// Package triggertest answers for as much of AWS as triggers need, in tests: a
// function's policy, event source mappings and URL, buckets' notifications,
// subscriptions to topics, and rules of EventBridge.
package triggertest

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// AWS is what there is for one function. Its user sees to it that one at a time
// uses it.
type AWS struct {
	Statements    map[string]map[string]any // of the function's policy, by id
	Mappings      map[string]map[string]any // by id
	url           map[string]any
	Notifications map[string]Notifications // by bucket; a bucket that is not here does not exist
	subscriptions map[string]url.Values    // by ARN
	rules         map[string]string        // expression by name
	targets       map[string]string        // ARN by rule
	Made          int                      // mappings and subscriptions so far
}

// Notifications are those of a bucket, as S3 takes them.
type Notifications struct {
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

// New returns an AWS in which there is nothing.
func New() *AWS {
	return &AWS{
		Statements: map[string]map[string]any{}, Mappings: map[string]map[string]any{}, Notifications: map[string]Notifications{},
		subscriptions: map[string]url.Values{}, rules: map[string]string{}, targets: map[string]string{},
	}
}

// Serve answers a request that is about triggers, and tells whether it is.
func (f *AWS) Serve(w http.ResponseWriter, r *http.Request) bool {
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
		_, _ = fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>000000000000</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
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

func (f *AWS) policy(w http.ResponseWriter, r *http.Request, in map[string]any) {
	switch r.Method {
	case http.MethodGet:
		if len(f.Statements) == 0 {
			refuse(w, http.StatusNotFound, "ResourceNotFoundException", "The resource you requested does not exist.")
			return
		}
		text, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": slices.Collect(maps.Values(f.Statements))})
		answerJSON(w, map[string]any{"Policy": string(text)})
	case http.MethodPost:
		sid := in["StatementId"].(string)
		s := map[string]any{"Sid": sid, "Action": in["Action"], "Principal": map[string]any{"Service": in["Principal"]}}
		if source, ok := in["SourceArn"]; ok {
			s["Condition"] = map[string]any{"ArnLike": map[string]any{"AWS:SourceArn": source}}
		}
		f.Statements[sid] = s
		answerJSON(w, map[string]any{"Statement": "{}"})
	case http.MethodDelete:
		sid := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		if f.Statements[sid] == nil {
			refuse(w, http.StatusNotFound, "ResourceNotFoundException", "Statement "+sid+" is not found in resource policy.")
			return
		}
		delete(f.Statements, sid)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (f *AWS) functionURL(w http.ResponseWriter, r *http.Request, in map[string]any) {
	switch {
	case r.Method == http.MethodPost && f.url != nil:
		refuse(w, http.StatusConflict, "ResourceConflictException", "FunctionUrlConfig exists for this Lambda function")
	case r.Method == http.MethodDelete && f.url == nil:
		refuse(w, http.StatusNotFound, "ResourceNotFoundException", "The resource you requested does not exist.")
	case r.Method == http.MethodDelete:
		f.url = nil
		w.WriteHeader(http.StatusNoContent)
	default:
		f.url = in
		answerJSON(w, in)
	}
}

func (f *AWS) mapping(w http.ResponseWriter, r *http.Request, in map[string]any) {
	id := strings.Trim(r.URL.Path[strings.Index(r.URL.Path, "mappings")+len("mappings"):], "/")
	switch r.Method {
	case http.MethodGet:
		answerJSON(w, map[string]any{"EventSourceMappings": slices.Collect(maps.Values(f.Mappings))})
	case http.MethodPost:
		f.Made++
		id = strconv.Itoa(f.Made)
		in["UUID"], in["State"] = id, "Enabled"
		if size := 10; in["BatchSize"] == nil {
			if !strings.Contains(fmt.Sprint(in["EventSourceArn"]), ":sqs:") {
				size = 100
			}
			in["BatchSize"] = size
		}
		f.Mappings[id] = in
		answerJSON(w, in)
	case http.MethodPut:
		maps.Copy(f.Mappings[id], in)
		answerJSON(w, f.Mappings[id])
	case http.MethodDelete:
		delete(f.Mappings, id)
		answerJSON(w, map[string]any{"UUID": id, "State": "Deleting"})
	}
}

func (f *AWS) s3(w http.ResponseWriter, r *http.Request, body []byte) {
	bucket := strings.Trim(r.URL.Path, "/")
	has, ok := f.Notifications[bucket]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(w, `<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>`)
		return
	}
	if r.Method == http.MethodPut {
		var in Notifications
		if err := xml.Unmarshal(body, &in); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		f.Notifications[bucket] = in
		return
	}
	_ = xml.NewEncoder(w).Encode(has)
}

func (f *AWS) sns(w http.ResponseWriter, body []byte) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
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
				w.WriteHeader(http.StatusBadRequest)
				_, _ = fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>InvalidParameter</Code><Message>Invalid parameter: Attributes Reason: Subscription already exists with different attributes</Message></Error></ErrorResponse>`)
				return
			}
		}
		f.Made++
		arn := form.Get("TopicArn") + ":" + strconv.Itoa(f.Made)
		f.subscriptions[arn] = form
		fmt.Fprintf(w, `<SubscribeResponse><SubscribeResult><SubscriptionArn>%s</SubscriptionArn></SubscribeResult></SubscribeResponse>`, arn)
	case "ListSubscriptionsByTopic":
		_, _ = fmt.Fprint(w, `<ListSubscriptionsByTopicResponse><ListSubscriptionsByTopicResult><Subscriptions>`)
		for arn, s := range f.subscriptions {
			if s.Get("TopicArn") == form.Get("TopicArn") {
				fmt.Fprintf(w, `<member><SubscriptionArn>%s</SubscriptionArn><Endpoint>%s</Endpoint></member>`, arn, s.Get("Endpoint"))
			}
		}
		_, _ = fmt.Fprint(w, `</Subscriptions></ListSubscriptionsByTopicResult></ListSubscriptionsByTopicResponse>`)
	case "Unsubscribe":
		delete(f.subscriptions, form.Get("SubscriptionArn"))
		_, _ = fmt.Fprint(w, `<UnsubscribeResponse/>`)
	}
}

func (f *AWS) events(w http.ResponseWriter, target string, in map[string]any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch strings.TrimPrefix(target, "AWSEvents.") {
	case "PutRule":
		f.rules[in["Name"].(string)] = in["ScheduleExpression"].(string)
	case "PutTargets":
		if f.rules[in["Rule"].(string)] == "" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"__type":"ResourceNotFoundException","message":"Rule does not exist on EventBus default."}`)
			return
		}
		f.targets[in["Rule"].(string)] = in["Targets"].([]any)[0].(map[string]any)["Arn"].(string)
	case "RemoveTargets":
		delete(f.targets, in["Rule"].(string))
	case "DeleteRule":
		delete(f.rules, in["Name"].(string))
	}
	_, _ = fmt.Fprint(w, `{}`)
}

// Summary is what there is, told shortly.
func (f *AWS) Summary() []string {
	var out []string
	for _, m := range f.Mappings {
		source, _ := m["EventSourceArn"].(string)
		if self, ok := m["SelfManagedEventSource"]; ok {
			source = fmt.Sprint(self)
		}
		out = append(out, fmt.Sprintf("mapping %s %v %v", source[strings.LastIndexByte(source, ':')+1:], m["BatchSize"], m["Topics"]))
	}
	for bucket, n := range f.Notifications {
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
	out = append(out, fmt.Sprintf("%d statements", len(f.Statements)))
	slices.Sort(out)
	return out
}

// refuse answers as Lambda does.
func refuse(w http.ResponseWriter, code int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-ErrorType", kind)
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, `{"Type":"User","message":%q}`, message)
}
