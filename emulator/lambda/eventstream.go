package lambda

import (
	"encoding/binary"
	"hash/crc32"
)

// eventMessage encodes one event of application/vnd.amazon.eventstream: total length, header length and their checksum; headers; payload;
// checksum of all (AWS: "Event stream encoding").
func eventMessage(kind, contentType string, payload []byte) []byte {
	headers := eventHeader(nil, ":message-type", "event")
	headers = eventHeader(headers, ":event-type", kind)
	headers = eventHeader(headers, ":content-type", contentType)
	const prelude, checksum = 12, 4
	total := prelude + len(headers) + len(payload) + checksum
	message := make([]byte, 0, total)
	message = binary.BigEndian.AppendUint32(message, uint32(total))
	message = binary.BigEndian.AppendUint32(message, uint32(len(headers)))
	message = binary.BigEndian.AppendUint32(message, crc32.ChecksumIEEE(message))
	message = append(message, headers...)
	message = append(message, payload...)
	return binary.BigEndian.AppendUint32(message, crc32.ChecksumIEEE(message))
}

// eventHeader appends a header whose value is a string, which is type 7.
func eventHeader(to []byte, name, value string) []byte {
	to = append(to, byte(len(name)))
	to = append(to, name...)
	to = append(to, 7)
	to = binary.BigEndian.AppendUint16(to, uint16(len(value)))
	return append(to, value...)
}
