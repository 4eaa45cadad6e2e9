package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
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

func recorded(annotation string) record {
	r := newRecord(types.FunctionDeployment{
		Service: "hello", Namespace: "openfaas-fn", Image: "example.com/hello@sha256:0123",
		Labels: &map[string]string{"a": "ü", "": "\x00"}, Annotations: &map[string]string{"long": annotation},
		Limits: &types.FunctionResources{Memory: "0.5Gi"}, Secrets: []string{"s"}, Constraints: []string{"c == d"}, ReadOnlyRootFilesystem: true,
	}, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
	r.Replicas = 7
	return r
}

func TestRecordSurvivesTags(t *testing.T) {
	value := regexp.MustCompile(`^[a-zA-Z0-9 _.:/=+\-@]*$`) // Lambda's alphabet
	for name, annotation := range map[string]string{"short": "x", "long": strings.Repeat("{\"a\": 1}\n", 5000), "most": noise(12_000)} {
		t.Run(name, func(t *testing.T) {
			want := recorded(annotation)
			tags, err := encodeRecord(want)
			if err != nil {
				t.Fatal(err)
			}
			if len(tags) > 50 {
				t.Errorf("%d tags", len(tags))
			}
			for key, v := range tags {
				if len(v) > 256 || len(key) > 128 || !value.MatchString(v) || !value.MatchString(key) {
					t.Errorf("tag %s=%s", key, v)
				}
			}
			tags["owner"] = "somebody"
			got, err := decodeRecord(tags)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestRecordThatDoesNotFit(t *testing.T) {
	_, err := encodeRecord(recorded(noise(30_000)))
	if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), "11520") {
		t.Errorf("%v", err)
	}
}

func TestDamagedRecord(t *testing.T) {
	good, err := encodeRecord(recorded(noise(1000)))
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(map[string]string){
		"no record":        func(tags map[string]string) { delete(tags, tagRecord) },
		"other version":    func(tags map[string]string) { tags[tagRecord] = "2" + tags[tagRecord][1:] },
		"a piece is gone":  func(tags map[string]string) { delete(tags, piece(1)) },
		"a piece is other": func(tags map[string]string) { tags[piece(0)] = strings.ToUpper(tags[piece(0)]) },
		"too many pieces":  func(tags map[string]string) { tags[tagRecord] = "1:99999999:00000000" },
		"fewer pieces":     func(tags map[string]string) { tags[tagRecord] = "1:-1:00000000" },
		"nothing in it":    func(tags map[string]string) { tags[tagRecord] = "1:0:00000000" },
	} {
		t.Run(name, func(t *testing.T) {
			tags := maps.Clone(good)
			damage(tags)
			if _, err := decodeRecord(tags); !errors.Is(err, errRecord) {
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
	tags, err := encodeRecord(recorded("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tags[tagRecord], tags[piece(0)], tags[piece(1)])
	f.Add("1:1:00000000", "", "")
	f.Fuzz(func(t *testing.T, head, first, second string) {
		r, err := decodeRecord(map[string]string{tagService: "f", tagRecord: head, piece(0): first, piece(1): second})
		if err != nil {
			return
		}
		again, err := encodeRecord(r)
		if errors.Is(err, backend.ErrInvalid) {
			return // packed better than we pack
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeRecord(again); err != nil {
			t.Error(err)
		}
	})
}
