package launch

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func spec() Spec {
	return Spec{
		Version: Version, Image: "sha256:0123", Root: Root, Watchdog: OfWatchdog,
		Command: []string{"./fwatchdog"}, Dir: "/var/task/home/app",
		Env: []string{"PATH=/var/task/usr/bin:/var/task/bin", "mode=http", "fprocess=./handler"},
	}
}

func TestSpecSurvivesTheFile(t *testing.T) {
	data, err := spec().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "launch.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(spec(), got); diff != "" {
		t.Errorf("(-written +read)\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"not JSON":              `hello`,
		"unknown version":       `{"version":2,"root":"/var/task","watchdog":"of-watchdog","dir":"/"}`,
		"unknown field":         `{"version":1,"root":"/var/task","watchdog":"of-watchdog","dir":"/","later":1}`,
		"unknown watchdog":      `{"version":1,"root":"/var/task","watchdog":"cat","dir":"/"}`,
		"none without command":  `{"version":1,"root":"/var/task","watchdog":"none","dir":"/"}`,
		"relative dir":          `{"version":1,"root":"/var/task","watchdog":"of-watchdog","dir":"app"}`,
		"environment no name":   `{"version":1,"root":"/var/task","watchdog":"of-watchdog","dir":"/","env":["=x"]}`,
		"environment NUL":       `{"version":1,"root":"/var/task","watchdog":"of-watchdog","dir":"/","env":["A=\u0000"]}`,
		"environment not a set": `{"version":1,"root":"/var/task","watchdog":"of-watchdog","dir":"/","env":["A"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(data)); !errors.Is(err, ErrInvalid) {
				t.Errorf("Parse(%s) = %v, want ErrInvalid", data, err)
			}
		})
	}
}

func TestEnviron(t *testing.T) {
	for name, c := range map[string]struct {
		lambda []string
		want   []string
	}{
		"Lambda's own PATH and library path do not hide the image's": {
			[]string{"PATH=" + platform["PATH"], "LD_LIBRARY_PATH=" + platform["LD_LIBRARY_PATH"], "TZ=:UTC"},
			append(spec().Env, "TZ=:UTC"),
		},
		"a deployed variable overrides the image's, in its place": {
			[]string{"mode=streaming", "A=1"},
			[]string{spec().Env[0], "mode=streaming", "fprocess=./handler", "A=1"},
		},
		"envProcess overrides fprocess, even a deployed one": {
			[]string{ProcessVariable + "=cat -", "fprocess=no"},
			[]string{spec().Env[0], "mode=http", "fprocess=cat -"},
		},
		"a deployed PATH is kept": {
			[]string{"PATH=/opt/mine"},
			[]string{"PATH=/opt/mine", "mode=http", "fprocess=./handler"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, spec().Environ(c.lambda)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	good, err := spec().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data)
		if err != nil {
			return
		}
		again, err := s.Marshal()
		if err != nil {
			t.Fatalf("a parsed spec does not marshal: %v", err)
		}
		if _, err := Parse(again); err != nil {
			t.Fatalf("a marshalled spec does not parse: %v", err)
		}
	})
}
