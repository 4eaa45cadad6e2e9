package sns

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// notification is a message on its way to a subscriber.
type notification struct {
	topic *topic
	sub   *subscription
	id    string
	at    time.Time
	message
	text string // for the subscriber's protocol
}

// envelope is what is around a message. https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
type envelope struct {
	Type              string
	MessageId         string
	TopicArn          string
	Subject           *string
	Message           string
	Timestamp         string
	SignatureVersion  string
	Signature         string
	SigningCertURL    string `json:",omitempty"`
	SigningCertUrl    string `json:",omitempty"` // in events of Lambda
	UnsubscribeURL    string `json:",omitempty"`
	UnsubscribeUrl    string `json:",omitempty"` // in events of Lambda
	MessageAttributes map[string]typed
}

type typed struct{ Type, Value string }

func (n notification) envelope() envelope {
	e := envelope{
		Type: "Notification", MessageId: n.id, TopicArn: n.topic.ARN, Message: n.text, Timestamp: n.at.Format("2006-01-02T15:04:05.000Z"),
		SignatureVersion: "1", Signature: "EXAMPLE", MessageAttributes: map[string]typed{},
	}
	if n.Subject != "" {
		e.Subject = &n.Subject
	}
	for name, v := range n.MessageAttributes {
		value := v.StringValue
		if strings.HasPrefix(v.DataType, "Binary") {
			value = base64.StdEncoding.EncodeToString(v.BinaryValue)
		}
		e.MessageAttributes[name] = typed{v.DataType, value}
	}
	return e
}

// The addresses in an envelope, of which nothing is served.
const certificate, unsubscribeAt = "EXAMPLE", "EXAMPLE"

func (n notification) delivery() Delivery {
	d := Delivery{Topic: n.topic.ARN, Protocol: n.sub.Protocol, Endpoint: n.sub.Endpoint}
	switch {
	case n.sub.Protocol == protocolLambda:
		d.Payload = n.event()
	case n.sub.Attributes["RawMessageDelivery"] == "true":
		d.Payload, d.Attributes = []byte(n.text), n.MessageAttributes
	default:
		d.Payload = n.wrapped()
	}
	return d
}

// event is what a function gets. https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
func (n notification) event() []byte {
	type record struct {
		EventSource          string
		EventVersion         string
		EventSubscriptionArn string
		Sns                  envelope
	}
	e := n.envelope()
	e.SigningCertUrl, e.UnsubscribeUrl = certificate, unsubscribeAt
	return encode(struct{ Records []record }{[]record{{"aws:sns", "1.0", n.sub.ARN, e}}})
}

// wrapped is what a queue gets.
func (n notification) wrapped() []byte {
	e := n.envelope()
	e.SigningCertURL, e.UnsubscribeURL = certificate, unsubscribeAt
	plain := map[string]any{}
	if json.Unmarshal(encode(e), &plain) != nil {
		return nil // it is an object
	}
	if e.Subject == nil {
		delete(plain, "Subject")
	}
	if len(e.MessageAttributes) == 0 {
		delete(plain, "MessageAttributes")
	}
	return encode(plain)
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		return nil // text always encodes
	}
	return data
}
