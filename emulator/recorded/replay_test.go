package recorded

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator"
)

func TestMain(m *testing.M) {
	emulator.Init()
	os.Exit(m.Run())
}

// recording is a recorded case: its answers by step.
type recording struct {
	Date    string `json:"recorded-date"`
	Content m      `json:"recorded-content"`
}

func recordings(t *testing.T) map[string]recording {
	t.Helper()
	data, err := os.ReadFile("testdata/lambda-api.snapshot.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]recording
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	short := map[string]recording{}
	for key, r := range all {
		_, name, _ := strings.Cut(key, "::")
		short[name] = r
	}
	return short
}

// TestReplay takes the emulator through the steps behind each recorded case, and fails for a case that disagrees and is not listed in differs, and
// for one that is and agrees.
func TestReplay(t *testing.T) {
	all := recordings(t)
	var mu sync.Mutex // guards what follows
	agree, differ, beyond := 0, []string{}, map[string][]string{}
	t.Run("cases", func(t *testing.T) {
		for name, recorded := range all {
			if reason := scope(name); reason != "" {
				beyond[reason] = append(beyond[reason], name)
				if steps(name) != nil {
					t.Errorf("%s is out of scope, and has steps", name)
				}
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				problems := play(t, name, recorded)
				mu.Lock()
				defer mu.Unlock()
				reason, listed := differs[name]
				switch {
				case len(problems) == 0 && listed:
					t.Errorf("it agrees now: take it off the list (%s)", reason)
				case len(problems) == 0:
					agree++
				case !listed:
					t.Errorf("it disagrees:\n  %s", strings.Join(problems, "\n  "))
				default:
					differ = append(differ, name+": "+reason)
				}
			})
		}
	})
	t.Logf("%d of %d recorded cases agree", agree, len(all))
	slices.Sort(differ)
	for _, d := range differ {
		t.Logf("differs: %s", d)
	}
	for reason, names := range beyond {
		slices.Sort(names)
		t.Logf("out of scope, %d: %s: %s", len(names), reason, strings.Join(names, ", "))
	}
	for name := range differs {
		if _, ok := all[name]; !ok {
			t.Errorf("no such case: %s", name)
		}
	}
}

// play returns what the emulator does otherwise than recorded.
func play(t *testing.T, name string, recorded recording) []string {
	run := steps(name)
	if run == nil {
		return []string{"nobody has written its steps"}
	}
	at, err := time.Parse("02-01-2006, 15:04:05", recorded.Date)
	if err != nil {
		t.Fatal(err)
	}
	r := newReplay(t, recorded.Content, at)
	run(r)
	for step := range recorded.Content {
		if !r.seen[step] {
			r.problems = append(r.problems, fmt.Sprintf("step %s was not taken", step))
		}
	}
	return r.problems
}

// allCases are the steps of the cases, by their names.
var allCases = func() map[string]func(*replay) {
	all := map[string]func(*replay){}
	for _, some := range []map[string]func(*replay){functionCases, nameCases, versionCases, settingCases, tagCases, limitCases, layerCases, imageCases, signingCases,
		urlCases, invokeConfigCases, permissionCases, mappingCases} {
		maps.Copy(all, some)
	}
	return all
}()

// steps returns what takes the steps of a case; nil for none.
func steps(name string) func(*replay) { return allCases[name] }
