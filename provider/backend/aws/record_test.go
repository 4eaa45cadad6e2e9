package aws

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// noise is text that does not compress.
func noise(n int) string {
	var out strings.Builder
	for i := 0; out.Len() < n; i++ {
		sum := sha256.Sum256(fmt.Append(nil, i))
		out.WriteString(hex.EncodeToString(sum[:]))
	}
	return out.String()[:n]
}

func recorded(annotation string) document {
	r := newRecord(types.FunctionDeployment{
		Service: "hello", Namespace: "openfaas-fn", Image: "example.com/hello@sha256:0123", EnvVars: map[string]string{"A": "kept elsewhere"},
		Labels: &map[string]string{"a": "ü", "": "\x00"}, Annotations: &map[string]string{"long": annotation},
		Limits: &types.FunctionResources{Memory: "0.5Gi"}, Secrets: []string{"s"}, Constraints: []string{"c == d"}, ReadOnlyRootFilesystem: true,
	}, "0123456789abcdef", time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
	return document{Service: "hello", Namespace: "openfaas-fn", Created: r.At, Current: r.Digest, Records: []record{r}}
}

// inTags returns the tags of a document that has room in them.
func inTags(t testing.TB, d document) map[string]string {
	t.Helper()
	_, tags, err := (&account{wanted: noBucket}).writeDocument(t.Context(), "hello", d)
	if err != nil {
		t.Fatal(err)
	}
	return tags
}

func TestRecordSurvivesTags(t *testing.T) {
	value := regexp.MustCompile(`^[a-zA-Z0-9 _.:/=+\-@]*$`) // Lambda's alphabet
	for name, annotation := range map[string]string{"short": "x", "long": strings.Repeat("{\"a\": 1}\n", 5000), "most": noise(8_000)} {
		t.Run(name, func(t *testing.T) {
			want := recorded(annotation)
			tags := inTags(t, want)
			if len(tags) > 40 {
				t.Errorf("%d tags", len(tags))
			}
			for key, v := range tags {
				if len(v) > 256 || len(key) > 128 || !value.MatchString(v) || !value.MatchString(key) {
					t.Errorf("tag %s=%s", key, v)
				}
			}
			tags["owner"] = "somebody"
			got, err := new(account).readDocument(t.Context(), "hello", tags)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(document{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestRecordOfVersion1IsRead(t *testing.T) {
	plain := `{"deployed":{"service":"","image":"i","labels":{"a":"b"}},"created":"2026-01-02T03:04:05Z","replicas":7}`
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(plain)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text := base64.RawStdEncoding.EncodeToString(packed.Bytes())
	got, err := fromTags(map[string]string{tagRecord: fmt.Sprintf("1:1:%08x", crc32.ChecksumIEEE([]byte(text))), piece(0): text})
	if err != nil || !got.first || got.Replicas != 7 || got.Records[0].Deployed.Image != "i" || (*got.Records[0].Deployed.Labels)["a"] != "b" || got.Created.Year() != 2026 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestEarlierRecordsGoWhenThereIsNoRoom(t *testing.T) {
	d := recorded(noise(1000))
	for i := range 6 {
		r := d.Records[0]
		r.Digest = strings.Repeat(strconv.Itoa(i), 16)
		r.Deployed.Annotations = &map[string]string{"long": noise(3000 * (i + 1))[3000*i:]}
		d = d.with(r, 6)
	}
	d = d.serving(strings.Repeat("2", 16), "")
	written, tags, err := (&account{wanted: noBucket}).writeDocument(t.Context(), "hello", d)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(written.Records); n < 2 || n > 6 || written.Records[0].Digest[0] != '5' {
		t.Errorf("%d of 7 records are kept, the first of them %s", n, written.Records[0].Digest)
	}
	if _, err := written.current(); err != nil || len(tags) > 40 {
		t.Errorf("%d tags, %v", len(tags), err)
	}
}

func TestKeptRecords(t *testing.T) {
	var d document
	order := func() string {
		out := ""
		for _, r := range d.Records {
			out += r.Digest
		}
		return out
	}
	for _, c := range []struct{ deploy, serve, want string }{
		{"a", "a", "a"}, {"b", "b", "ba"}, {"c", "c", "cba"}, {"d", "d", "dcba"}, {"e", "e", "edcb"},
		{"", "b", "edcb"}, {"f", "f", "fedb"}, {"e", "e", "efdb"}, {"g", "", "gefd"}, {"h", "h", "hegf"},
	} {
		if c.deploy != "" {
			d = d.with(record{Digest: c.deploy}, 3)
		}
		if c.serve != "" {
			d = d.serving(c.serve, "")
		}
		if got := order(); got != c.want && !(len(got) == 4 && strings.Contains(got, d.Current)) {
			t.Errorf("after %+v: %s", c, got)
		}
	}
	if d = d.serving("h", "g").serving("h", "e"); order() != "hef" {
		t.Errorf("without the one that never served: %s", order())
	}
}

func TestRecordThatDoesNotFit(t *testing.T) {
	d := recorded(noise(30_000))
	_, _, err := (&account{wanted: noBucket}).writeDocument(t.Context(), "hello", d)
	if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), "8192") {
		t.Errorf("%v", err)
	}
}

func TestDamagedRecord(t *testing.T) {
	good := inTags(t, recorded(noise(1000)))
	for name, damage := range map[string]func(map[string]string){
		"no record":        func(tags map[string]string) { delete(tags, tagRecord) },
		"other version":    func(tags map[string]string) { tags[tagRecord] = "3" + tags[tagRecord][1:] },
		"first version":    func(tags map[string]string) { tags[tagRecord] = "1:1:00000000" },
		"a piece is gone":  func(tags map[string]string) { delete(tags, piece(1)) },
		"a piece is other": func(tags map[string]string) { tags[piece(0)] = strings.ToUpper(tags[piece(0)]) },
		"too many pieces":  func(tags map[string]string) { tags[tagRecord] = "2:99999999:00000000" },
		"fewer pieces":     func(tags map[string]string) { tags[tagRecord] = "2:-1:00000000" },
		"nothing in it":    func(tags map[string]string) { tags[tagRecord] = "2:0:00000000" },
	} {
		t.Run(name, func(t *testing.T) {
			tags := maps.Clone(good)
			damage(tags)
			if _, err := new(account).readDocument(t.Context(), "hello", tags); !errors.Is(err, errRecord) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestDifferenceLeavesOthersTagsAlone(t *testing.T) {
	have := map[string]string{"owner": "x", piece(0): "a", piece(1): "b", tagService: "f"}
	want := map[string]string{piece(0): "c", tagService: "f"}
	stale, changed := difference(have, want)
	if !cmp.Equal(stale, []string{piece(1)}) || !cmp.Equal(changed, map[string]string{piece(0): "c"}) {
		t.Errorf("stale %v, changed %v", stale, changed)
	}
}

func FuzzRecord(f *testing.F) {
	tags := inTags(f, recorded("x"))
	f.Add(tags[tagRecord], tags[piece(0)], tags[piece(1)])
	f.Add("1:1:00000000", "", "")
	f.Fuzz(func(t *testing.T, head, first, second string) {
		d, err := fromTags(map[string]string{tagService: "f", tagRecord: head, piece(0): first, piece(1): second})
		if err != nil {
			return
		}
		text, err := d.pack()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := unpack(text); err != nil {
			t.Error(err)
		}
		if _, err := d.current(); err != nil && !errors.Is(err, errRecord) {
			t.Error(err)
		}
	})
}

func FuzzMark(f *testing.F) {
	f.Add("faas-lambda 0123456789abcdef 01234567 image:1")
	f.Add("faas-lambda deleted 01234567")
	f.Fuzz(func(t *testing.T, description string) {
		m := parseMark(description)
		if m != (mark{}) && parseMark(*m.description("image")) != m {
			t.Errorf("%q became %+v", description, m)
		}
	})
}
