package integration

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var updateTables = flag.Bool("update", false, "write the tables of docs/templates.md as the tests found them")

// tablesFile holds the tables that tests find out, each between two comments.
const tablesFile = "../docs/templates.md"

// tableOf prints a table and holds it against the one in the document, unless
// some of its tests were not asked for.
func tableOf(t *testing.T, name, table string, cells int) {
	t.Helper()
	fmt.Printf("%s\n", table)
	said := 0
	for _, word := range []string{"works", "fails", "cannot", " ok |", "FAILED"} {
		said += strings.Count(table, word)
	}
	if said < cells {
		return
	}
	data, err := os.ReadFile(tablesFile)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->\n"
	before, rest, found := strings.Cut(string(data), begin)
	old, after, ended := strings.Cut(rest, end)
	switch {
	case !found || !ended:
		t.Errorf("%s has no table %s", tablesFile, name)
	case *updateTables:
		if err := os.WriteFile(tablesFile, []byte(before+begin+table+end+after), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	case old != table && !t.Failed():
		t.Errorf("%s says otherwise; run the test with -update:\n%s", tablesFile, table)
	}
}
