package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// link is one to a file of the repository, and perhaps a heading in it.
var link = regexp.MustCompile(`\]\(([^):#\s]*)(?:#([a-z0-9_-]+))?\)`)

// TestLinksOfTheDocuments: every link within the repository leads somewhere.
func TestLinksOfTheDocuments(t *testing.T) {
	root, err := fixture.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range documents(t) {
		_, prose := d.parts()
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			file := filepath.Join(root, d.path)
			if m[1] != "" {
				file = filepath.Join(filepath.Dir(file), m[1])
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %s: %v", d.path, m[0], err)
			} else if m[2] != "" && !slices.Contains(anchors(read(t, file)), m[2]) {
				t.Errorf("%s: %s: no heading there is called so", d.path, m[0])
			}
		}
	}
}

var (
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noAnchor = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors are the headings of a document as GitHub names them in links.
func anchors(text string) (all []string) {
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}
