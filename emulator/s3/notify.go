package s3

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
)

// notification is a bucket's notification configuration. In its XML a Lambda function is still called a cloud function.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_NotificationConfiguration.html
type notification struct {
	Functions []destination `xml:"CloudFunctionConfiguration"`
	Queues    []destination `xml:"QueueConfiguration"`
	Topics    []destination `xml:"TopicConfiguration"`
}

type destination struct {
	ID       string `xml:"Id"`
	Function string `xml:"CloudFunction"`
	Queue    string
	Topic    string
	Events   []string `xml:"Event"`
	Rules    []struct {
		Name, Value string
	} `xml:"Filter>S3Key>FilterRule"`
}

func parseNotification(data []byte) (notification, error) {
	var n notification
	if xml.Unmarshal(data, &n) != nil {
		return n, malformedXML()
	}
	for _, d := range n.all() {
		if len(d.Events) == 0 || !strings.HasPrefix(d.arn(), "arn:") {
			return n, refuse(http.StatusBadRequest, "InvalidArgument", "The ARN could not be parsed")
		}
		for _, event := range d.Events {
			if !strings.HasPrefix(event, "s3:") {
				return n, refuse(http.StatusBadRequest, "InvalidArgument", "The event is not supported for notifications")
			}
		}
	}
	return n, nil
}

func (n notification) all() []destination {
	return append(append(append([]destination(nil), n.Functions...), n.Queues...), n.Topics...)
}

func (d destination) arn() string { return d.Function + d.Queue + d.Topic }

// wants tells whether an event, such as ObjectCreated:Put, of a key goes to the destination.
func (d destination) wants(event, key string) bool {
	for _, rule := range d.Rules {
		switch strings.ToLower(rule.Name) {
		case "prefix":
			if !strings.HasPrefix(key, rule.Value) {
				return false
			}
		case "suffix":
			if !strings.HasSuffix(key, rule.Value) {
				return false
			}
		}
	}
	for _, pattern := range d.Events {
		pattern = strings.TrimPrefix(pattern, "s3:")
		if all, ok := strings.CutSuffix(pattern, "*"); pattern == event || ok && strings.HasPrefix(event, all) {
			return true
		}
	}
	return false
}

// checkOverlap refuses two configurations of which one event would go to both: of a type that both name, and of a key that both filters let through. It takes
// prefixes, and suffixes, to have a key in common when one begins, or ends, with the other.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html#notification-how-to-filtering-examples-invalid
func (n notification) checkOverlap() error {
	all := n.all()
	for i, a := range all {
		for _, b := range all[i+1:] {
			one, other, common := commonEvent(a, b)
			switch {
			case !common:
			case len(a.Rules)+len(b.Rules) == 0:
				// As https://github.com/minio/minio/issues/2472 has it of S3.
				overlap := refuse(http.StatusBadRequest, "InvalidArgument", "Configurations overlap. Configurations on the same bucket cannot share a common event type.")
				overlap.ArgumentName, overlap.ArgumentValue = "Event", one+", "+other
				return overlap
			case eitherHas(strings.HasPrefix, a.rule("prefix"), b.rule("prefix")) && eitherHas(strings.HasSuffix, a.rule("suffix"), b.rule("suffix")):
				return refuse(http.StatusBadRequest, "InvalidArgument",
					"Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.")
			}
		}
	}
	return nil
}

// commonEvent returns the first events of two configurations that one type of event belongs to.
func commonEvent(a, b destination) (one, other string, common bool) {
	for _, one := range a.Events {
		for _, other := range b.Events {
			if one == other || covers(one, other) || covers(other, one) {
				return one, other, true
			}
		}
	}
	return "", "", false
}

// covers tells whether an event such as s3:ObjectCreated:* is more than another.
func covers(one, other string) bool {
	all, ok := strings.CutSuffix(one, "*")
	return ok && strings.HasPrefix(other, all)
}

func eitherHas(has func(s, part string) bool, a, b string) bool { return has(a, b) || has(b, a) }

// rule returns the value of a filter's rule; empty when there is none.
func (d destination) rule(name string) string {
	for _, rule := range d.Rules {
		if strings.EqualFold(rule.Name, name) {
			return rule.Value
		}
	}
	return ""
}

// checkDestinations refuses notifications of destinations that do not take them, unless the caller does not want to know.
func (s *Store) checkDestinations(r request, c config, data []byte) error {
	if c.query != "notification" || s.opts.Takes == nil || r.Header.Get("x-amz-skip-destination-validation") == "true" {
		return nil
	}
	if _, err := s.config(r.bucket, c.query); err != nil {
		return err
	}
	n, err := parseNotification(data)
	if err != nil {
		return err
	}
	for _, d := range n.all() {
		if !s.opts.Takes(r.bucket, d.arn()) {
			return refuse(http.StatusBadRequest, "InvalidArgument", "Unable to validate the following destination configurations")
		}
	}
	return nil
}

// notify tells a bucket's destinations of an event.
func (s *Store) notify(bucket string, o object, event string) {
	if s.opts.Notify == nil {
		return
	}
	document, err := s.config(bucket, "notification")
	if err != nil || document == "" {
		return
	}
	n, err := parseNotification([]byte(document))
	if err != nil {
		return // it was checked when it was set
	}
	for _, d := range n.all() {
		if d.wants(event, o.Key) {
			s.opts.Notify(bucket, d.arn(), s.event(bucket, d.ID, event, o))
		}
	}
}

// event is what a destination gets.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
func (s *Store) event(bucket, configuration, event string, o object) []byte {
	s.mu.RLock()
	region := classic
	if b := s.buckets[bucket]; b != nil {
		region = b.Region
	}
	s.mu.RUnlock()
	key := strings.ReplaceAll(url.QueryEscape(o.Key), "%2F", "/") // slashes come as they are
	described := map[string]any{"key": key, "sequencer": newID()}
	if o.File != "" {
		described["size"], described["eTag"] = o.Size, o.ETag
	}
	record := map[string]any{
		"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": region, "eventTime": stamp(s.opts.Now()), "eventName": event,
		"userIdentity":      map[string]string{"principalId": "EMBEDDED"},
		"requestParameters": map[string]string{"sourceIPAddress": "127.0.0.1"},
		"responseElements":  map[string]string{"x-amz-request-id": newID(), "x-amz-id-2": newID()},
		"s3": map[string]any{
			"s3SchemaVersion": "1.0", "configurationId": configuration, "object": described,
			"bucket": map[string]any{"name": bucket, "arn": "arn:aws:s3:::" + bucket, "ownerIdentity": map[string]string{"principalId": "EMBEDDED"}},
		},
	}
	data, err := json.Marshal(map[string]any{"Records": []any{record}})
	if err != nil {
		return nil // strings and numbers always encode
	}
	return data
}
