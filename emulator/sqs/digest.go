package sqs

import (
	"crypto/md5" // what SQS's clients check
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

func digest(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

// digestAttributes is the MD5 of message attributes: each by name, as lengths and bytes of name, data type and value.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation
func digestAttributes(attributes map[string]attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	var b []byte
	part := func(s string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		part(name)
		part(a.DataType)
		if strings.HasPrefix(a.DataType, "Binary") {
			b = append(b, 2)
			part(string(a.BinaryValue))
			continue
		}
		b = append(b, 1)
		part(a.text())
	}
	return digest(string(b))
}

func (a attribute) text() string {
	if a.StringValue == nil {
		return ""
	}
	return *a.StringValue
}
