package event

import "strings"

// identify sets what a trigger's event says of where it comes from. It looks at
// the part of the event that has been read; nothing in it has to be there.
func identify(e *Event, seen []byte) {
	var detail, source string
	walk(seen, func(name string, v []byte) {
		switch name {
		case "Records":
			if len(v) > 0 && v[0] == '[' {
				record(e, v[1:])
			}
		case "eventSource": // Kafka, MQ
			e.Source, _ = text(v)
		case "eventSourceArn":
			e.SourceARN, _ = text(v)
		case "source":
			source, _ = text(v)
		case "detail-type":
			detail, _ = text(v)
		case "triggerSource": // such as PreSignUp_SignUp
			if e.Type, _ = text(v); e.Type != "" {
				e.Source = "aws:cognito-idp"
			}
		case "awslogs":
			e.Source = "aws:logs"
		}
	})
	if detail != "" && source != "" { // EventBridge
		e.Source, e.Type = source, detail
	}
	for _, s := range []*string{&e.Source, &e.SourceARN, &e.Type} {
		if !isFieldValue(*s) {
			*s = ""
		}
	}
}

// record reads the first of Records: those of SQS, Kinesis, DynamoDB and S3 name
// their source in lower case, those of SNS and SES in upper case.
func record(e *Event, v []byte) {
	walk(v, func(name string, v []byte) {
		switch name {
		case "eventSource", "EventSource":
			e.Source, _ = text(v)
		case "eventSourceARN", "EventSubscriptionArn":
			e.SourceARN, _ = text(v)
		case "eventName":
			e.Type, _ = text(v)
		}
	})
}

// walk calls f for the members of the object that v begins with, as far as v
// goes. The last value may be cut off, and is then all that is left of v.
func walk(v []byte, f func(name string, value []byte)) {
	w := &window{buf: v, ended: true}
	if w.expect('{') != nil {
		return
	}
	for {
		start, end, err := w.skip()
		if err != nil {
			return
		}
		name, ok := text(w.buf[start:end])
		if !ok || w.expect(':') != nil {
			return
		}
		if start, end, err = w.skip(); err != nil {
			if start = w.pos; start < len(v) {
				f(name, v[start:])
			}
			return
		}
		f(name, v[start:end])
		if w.expect(',') != nil {
			return
		}
	}
}

// isFieldValue reports whether s can be a header's value.
func isFieldValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
