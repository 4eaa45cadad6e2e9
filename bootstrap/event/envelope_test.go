package event

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func noise(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i * i / 7)
	}
	return data
}

// enveloped is an event of the second version, of which faasLambda's body is said,
// with the base64 of data as its own body. Without order it is AWS's, body before
// what belongs to it.
func enveloped(said string, data []byte, order bool) string {
	head := `{"version":"2.0","headers":{"content-length":"999"},` + context
	said = `,"isBase64Encoded":true,"faasLambda":{"version":2,"body":` + said + `}`
	body := `,"body":"` + base64.StdEncoding.EncodeToString(data) + `"`
	if order {
		return head + said + body + "}"
	}
	return head + body + said + "}"
}

func TestCompressedBodies(t *testing.T) {
	for _, size := range []int{0, 1, 1000, 300_000, 5 << 20} {
		data := noise(size)
		form := zipped(t, data)
		for name, said := range map[string]string{"size": fmt.Sprintf(`{"encoding":"gzip","size":%d}`, size), "no size": `{"encoding":"gzip"}`} {
			for _, order := range []bool{true, false} {
				t.Run(fmt.Sprintf("%d %s %v", size, name, order), func(t *testing.T) {
					event := enveloped(said, form, order)
					for _, r := range []io.Reader{strings.NewReader(event), iotest.HalfReader(strings.NewReader(event)), iotest.DataErrReader(strings.NewReader(event))} {
						var d Decoder
						e, err := d.Read(r, int64(len(event)))
						if err != nil {
							t.Fatal(err)
						}
						want, header := int64(size), []string{fmt.Sprint(size)}
						if name != "size" {
							want, header = -1, nil
						}
						if e.Length != want || e.Shape != Enveloped || !cmp.Equal(e.Header["Content-Length"], header) {
							t.Errorf("length %d, header %v, shape %d", e.Length, e.Header, e.Shape)
						}
						if got, err := io.ReadAll(e.Body); err != nil || !bytes.Equal(got, data) {
							t.Errorf("%v, %d bytes", err, len(got))
						}
					}
				})
			}
		}
	}
}

func TestBrokenCompressedBodies(t *testing.T) {
	data := noise(200_000)
	form := zipped(t, data)
	damaged := bytes.Clone(form)
	damaged[len(damaged)-5] ^= 1 // of the checksum
	for name, c := range map[string]struct {
		said string
		form []byte
		want string
	}{
		"not gzip":   {`{"encoding":"gzip"}`, data, "gzip: invalid header"},
		"empty":      {`{"encoding":"gzip","size":3}`, nil, "its gzip form ends early"},
		"cut":        {`{"encoding":"gzip","size":200000}`, form[:len(form)-9], "its gzip form ends early"},
		"head only":  {`{"encoding":"gzip"}`, form[:5], "its gzip form ends early"},
		"checksum":   {`{"encoding":"gzip","size":200000}`, damaged, "gzip: invalid checksum"},
		"trailing":   {`{"encoding":"gzip","size":200000}`, append(bytes.Clone(form), 'x'), "its gzip form ends early"},
		"shorter":    {`{"encoding":"gzip","size":200001}`, form, "it ends after 200000 of 200001 bytes"},
		"longer":     {`{"encoding":"gzip","size":199999}`, form, "it is longer than the announced 199999 bytes"},
		"not empty":  {`{"encoding":"gzip","size":0}`, form, "it is longer than the announced 0 bytes"},
		"plain size": {`{"size":4}`, []byte("hello"), "body has 5 bytes, size says 4"},
	} {
		for _, order := range []bool{true, false} {
			t.Run(fmt.Sprint(name, order), func(t *testing.T) {
				event := enveloped(c.said, c.form, order)
				var d Decoder
				e, err := d.Read(strings.NewReader(event), int64(len(event)))
				if err == nil {
					var got []byte
					got, err = io.ReadAll(e.Body)
					if e.Length >= 0 && int64(len(got)) >= e.Length && e.Length > 0 {
						t.Errorf("%d bytes of a broken body were given out", len(got))
					}
				}
				if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v", err)
				}
			})
		}
	}
}

func TestBodiesElsewhere(t *testing.T) {
	data := noise(100_000)
	for name, c := range map[string]struct {
		said   string
		found  []byte
		length int64 // that the URL's server says
		want   int64
		fails  string
	}{
		"all said":     {`,"size":100000`, data, 100_000, 100_000, ""},
		"no size":      {``, data, 100_000, 100_000, ""},
		"no length":    {`,"size":100000`, data, -1, 100_000, ""},
		"none":         {``, data, -1, -1, ""},
		"gzip":         {`,"encoding":"gzip","size":100000`, zipped(t, data), 77, 100_000, ""},
		"gzip, none":   {`,"encoding":"gzip"`, zipped(t, data), 77, -1, ""},
		"other length": {`,"size":99999`, data, 100_000, 0, "request body has 100000 bytes, 99999 were announced"},
		"longer":       {`,"size":99999`, data, -1, 99_999, "longer than the announced 99999"},
		"shorter":      {`,"size":100001`, data, -1, 100_001, "it ends after 100000 of 100001"},
	} {
		t.Run(name, func(t *testing.T) {
			event := `{"version":"2.0","headers":{"content-length":"7"},` + context + `,"faasLambda":{"version":2,"body":{"url":"https://h/k?q=1"` + c.said + `}}}`
			var d Decoder
			e, err := d.Read(strings.NewReader(event), -1)
			if err != nil || e.Fetch == nil || e.Fetch.URL != "https://h/k?q=1" {
				t.Fatalf("%v, %+v", err, e)
			}
			var got []byte
			if err = e.Receive(bytes.NewReader(c.found), c.length); err == nil {
				if e.Length != c.want || (c.want >= 0) != (e.Header.Get("Content-Length") == fmt.Sprint(c.want)) {
					t.Errorf("length %d, header %v", e.Length, e.Header)
				}
				got, err = io.ReadAll(e.Body)
			}
			if c.fails == "" && (err != nil || !bytes.Equal(got, data)) || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("%v, %d bytes", err, len(got))
			}
		})
	}
}

func TestEnvelopesRefused(t *testing.T) {
	for name, c := range map[string]struct{ member, want string }{
		"version 3":          {`{"version":3,"body":{"url":"https://h/?secret"}}`, "version 3, this bootstrap reads versions 1 to 2"},
		"no version":         {`{}`, "version -1, this bootstrap"},
		"body in version 1":  {`{"version":1,"body":{"encoding":"gzip"}}`, "body needs version 2"},
		"encoding":           {`{"version":2,"body":{"encoding":"br"}}`, `encoding "br" is not gzip`},
		"encoding no string": {`{"version":2,"body":{"encoding":1}}`, "encoding is not a string"},
		"url no string":      {`{"version":2,"body":{"url":["secret"]}}`, "url is not a string"},
		"url empty":          {`{"version":2,"body":{"url":""}}`, "url is not a string"},
		"size":               {`{"version":2,"body":{"encoding":"gzip","size":-1}}`, `size "-1" is not`},
		"size of no end":     {`{"version":2,"body":{"encoding":"gzip","size":99999999999999999999}}`, "is not a number of bytes"},
		"size fraction":      {`{"version":2,"body":{"encoding":"gzip","size":1.5}}`, `size "1.5" is not`},
		"url and body":       {`{"version":2,"body":{"url":"https://h/?secret"}},"body":"x"`, "has a url, and the event a body too"},
	} {
		t.Run(name, func(t *testing.T) {
			event := `{"version":"2.0","headers":{},` + context + `,"isBase64Encoded":false,"faasLambda":` + c.member + `}`
			_, err := decode(t, strings.NewReader(event), -1)
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// FuzzInflate has a body end, or fail, as the gzip package says of its form.
func FuzzInflate(f *testing.F) {
	form := zipped(f, noise(3000))
	f.Add(form, int64(3000), 7)
	f.Add(form[:20], int64(-1), 1)
	f.Add([]byte("\x1f\x8b"), int64(0), 100)
	f.Add(append(bytes.Clone(form), form...), int64(6000), 50)
	f.Fuzz(func(t *testing.T, data []byte, size int64, piece int) {
		if piece < 1 || len(data) > 1<<16 {
			return
		}
		var want []byte
		zr, wantErr := gzip.NewReader(bytes.NewReader(data))
		if wantErr == nil {
			want, wantErr = io.ReadAll(io.LimitReader(zr, 1<<20))
			if len(want) == 1<<20 {
				return
			}
		}
		e := &Event{Header: http.Header{}, Fetch: &Fetch{gzip: true, size: max(size, -1)}}
		if err := e.Receive(&pieces{data, piece}, int64(len(data))); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(e.Body)
		whole := wantErr == nil && (size < 0 || size == int64(len(want)))
		if (err == nil) != whole || whole && !bytes.Equal(got, want) {
			t.Fatalf("%v and %d bytes, gzip says %v and %d bytes, size %d", err, len(got), wantErr, len(want), size)
		}
		if !whole && size > 0 && int64(len(got)) >= size {
			t.Fatalf("%d of %d bytes of a broken body", len(got), size)
		}
	})
}
