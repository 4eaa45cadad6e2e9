package managed

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
)

// Packed is what stands above a base.
type Packed struct {
	Tree    *layers.Tree // as Lambda unpacks it
	Handler string
	Env     []string // NAME=value, what the image sets beyond the base
	LeftOut []layers.LeftOut
}

// own are the variables that the bases set, or Lambda does: an image's values of
// them are for the image.
var own = []string{"PATH", "LD_LIBRARY_PATH", "LANG", "TZ", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "HOME", "_HANDLER"}

// sitePackages is where pip installs in a base when it is told nothing; a zip has
// Python's packages at its root, which is searched first.
var sitePackages = regexp.MustCompile(`^var/lang/lib/python3\.[0-9]+/site-packages/(.+)$`)

// unneeded is what tools leave behind, and no function reads.
var unneeded = []string{
	"var/cache", "var/log", "var/tmp", "tmp", "run", "var/run", "root", "var/lib/dnf", "var/lib/rpm", "var/lib/yum", "var/lib/alternatives", "usr/lib/sysimage", "etc/ld.so.cache",
	"usr/share/doc", "usr/share/man", "usr/share/licenses", "usr/include", "var/lang/include", "var/lang/share",
}

// Pack takes what full has above base, its lowest layers alone, to where a zip
// has it.
func Pack(full, base *layers.Tree, b Base, config layers.Config) (*Packed, error) {
	p := &Packed{}
	if len(config.Cmd) == 0 && !b.Provided() {
		return nil, ErrHandler
	}
	p.Handler = handler(config.Cmd)
	for _, kv := range config.Env {
		if name, _, ok := strings.Cut(kv, "="); ok && !slices.Contains(own, name) && !strings.HasPrefix(name, "AWS_") {
			p.Env = append(p.Env, kv)
		}
	}
	entries := map[string]layers.Entry{}
	for e := range full.All() {
		if e.Type == layers.Dir || inBase(e, base) {
			continue
		}
		to, reason := place(e.Path, b)
		switch {
		case to != "":
			e.Path = to
			entries[to] = e
		case reason != "":
			p.LeftOut = append(p.LeftOut, layers.LeftOut{Path: e.Path, Layer: layers.LayerOf(e), Reason: reason})
		default:
			return nil, fmt.Errorf("%w: /%s: as a container image with a watchdog it can be deployed, or with its files in /var/task", ErrElsewhere, e.Path)
		}
	}
	var err error
	p.Tree, err = layers.NewTree(withDirs(entries, full))
	if err != nil {
		return nil, fmt.Errorf("pack what stands above the base: %w", err)
	}
	return p, nil
}

// handler is what CMD names. A program is given as a path, so that it differs
// from the one name that our own functions have.
func handler(cmd []string) string {
	if len(cmd) == 0 || cmd[0] == "bootstrap" {
		return "./bootstrap"
	}
	return cmd[0]
}

// inBase tells whether the base has just this entry.
func inBase(e layers.Entry, base *layers.Tree) bool {
	old, ok := base.Get(e.Path)
	if !ok || old.Type != e.Type || old.Size != e.Size || old.Link != e.Link {
		return false
	}
	if e.Type != layers.File || e.Size == 0 {
		return true
	}
	a, isKeyed := old.Content.(layers.KeyedContent)
	c, isToo := e.Content.(layers.KeyedContent)
	return isKeyed && isToo && a.Key() != "" && a.Key() == c.Key()
}

// place returns where a file goes, or why it is left out; neither means that it
// is where a zip has nothing.
func place(p string, b Base) (to, reason string) {
	if to, ok := strings.CutPrefix(p, "var/task/"); ok {
		return to, ""
	}
	if m := sitePackages.FindStringSubmatch(p); m != nil {
		return m[1], ""
	}
	if to, ok := strings.CutPrefix(p, "var/runtime/"); ok && b.Provided() {
		return to, "" // where the bootstrap of an image lies
	}
	if lib := path.Base(p); strings.HasPrefix(p, "usr/lib64/lib") && path.Dir(p) == "usr/lib64" && strings.Contains(lib, ".so") {
		return "lib/" + lib, "" // /var/task/lib is in LD_LIBRARY_PATH
	}
	for _, dir := range unneeded {
		if p == dir || strings.HasPrefix(p, dir+"/") {
			return "", "not read by functions"
		}
	}
	if strings.HasPrefix(p, "var/lang/") || strings.HasPrefix(p, "var/runtime/") || strings.Contains(p, "/__pycache__/") {
		return "", "belongs to Lambda's own runtime"
	}
	return "", ""
}

// withDirs adds the directories, with the modes that those of /var/task have.
func withDirs(entries map[string]layers.Entry, full *layers.Tree) []layers.Entry {
	var list []layers.Entry
	seen := map[string]bool{".": true}
	for p, e := range entries {
		list = append(list, e)
		for dir := path.Dir(p); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			d := layers.Entry{Path: dir, Type: layers.Dir, Mode: 0o755}
			if old, ok := full.Get("var/task/" + dir); ok && old.Type == layers.Dir {
				d.Mode = old.Mode
			}
			list = append(list, d)
		}
	}
	return list
}
