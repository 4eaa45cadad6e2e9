package relocate

import (
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faas-lambda/faas-lambda/layers"
)

func TestNothingMovesInAContainerImage(t *testing.T) {
	files := debian()
	files["home/app/.local/lib/python3.13/site-packages/x.py"] = "-x"
	config := fnConfig("fprocess=/bin/fn", "HOME=/home/app", "SETTINGS=/etc/passwd", "A=1", "A=2", "not a variable")
	config.Dir = "/home/app/new"
	got, err := Stay(tree(t, files), config, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := layers.Start{
		Watchdog: got.Start.Watchdog, Command: slices.Concat(config.Entrypoint, config.Cmd), Dir: "/home/app/new",
		Env: []string{"PATH=/bin", "fprocess=/bin/fn", "HOME=/tmp", "SETTINGS=/etc/passwd", "A=2", "PYTHONUSERBASE=/home/app/.local"},
	}
	if diff := cmp.Diff(want, got.Start); diff != "" {
		t.Errorf("start (-want +got)\n%s", diff)
	}
	if len(got.Added) != 1 || got.Added[0].Path != "home/app/new" || got.Added[0].Type != layers.Dir {
		t.Errorf("added %+v", got.Added)
	}
}

func TestWhatOnlyTheOwnerCouldReadIsAddedAnew(t *testing.T) {
	var entries []layers.Entry
	for e := range tree(t, map[string]string{"fwatchdog": amd, "bin/fn": amd, "home/app/key": "-key", "home/app/run": "#!/bin/fn\n", "home/app/open": "-open"}).All() {
		switch e.Path {
		case "home/app":
			e.Mode = fs.ModeDir | 0o700
		case "home/app/key":
			e.Mode = 0o400
		case "home/app/run":
			e.Mode = 0o710
		}
		entries = append(entries, e)
	}
	whole, err := layers.NewTree(entries)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Stay(whole, fnConfig("fprocess=/bin/fn"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]fs.FileMode{}
	for _, e := range got.Added {
		modes[e.Path] = e.Mode.Perm()
	}
	want := map[string]fs.FileMode{"home/app": 0o755, "home/app/key": 0o444, "home/app/run": 0o755}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("added modes (-want +got)\n%s", diff)
	}
}

func TestStayRefuses(t *testing.T) {
	lone := map[string]string{"fwatchdog": amd, "bin/fn": dyn}
	for name, c := range map[string]struct {
		files  map[string]string
		config layers.Config
		want   error
	}{
		"loader is missing":     {lone, fnConfig("fprocess=/bin/fn"), ErrNoProgram},
		"program is missing":    {lone, fnConfig("fprocess=/bin/other"), ErrNoProgram},
		"neither word":          {lone, layers.Config{Arch: "amd64"}, ErrNoCommand},
		"for another processor": {lone, layers.Config{Arch: "arm64", Cmd: []string{"/bin/fn"}}, ErrMachine},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Stay(tree(t, c.files), c.config, Options{}); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	if _, err := Stay(tree(t, map[string]string{"fwatchdog": amd, "bin/fn": dyn, "lib64/ld-linux-x86-64.so.2": amd}), fnConfig("fprocess=/bin/fn"), Options{}); err != nil {
		t.Errorf("with its loader: %v", err)
	}
}
