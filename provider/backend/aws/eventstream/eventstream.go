// Package eventstream reads the event streams in which AWS answers streamed
// invocations. The SDK has a decoder too; this one allocates nothing for a message.
package eventstream

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

// ErrDamaged is of a stream whose lengths or checksums are wrong.
var ErrDamaged = errors.New("event stream is damaged")

// Message is one of an event stream. Its payload is valid until the next one is
// read.
type Message struct {
	Kind    string // :message-type: event, exception or error
	Name    string // :event-type, :exception-type or :error-code
	Text    string // :error-message
	Payload []byte
}

// Reader reads the event stream In. Buffer, which may be nil, is what messages are
// read into; one that is too small is replaced.
type Reader struct {
	In     io.Reader
	Buffer []byte
}

// Next reads one message. io.EOF comes only between messages.
func (r *Reader) Next() (Message, error) {
	if cap(r.Buffer) < preludeSize {
		r.Buffer = make([]byte, 0, 4<<10)
	}
	prelude := r.Buffer[:preludeSize]
	if _, err := io.ReadFull(r.In, prelude); err != nil {
		return Message{}, err
	}
	total, headers := int(bin.BigEndian.Uint32(prelude)), int(bin.BigEndian.Uint32(prelude[4:]))
	if crc32.ChecksumIEEE(prelude[:8]) != bin.BigEndian.Uint32(prelude[8:]) {
		return Message{}, fmt.Errorf("%w: the checksum of a message's lengths is wrong", ErrDamaged)
	}
	if total > maxMessage || headers > total-preludeSize-4 {
		return Message{}, fmt.Errorf("%w: a message of %d bytes with %d bytes of headers", ErrDamaged, total, headers)
	}
	if cap(r.Buffer) < total {
		r.Buffer = append(make([]byte, 0, total), prelude...)
	}
	all := r.Buffer[:total]
	if _, err := io.ReadFull(r.In, all[preludeSize:]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Message{}, err
	}
	if crc32.ChecksumIEEE(all[:total-4]) != bin.BigEndian.Uint32(all[total-4:]) {
		return Message{}, fmt.Errorf("%w: the checksum of a message is wrong", ErrDamaged)
	}
	out := Message{Payload: all[preludeSize+headers : total-4]}
	return out, out.read(all[preludeSize : preludeSize+headers])
}

// sizes are those of header values by their type; strings and bytes (6, 7) have
// a length of their own.
var sizes = map[byte]int{0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}

// read takes the headers that say what the message is.
func (m *Message) read(headers []byte) error {
	for len(headers) > 0 {
		n := int(headers[0])
		if len(headers) < n+2 {
			return fmt.Errorf("%w: a header is cut off", ErrDamaged)
		}
		name, kind := headers[1:1+n], headers[1+n]
		headers = headers[2+n:]
		size, fixed := sizes[kind]
		if !fixed {
			if kind != 6 && kind != 7 || len(headers) < 2 {
				return fmt.Errorf("%w: a header of type %d", ErrDamaged, kind)
			}
			size, headers = int(bin.BigEndian.Uint16(headers)), headers[2:]
		}
		if len(headers) < size {
			return fmt.Errorf("%w: a header is cut off", ErrDamaged)
		}
		if kind == 7 {
			m.take(name, headers[:size])
		}
		headers = headers[size:]
	}
	return nil
}

func (m *Message) take(name, value []byte) {
	switch string(name) {
	case ":message-type":
		m.Kind = known(value)
	case ":event-type", ":exception-type", ":error-code":
		m.Name = known(value)
	case ":error-message":
		m.Text = string(value)
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
