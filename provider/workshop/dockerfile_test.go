package workshop

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dockerfile is what the last stage of a template's Dockerfile sets.
type dockerfile struct {
	base, user, dir, entry string
	env                    []string
}

var argument = regexp.MustCompile(`\$\{(\w+)\}`)

func readDockerfile(t *testing.T, name string) dockerfile {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var d dockerfile
	args := map[string]string{}
	expand := func(s string) string {
		return argument.ReplaceAllStringFunc(s, func(m string) string { return args[m[2:len(m)-1]] })
	}
	for line := range strings.Lines(string(data)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "ARG":
			key, value, _ := strings.Cut(rest, "=")
			if _, set := args[key]; !set {
				args[key] = expand(strings.Trim(value, `"`))
			}
		case "FROM":
			from, _, _ := strings.Cut(rest, " ")
			d = dockerfile{base: expand(from)}
		case "ENV":
			d.env = append(d.env, strings.ReplaceAll(rest, `"`, ""))
		case "USER":
			d.user = rest
		case "WORKDIR":
			d.dir = rest
		case "ENTRYPOINT":
			d.entry = rest
		}
	}
	return d
}

// TestDockerfilesSayTheSame holds what is built here against what Docker builds
// of the same template.
func TestDockerfilesSayTheSame(t *testing.T) {
	for lang, r := range recipes {
		t.Run(lang, func(t *testing.T) {
			d := readDockerfile(t, filepath.Join("../../templates/template", lang, "Dockerfile"))
			base, err := emptyBase()
			if err != nil {
				t.Fatal(err)
			}
			img, err := configure(base, runtime.GOARCH, r.env, nil)
			if err != nil {
				t.Fatal(err)
			}
			file, err := img.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			c := file.Config
			env := slices.DeleteFunc(slices.Clone(c.Env), func(kv string) bool { return strings.HasPrefix(kv, "PATH=") })
			slices.Sort(env)
			slices.Sort(d.env)
			if diff := cmp.Diff(d.env, env); diff != "" {
				t.Error(diff)
			}
			if d.user != c.User || d.dir != c.WorkingDir || d.entry != `["`+c.Entrypoint[0]+`"]` {
				t.Errorf("%+v, built %+v", d, c)
			}
			if want := r.base(map[string]string{}); want != noBase && want != d.base {
				t.Errorf("the Dockerfile's base is %s, built on %s", d.base, want)
			}
		})
	}
}
