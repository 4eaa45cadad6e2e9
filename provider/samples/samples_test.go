package samples

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEventsAreDocuments(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(kind, func(t *testing.T) {
			data, err := Event(kind)
			if err != nil {
				t.Fatal(err)
			}
			var v map[string]any
			if err := json.Unmarshal(data, &v); err != nil || len(v) == 0 {
				t.Errorf("%v: %s", err, data)
			}
		})
	}
}

// TestTheDocumentationHasTheKinds reads the list of docs/triggers.md.
func TestTheDocumentationHasTheKinds(t *testing.T) {
	page, err := os.ReadFile("../../docs/triggers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(page), "\nSamples: ")
	list, _, _ = strings.Cut(list, "\n")
	var kinds []string
	for _, word := range regexp.MustCompile("`([a-z0-9]+)`").FindAllStringSubmatch(list, -1) {
		kinds = append(kinds, word[1])
	}
	if !slices.Equal(kinds, Kinds()) {
		t.Errorf("it has %v, want %v", kinds, Kinds())
	}
}

func TestUnknownKindNamesTheOthers(t *testing.T) {
	if _, err := Event("pigeon"); err == nil || !strings.Contains(err.Error(), "sqs") {
		t.Errorf("%v", err)
	}
}
