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
