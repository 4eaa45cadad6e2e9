package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

const context = `"requestContext":{"http":{"method":"PUT","sourceIp":"203.0.113.7"}}`

// parsed is an Event with its body read.
type parsed struct {
	Event
	Body string
}

func decode(t *testing.T, r io.Reader, length int64) (parsed, error) {
	t.Helper()
	var d Decoder
	e, err := d.Read(r, length)
	if err != nil {
		return parsed{}, err
	}
	body, err := io.ReadAll(e.Body)
	if err == nil && e.Length >= 0 && int64(len(body)) != e.Length && e.Header.Get("Content-Length") == "" {
		t.Errorf("length %d, body %d bytes", e.Length, len(body))
	}
	if n, _ := io.Copy(io.Discard, r); n > 0 && err == nil {
		t.Errorf("%d bytes of the event were left", n)
	}
	e.Body = nil
	return parsed{*e, string(body)}, err
}

func TestRead(t *testing.T) {
	raw := func(s string) parsed {
		return parsed{*newRaw(nil, int64(len(s))), s}
	}
	put := func(e Event, body string) parsed {
		e.Method, e.Remote, e.Length = "PUT", "203.0.113.7:0", int64(len(body))
		if e.Header == nil {
			e.Header = http.Header{}
		}
		return parsed{e, body}
	}
	for name, c := range map[string]struct {
		event string
		want  parsed
	}{
		"AWS's order": {
			`{"version":"2.0","rawPath":"/a%20b","rawQueryString":"q=1","cookies":["a=b","c=d"],"headers":{"host":"h","x-a":"1,2"},` + context + `,"body":"aGk=","isBase64Encoded":true}`,
			put(Event{Shape: V2, Target: "/a%20b?q=1", Host: "h", Header: http.Header{"X-A": {"1,2"}, "Cookie": {"a=b; c=d"}}}, "hi"),
		},
		"sorted order": {
			`{"body":"h\"i","faasLambda":{"multiValueHeaders":{"x-a":["1","2"]},"version":1},"headers":{"x-a":"1,2"},"isBase64Encoded":false,"rawPath":"/",` + context + `,"version":"2.0"}`,
			put(Event{Shape: Enveloped, Target: "/", Header: http.Header{"X-A": {"1", "2"}}}, `h"i`),
		},
		"nulls and spaces": {
			" {\n\"version\" : \"2.0\" , \"headers\":null,\t\"cookies\":null," + context + ",\"body\":null} \r\n",
			put(Event{Shape: V2, Target: "/"}, ""),
		},
		"unknown members": {
			`{"new":{"a":[1,{}]},"version":"2.0",` + context + `,"more":-1.5e3}`,
			put(Event{Shape: V2, Target: "/"}, ""),
		},
		"what a target cannot have": {
			`{"version":"2.0","rawPath":"/ä b?#\u007f","rawQueryString":"a b#",` + context + `}`,
			put(Event{Shape: V2, Target: "/%C3%A4%20b%3F%23%7F?a%20b%23"}, ""),
		},
		"escapes": {
			`{"version":"2.0",` + context + `,"body":"\u00e4\ud83d\ude00\ud83dx\ude00\/\\\"\b\f\n\r\t"}`,
			put(Event{Shape: V2, Target: "/"}, "ä😀\ufffdx\ufffd/\\\"\b\f\n\r\t"),
		},
		"other version":       {`{"version":"3.0",` + context + `}`, raw(`{"version":"3.0",` + context + `}`)},
		"version is number":   {`{"version":2,` + context + `}`, raw(`{"version":2,` + context + `}`)},
		"path is number":      {`{"version":"2.0","rawPath":1,` + context + `}`, raw(`{"version":"2.0","rawPath":1,` + context + `}`)},
		"no method":           {`{"version":"2.0","requestContext":{}}`, raw(`{"version":"2.0","requestContext":{}}`)},
		"array":               {`[1]`, raw(`[1]`)},
		"empty":               {``, raw(``)},
		"ends early":          {`{"version":"2.0"`, raw(`{"version":"2.0"`)},
		"two values":          {`{"version":"2.0",` + context + `}{}`, raw(`{"version":"2.0",` + context + `}{}`)},
		"comma missing":       {`{"version":"2.0" ` + context + `}`, raw(`{"version":"2.0" ` + context + `}`)},
		"wrong bracket":       {`{"version":"2.0",` + context + `,"x":[}]}`, raw(`{"version":"2.0",` + context + `,"x":[}]}`)},
		"escape that is none": {`{"version":"2.0",` + context + `,"rawPath":"\x"}`, raw(`{"version":"2.0",` + context + `,"rawPath":"\x"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			for way, r := range map[string]io.Reader{"at once": strings.NewReader(c.event), "byte by byte": iotest.OneByteReader(strings.NewReader(c.event))} {
				got, err := decode(t, r, int64(len(c.event)))
				if err != nil {
					t.Fatalf("%s: %v", way, err)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s (-want +got)\n%s", way, diff)
				}
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	long := strings.Repeat("x", 2*windowSize)
	for name, event := range map[string]string{
		"envelope of a later version": `{"version":"2.0",` + context + `,"faasLambda":{"version":3}}`,
		"body is no string":           `{"version":"2.0",` + context + `,"body":{}}`,
		"base64 that is none":         `{"version":"2.0",` + context + `,"isBase64Encoded":true,"body":"a"}`,
		"streamed: not base64":        `{"version":"2.0",` + context + `,"headers":{},"isBase64Encoded":true,"faasLambda":{"version":1},"body":"` + long + `!"}`,
		"streamed: not the last":      `{"version":"2.0",` + context + `,"headers":{},"isBase64Encoded":false,"faasLambda":{"version":1},"body":"` + long + `","x":1}`,
		"streamed: ends early":        `{"version":"2.0",` + context + `,"headers":{},"isBase64Encoded":false,"faasLambda":{"version":1},"body":"` + long,
		"streamed: not a string":      `{"version":"2.0",` + context + `,"headers":{},"isBase64Encoded":false,"faasLambda":{"version":1},"body":["` + long + `"]}`,
		"streamed: escape":            `{"version":"2.0",` + context + `,"headers":{},"isBase64Encoded":false,"faasLambda":{"version":1},"body":"` + long + `\x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := decode(t, strings.NewReader(event), -1); !errors.Is(err, ErrInvalid) {
				t.Errorf("error %v, %d bytes", err, len(got.Body))
			}
		})
	}
	broken := errors.New("broken")
	if _, err := decode(t, io.MultiReader(strings.NewReader(`{"version"`), iotest.ErrReader(broken)), -1); !errors.Is(err, broken) {
		t.Errorf("error of the reader: %v", err)
	}
}

// holding counts what a Read of an event takes out of it before it returns.
type holding struct {
	r    io.Reader
	read int
}

func (h *holding) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.read += n
	return n, err
}

func TestLargeBodies(t *testing.T) {
	data := make([]byte, 3<<20)
	for i := range data {
		data[i] = byte(i * i / 7)
	}
	text, err := json.Marshal(strings.Repeat(`"ä😀\`+"\n\x01", 200_000))
	if err != nil {
		t.Fatal(err)
	}
	var plain string
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	ascii := strings.ReplaceAll(string(text), "😀", `\ud83d\ude00`)
	head := `{"version":"2.0","headers":{},` + context + `,"faasLambda":{"version":1}`
	encoded := base64.StdEncoding.EncodeToString(data)
	for name, c := range map[string]struct {
		event, want string
		streamed    bool
	}{
		"streamed base64":         {head + `,"isBase64Encoded":true,"body":"` + encoded + `"}`, string(data), true},
		"streamed base64 escaped": {head + `,"isBase64Encoded":true,"body":"` + strings.ReplaceAll(encoded, "/", `\/`) + `"}`, string(data), true},
		"streamed text":           {head + `,"isBase64Encoded":false,"body":` + string(text) + "} \n", plain, true},
		"streamed surrogates":     {head + `,"isBase64Encoded":false,"body":` + ascii + "} \n", plain, true},
		"held base64":             {head + `,"body":"` + encoded + `","isBase64Encoded":true}`, string(data), false},
		"held text":               {head + `,"body":` + ascii + `,"isBase64Encoded":false}`, plain, false},
		"raw object":              {`{"Records":` + string(text) + `}`, `{"Records":` + string(text) + `}`, true},
		"raw body":                {`{"body":` + string(text) + `}`, `{"body":` + string(text) + `}`, false},
		"raw string":              {string(text), string(text), true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, length := range []int64{-1, int64(len(c.event))} {
				h := &holding{r: iotest.HalfReader(strings.NewReader(c.event))}
				var d Decoder
				e, err := d.Read(h, length)
				if err != nil {
					t.Fatal(err)
				}
				if streamed := h.read <= windowSize; streamed != c.streamed {
					t.Errorf("%d bytes were taken before the body was read", h.read)
				}
				got, err := io.ReadAll(e.Body)
				if err != nil || string(got) != c.want {
					t.Errorf("length %d: %v, %d bytes, want %d", length, err, len(got), len(c.want))
				}
				if h.read != len(c.event) {
					t.Errorf("%d bytes of the event were left", len(c.event)-h.read)
				}
			}
		})
	}
}

// FuzzRead compares with encoding/json what the decoder makes of an event.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"version":"2.0","rawPath":"/a","rawQueryString":"q","cookies":["a"],"headers":{"h":"v"},` + context + `,"body":"aGk=","isBase64Encoded":true}`,
		`{"version":"2.0",` + context + `,"headers":{},"isBase64Encoded":true,"faasLambda":{"version":1,"multiValueHeaders":{"a":["1","2"]}},"body":"\u00e4"}`,
		`{"version":"2.0",` + context + `,"headers":{},"isBase64Encoded":true,"faasLambda":{"version":2,"body":{"encoding":"gzip","size":1}},"body":"H4sIAAAAAAAA/w=="}`,
		`{"version":"2.0",` + context + `,"faasLambda":{"version":2,"body":{"url":"https://h/?q","size":1}}}`,
		`{"body":"\ud83d\ude00","version":"2.0",` + context + `}`, `[]`, `{"a":"`, `"\`, `{"version":"2.0","requestContext":{"http":{"method":""}}}`,
	} {
		f.Add([]byte(seed), 7)
	}
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		var want struct {
			Version        string
			RequestContext struct{ HTTP struct{ Method string } }
			Body           *string
			Base64         bool `json:"isBase64Encoded"`
		}
		valid := json.Unmarshal(data, &want) == nil
		var d Decoder
		r := io.Reader(bytes.NewReader(data))
		if piece > 0 && piece < 100 {
			r = &pieces{data, piece}
		}
		e, err := d.Read(r, int64(len(data)))
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		body, err := io.ReadAll(e.Body)
		if err != nil && !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
		if e.Shape == Raw && !bytes.Equal(body, data) {
			t.Fatalf("raw body %q", body)
		}
		if e.Shape != Raw && valid && want.Body != nil && !want.Base64 && !bytes.Contains(data, []byte("faasLambda")) && json.Valid(data) && !bytes.ContainsRune(data, '\ufffd') &&
			bytes.Count(data, []byte("ody")) == 1 && string(bytes.ToValidUTF8(body, []byte("\ufffd"))) != *want.Body {
			t.Fatalf("body %q, encoding/json says %q", body, *want.Body)
		}
	})
}

// pieces gives data a few bytes at a time.
type pieces struct {
	data []byte
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.data[:min(p.n, len(p.data))])
	p.data = p.data[n:]
	return n, nil
}

func TestAnswers(t *testing.T) {
	h := http.Header{
		"Content-Type": {"text/html"}, "Set-Cookie": {"a=1, b", "c=2"}, "X-A": {"1", "2,3"}, "X-Q": {"\"\\\x01ä\xff"},
		"Connection": {"close"}, "Transfer-Encoding": {"chunked"}, "X-None": {},
	}
	for _, multi := range []bool{true, false} {
		head, body, ok := bytes.Cut(AppendPrelude(nil, 201, h, multi, false), []byte(separator))
		if !ok || len(body) != 0 {
			t.Fatalf("prelude %q", head)
		}
		want := `{"statusCode":201,"headers":{"content-type":"text/html","x-a":"1, 2,3","x-q":"\"\\\u0001ä\ufffd"},"cookies":["a=1, b","c=2"]`
		if multi {
			want += `,"multiValueHeaders":{"x-a":["1","2,3"]}`
		}
		equalJSON(t, want+"}", string(head))
	}
	for name, c := range map[string]struct {
		header http.Header
		body   string
		want   string
	}{
		"text":    {http.Header{"Content-Type": {"image/png"}}, "a\"\né", `"headers":{"content-type":"image/png"},"isBase64Encoded":false,"body":"a\"\né"`},
		"binary":  {http.Header{"Content-Type": {"text/html"}}, "\xff\x00", `"headers":{"content-type":"text/html"},"isBase64Encoded":true,"body":"/wA="`},
		"encoded": {http.Header{"Content-Encoding": {"gzip"}}, "ab", `"headers":{"content-encoding":"gzip"},"isBase64Encoded":true,"body":"YWI="`},
		"empty":   {nil, "", `"headers":{},"isBase64Encoded":false,"body":""`},
	} {
		t.Run(name, func(t *testing.T) {
			equalJSON(t, `{"statusCode":200,`+c.want+`}`, string(bytes.Join(Whole(&Event{Shape: V2}, 200, c.header, []byte(c.body)), nil)))
		})
	}
}

func equalJSON(t *testing.T, want, got string) {
	t.Helper()
	var a, b any
	if err := errors.Join(json.Unmarshal([]byte(want), &a), json.Unmarshal([]byte(got), &b)); err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func BenchmarkRead(b *testing.B) {
	for _, size := range []int{1 << 10, 5 << 20} {
		head := `{"version":"2.0","rawPath":"/","headers":{"host":"example.org","content-type":"text/plain","user-agent":"curl/8"},` + context
		body := strings.Repeat("A", size)
		for name, text := range map[string]string{
			"streamed": head + `,"isBase64Encoded":true,"faasLambda":{"version":1},"body":"` + body + `"}`,
			"held":     head + `,"body":"` + body + `","isBase64Encoded":true}`,
		} {
			b.Run(fmt.Sprintf("%s/%dKB", name, size>>10), func(b *testing.B) {
				var d Decoder
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					e, err := d.Read(strings.NewReader(text), int64(len(text)))
					if err != nil {
						b.Fatal(err)
					}
					if _, err := io.Copy(io.Discard, e.Body); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
