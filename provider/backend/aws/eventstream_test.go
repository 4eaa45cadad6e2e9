package aws

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

func encodedMessage(t testing.TB, kind, name, payload string) []byte {
	t.Helper()
	m := eventstream.Message{Payload: []byte(payload)}
	m.Headers.Set(":message-type", eventstream.StringValue(kind))
	m.Headers.Set(":event-type", eventstream.StringValue(name))
	m.Headers.Set("of-another-type", eventstream.Int64Value(7))
	m.Headers.Set("truth", eventstream.BoolValue(true))
	m.Headers.Set("bytes", eventstream.BytesValue([]byte{1, 2}))
	var out bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&out, m); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestMessages(t *testing.T) {
	two := append(encodedMessage(t, "event", "PayloadChunk", "hello"), encodedMessage(t, "event", "InvokeComplete", "{}")...)
	m := messages{in: bytes.NewReader(two)}
	for _, want := range []struct{ name, payload string }{{"PayloadChunk", "hello"}, {"InvokeComplete", "{}"}} {
		got, err := m.next()
		if err != nil || got.kind != "event" || got.name != want.name || string(got.payload) != want.payload {
			t.Errorf("%+v, %v; want %v", got, err, want)
		}
	}
	if _, err := m.next(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestDamagedMessages(t *testing.T) {
	good := encodedMessage(t, "event", "PayloadChunk", "hello")
	flip := func(i int) []byte {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		return bad
	}
	for name, c := range map[string]struct {
		data []byte
		kind error
	}{
		"a length":    {flip(3), errEventStream},
		"a header":    {flip(20), errEventStream},
		"the payload": {flip(len(good) - 6), errEventStream},
		"the sum":     {flip(len(good) - 1), errEventStream},
		"cut":         {good[:len(good)-1], io.ErrUnexpectedEOF},
		"cut early":   {good[:5], io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			m := messages{in: bytes.NewReader(c.data)}
			if _, err := m.next(); !errors.Is(err, c.kind) {
				t.Errorf("%v, want %v", err, c.kind)
			}
		})
	}
}

// FuzzMessages compares with the SDK's decoder: what that one reads we read the
// same.
func FuzzMessages(f *testing.F) {
	f.Add(encodedMessage(f, "event", "PayloadChunk", "hello"))
	f.Add(encodedMessage(f, "exception", "x", ""))
	f.Add([]byte{0, 0, 0, 16, 0, 0, 0, 0, 5, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		m := messages{in: bytes.NewReader(data)}
		got, err := m.next()
		want, wantErr := eventstream.NewDecoder().Decode(bytes.NewReader(data), nil)
		if wantErr != nil {
			return
		}
		if err != nil {
			t.Fatalf("%v, where the SDK reads %+v", err, want)
		}
		if !bytes.Equal(got.payload, want.Payload) {
			t.Errorf("payload %q, want %q", got.payload, want.Payload)
		}
	})
}
