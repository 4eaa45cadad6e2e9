package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// document is a Markdown file for users. Decisions and the change log, which tell
// what was, are none.
type document struct{ path, text string }

// block is the text between two fences, as it stands without their indentation.
type block struct {
	where    string // file and line
	language string
	text     string
}

// documents reads them all, by paths from the root of the repository.
func documents(t *testing.T) []document {
	t.Helper()
	root, err := fixture.Root()
	if err != nil {
		t.Fatal(err)
	}
	var all []document
	for _, pattern := range []string{"README.md", "CONTRIBUTING.md", "docs/*.md", "templates/template/*/README.md", "chart/faas-lambda/README.md"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("no documents %s: %v", pattern, err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, document{strings.TrimPrefix(name, root+"/"), string(data)})
		}
	}
	return all
}

// fence begins and ends a block.
var fence = regexp.MustCompile("^( *)```([a-z]*)$")

// parts are the blocks of a document, and its text without them.
func (d document) parts() (blocks []block, prose string) {
	var b strings.Builder
	var now *block
	var indent string
	for i, line := range strings.Split(d.text, "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case m != nil && now == nil:
			indent, now = m[1], &block{where: fmt.Sprintf("%s:%d", d.path, i+1), language: m[2]}
		case m != nil:
			blocks, now = append(blocks, *now), nil
		case now != nil:
			now.text += strings.TrimPrefix(line, indent) + "\n"
		default:
			b.WriteString(line + "\n")
		}
	}
	return blocks, b.String()
}

var inlineCode = regexp.MustCompile("`[^`\n]+`")

// code is what a document has as code for the shell and for names: the blocks of
// sh, with their lines joined and without comments, and what stands in the prose
// between backquotes.
func (d document) code() (lines []string) {
	blocks, prose := d.parts()
	for _, b := range blocks {
		if b.language == "sh" {
			lines = append(lines, shellLines(b.text)...)
		}
	}
	for _, span := range inlineCode.FindAllString(prose, -1) {
		lines = append(lines, strings.Trim(span, "`"))
	}
	return lines
}

var (
	hereDocument = regexp.MustCompile(`<<'?([A-Z]+)'?`)
	shellComment = regexp.MustCompile(`(^|\s)#.*`)
)

func shellLines(text string) (lines []string) {
	end := ""
	for _, line := range strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		if end != "" {
			if line == end {
				end = ""
			}
			continue
		}
		if m := hereDocument.FindStringSubmatch(line); m != nil {
			end = m[1]
		}
		if line = shellComment.ReplaceAllString(line, ""); strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
