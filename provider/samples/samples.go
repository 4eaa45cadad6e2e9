// Package samples holds an event of each kind of trigger, in the form that
// Lambda hands it to a function. The forms are those of AWS's documents
// (docs.aws.amazon.com/lambda, "Integrating other services"); names, ids and
// texts are made up.
package samples

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed events/*.json
var events embed.FS

// Kinds are the names of the events there are, in order.
func Kinds() []string {
	files, err := fs.Glob(events, "events/*.json")
	if err != nil {
		return nil // the pattern is a constant
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(f, "events/"), ".json")
	}
	slices.Sort(files)
	return files
}

// Event returns the event of a kind.
func Event(kind string) ([]byte, error) {
	if !slices.Contains(Kinds(), kind) {
		return nil, fmt.Errorf("find sample event %q: want one of %s", kind, strings.Join(Kinds(), ", "))
	}
	return events.ReadFile("events/" + kind + ".json")
}
