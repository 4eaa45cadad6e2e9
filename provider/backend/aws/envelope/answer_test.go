package envelope

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

func TestMetadata(t *testing.T) {
	m, err := parse([]byte(`{"statusCode":201,"headers":{"content-type":"text/html","x-a":"1, 2","content-length":"3","connection":"close","set-cookie":"no"},` +
		`"cookies":["a=b; Path=/","c=d"],"multiValueHeaders":{"x-a":["1","2"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := m.Response(http.NoBody)
	want := http.Header{"Content-Type": {"text/html"}, "X-A": {"1", "2"}, "Content-Length": {"3"}, "Set-Cookie": {"a=b; Path=/", "c=d"}}
	if diff := cmp.Diff(want, got.Header); diff != "" || got.StatusCode != 201 || got.ContentLength != 3 {
		t.Errorf("%d, length %d (-want +got)\n%s", got.StatusCode, got.ContentLength, diff)
	}
	if m, err := parse([]byte(`{}`)); err != nil || m.StatusCode != 200 {
		t.Errorf("no status: %+v, %v", m, err)
	}
}

func TestMetadataRefused(t *testing.T) {
	for name, data := range map[string]string{
		"no JSON": "hello", "status 0": `{"statusCode":0}`, "informational": `{"statusCode":100}`, "status 1000": `{"statusCode":1000}`,
		"status text": `{"statusCode":"200"}`, "line break": `{"headers":{"a":"b\r\nc: d"}}`, "bad name": `{"headers":{"a b":"c"}}`, "no name": `{"headers":{"":"c"}}`,
		"line break in one of several": `{"multiValueHeaders":{"a":["b","c\n"]}}`, "line break in a cookie": `{"cookies":["a\n"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			var failed *backend.FunctionError
			if m, err := parse([]byte(data)); !errors.As(err, &failed) {
				t.Errorf("%+v, %v", m, err)
			}
		})
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte("{\"statusCode\":200}\x00\x00\x00\x00\x00\x00\x00\x00body"))
	f.Add([]byte("{}\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte(strings.Repeat("\x00", 20)))
	f.Fuzz(func(t *testing.T, data []byte) {
		left := data
		m, rest, err := ReadMetadata(func() ([]byte, error) { // in chunks of three bytes
			if len(left) == 0 {
				return nil, io.EOF
			}
			chunk := left[:min(3, len(left))]
			left = left[len(chunk):]
			return chunk, nil
		})
		if err != nil {
			return
		}
		if whole, _, err := ReadMetadata(func() ([]byte, error) { return data, nil }); err != nil || !cmp.Equal(m, whole) {
			t.Errorf("%+v in one piece, %+v in chunks: %v", whole, m, err)
		}
		if rest := append(rest, left...); !strings.HasSuffix(string(data), string(rest)) {
			t.Errorf("rest %q of %q", rest, data)
		}
		m.Response(http.NoBody)
	})
}
