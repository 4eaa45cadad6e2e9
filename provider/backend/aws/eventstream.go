package aws

import (
	bin "encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// AWS's event streams are messages of a length, the length of their headers, a
// checksum of these two, headers, a payload and a checksum of all of it
// (docs.aws.amazon.com/transcribe, "Event stream encoding"; the same for every
// service).
const (
	preludeSize = 12
	// maxMessage bounds a message, in bytes: the SDK's own bound.
	maxMessage = 24 << 20
)

var errEventStream = errors.New("event stream is damaged")

// message is one of an event stream. Its payload is valid until the next one is
// read.
type message struct {
	kind    string // :message-type: event, exception or error
	name    string // :event-type, :exception-type or :error-code
	text    string // :error-message
	payload []byte
}

// messages reads an event stream.
type messages struct {
	in     io.Reader
	buffer []byte
}

// next reads one message. io.EOF comes only between messages.
func (m *messages) next() (message, error) {
	if cap(m.buffer) < preludeSize {
		m.buffer = make([]byte, 0, 4<<10)
	}
	prelude := m.buffer[:preludeSize]
	if _, err := io.ReadFull(m.in, prelude); err != nil {
		return message{}, err
	}
	total, headers := int(bin.BigEndian.Uint32(prelude)), int(bin.BigEndian.Uint32(prelude[4:]))
	if crc32.ChecksumIEEE(prelude[:8]) != bin.BigEndian.Uint32(prelude[8:]) {
		return message{}, fmt.Errorf("%w: the checksum of a message's lengths is wrong", errEventStream)
	}
	if total > maxMessage || headers > total-preludeSize-4 {
		return message{}, fmt.Errorf("%w: a message of %d bytes with %d bytes of headers", errEventStream, total, headers)
	}
	if cap(m.buffer) < total {
		m.buffer = append(make([]byte, 0, total), prelude...)
	}
	all := m.buffer[:total]
	if _, err := io.ReadFull(m.in, all[preludeSize:]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return message{}, err
	}
	if crc32.ChecksumIEEE(all[:total-4]) != bin.BigEndian.Uint32(all[total-4:]) {
		return message{}, fmt.Errorf("%w: the checksum of a message is wrong", errEventStream)
	}
	out := message{payload: all[preludeSize+headers : total-4]}
	return out, out.read(all[preludeSize : preludeSize+headers])
}

// sizes are those of header values by their type; strings and bytes (6, 7) have
// a length of their own.
var sizes = map[byte]int{0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}

// read takes the headers that say what the message is.
func (out *message) read(headers []byte) error {
	for len(headers) > 0 {
		n := int(headers[0])
		if len(headers) < n+2 {
			return fmt.Errorf("%w: a header is cut off", errEventStream)
		}
		name, kind := headers[1:1+n], headers[1+n]
		headers = headers[2+n:]
		size, fixed := sizes[kind]
		if !fixed {
			if kind != 6 && kind != 7 || len(headers) < 2 {
				return fmt.Errorf("%w: a header of type %d", errEventStream, kind)
			}
			size, headers = int(bin.BigEndian.Uint16(headers)), headers[2:]
		}
		if len(headers) < size {
			return fmt.Errorf("%w: a header is cut off", errEventStream)
		}
		if kind == 7 {
			out.take(name, headers[:size])
		}
		headers = headers[size:]
	}
	return nil
}

func (out *message) take(name, value []byte) {
	switch string(name) {
	case ":message-type":
		out.kind = known(value)
	case ":event-type", ":exception-type", ":error-code":
		out.name = known(value)
	case ":error-message":
		out.text = string(value)
	}
}

// known returns value as a string, without memory of its own for those that
// every stream has.
func known(value []byte) string {
	switch string(value) {
	case "event":
		return "event"
	case "PayloadChunk":
		return "PayloadChunk"
	case "InvokeComplete":
		return "InvokeComplete"
	}
	return string(value)
}
