package eventstream

import (
	"bytes"
	"errors"
	"io"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

func encodedMessage(t testing.TB, kind, name, payload string) []byte {
	t.Helper()
	m := sdk.Message{Payload: []byte(payload)}
	m.Headers.Set(":message-type", sdk.StringValue(kind))
	m.Headers.Set(":event-type", sdk.StringValue(name))
	m.Headers.Set("of-another-type", sdk.Int64Value(7))
	m.Headers.Set("truth", sdk.BoolValue(true))
	m.Headers.Set("bytes", sdk.BytesValue([]byte{1, 2}))
	var out bytes.Buffer
	if err := sdk.NewEncoder().Encode(&out, m); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestMessages(t *testing.T) {
	two := append(encodedMessage(t, "event", "PayloadChunk", "hello"), encodedMessage(t, "event", "InvokeComplete", "{}")...)
	r := Reader{In: bytes.NewReader(two)}
	for _, want := range []struct{ name, payload string }{{"PayloadChunk", "hello"}, {"InvokeComplete", "{}"}} {
		got, err := r.Next()
		if err != nil || got.Kind != "event" || got.Name != want.name || string(got.Payload) != want.payload {
			t.Errorf("%+v, %v; want %v", got, err, want)
		}
	}
	if _, err := r.Next(); err != io.EOF {
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
		"a length":    {flip(3), ErrDamaged},
		"a header":    {flip(20), ErrDamaged},
		"the payload": {flip(len(good) - 6), ErrDamaged},
		"the sum":     {flip(len(good) - 1), ErrDamaged},
		"cut":         {good[:len(good)-1], io.ErrUnexpectedEOF},
		"cut early":   {good[:5], io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			r := Reader{In: bytes.NewReader(c.data)}
			if _, err := r.Next(); !errors.Is(err, c.kind) {
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
		r := Reader{In: bytes.NewReader(data)}
		got, err := r.Next()
		want, wantErr := sdk.NewDecoder().Decode(bytes.NewReader(data), nil)
		if wantErr != nil {
			return
		}
		if err != nil {
			t.Fatalf("%v, where the SDK reads %+v", err, want)
		}
		if !bytes.Equal(got.Payload, want.Payload) {
			t.Errorf("payload %q, want %q", got.Payload, want.Payload)
		}
	})
}
