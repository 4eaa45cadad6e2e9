package relocate

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/faas-lambda/faas-lambda/layers"
)

// pyc is a compiled module as Python 3.7 and later write it.
func pyc(flags, modTime, size uint32) string {
	b := []byte("\xf3\x0d\r\n")
	for _, n := range []uint32{flags, modTime, size} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return string(b) + "code"
}

func TestKeepCompiled(t *testing.T) {
	const source, at = "word = 1\n", 1_700_000_001
	current := pyc(0, at, uint32(len(source)))
	for name, c := range map[string]struct {
		path, content string
		counts        bool
	}{
		"as old as its source":           {"app/__pycache__/m.cpython-313.pyc", current, true},
		"optimized":                      {"app/__pycache__/m.cpython-37.opt-2.pyc", current, true},
		"another time":                   {"app/__pycache__/m.cpython-313.pyc", pyc(0, at-1, uint32(len(source))), false},
		"another size":                   {"app/__pycache__/m.cpython-313.pyc", pyc(0, at, 1), false},
		"by hash already":                {"app/__pycache__/m.cpython-313.pyc", pyc(3, at, uint32(len(source))), false},
		"without source":                 {"app/__pycache__/other.cpython-313.pyc", current, false},
		"source that is a link":          {"app/__pycache__/link.cpython-313.pyc", current, false},
		"beside its source":              {"app/m.cpython-313.pyc", current, false},
		"before PEP 552":                 {"app/__pycache__/m.cpython-36.pyc", current, false},
		"another implementation":         {"app/__pycache__/m.pypy310.pyc", current, false},
		"cut off":                        {"app/__pycache__/m.cpython-313.pyc", current[:15], false},
		"no compiled module":             {"app/__pycache__/m.cpython-313.pyc", "text that is long enough", false},
		"empty":                          {"app/__pycache__/m.cpython-313.pyc", "", false},
		"in a directory of another name": {"app/cache/m.cpython-313.pyc", current, false},
	} {
		t.Run(name, func(t *testing.T) {
			files := tree(t, map[string]string{"bin/fn": amd, "fwatchdog": amd, "app/m.py": "-", "app/link.py": "->m.py", c.path: c.content})
			var list []layers.Entry
			for e := range files.All() {
				if e.Path == "app/m.py" {
					e.Content, e.Size, e.ModTime = text(source), int64(len(source)), at
				}
				list = append(list, e)
			}
			dated, err := layers.NewTree(list)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Relocate(dated, layers.Config{Arch: "amd64", Cmd: []string{"/fwatchdog"}, Env: []string{"fprocess=/bin/fn"}}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			e, _ := r.Tree.Get(c.path)
			body, err := e.Content.Open()
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(body)
			if err != nil {
				t.Fatal(err)
			}
			want := c.content
			if c.counts {
				want = want[:pycFlags] + "\x01" + want[pycFlags+1:]
			}
			if string(got) != want || (r.Report.Compiled == 1) != c.counts {
				t.Errorf("became %q, and %d count; want %q", got, r.Report.Compiled, want)
			}
		})
	}
}
