package relocate

import (
	"path"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
)

// hostDirs are directories that are the machine's, in a container as on Lambda:
// the kernel's, and /tmp, the only one that can be written to. Paths in them
// stay as they are.
var hostDirs = []string{"/proc", "/sys", "/dev", "/tmp"}

func onHost(p string) bool {
	for _, d := range hostDirs {
		if p == d || strings.HasPrefix(p, d+"/") {
			return true
		}
	}
	return false
}

// imagePath is PATH in a container whose image sets none (moby, oci/defaults).
const imagePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// systemPath comes after the package's own directories, for what an image calls
// but does not bring: in Lambda's system it is what the image had around it.
const systemPath = "/usr/local/bin:/usr/bin:/bin"

// path moves an absolute path that names something in the package. Everything
// else stays as it is: the root itself too, because a lone slash is more often
// a URL's path than a directory.
func (m *mover) path(p string) string {
	if !strings.HasPrefix(p, "/") || path.Clean(p) == "/" || onHost(path.Clean(p)) {
		return p
	}
	if _, err := m.tree.Resolve(p); err != nil {
		return p
	}
	return m.opts.Prefix + p
}

// value moves what is a path or a list of paths in a variable's value or an
// argument. A URL is neither.
func (m *mover) value(v string) string {
	if strings.Contains(v, "://") {
		return v
	}
	parts := strings.Split(v, ":")
	for i, p := range parts {
		parts[i] = m.path(p)
	}
	return strings.Join(parts, ":")
}

// words moves the words of a command line as the watchdogs split it.
func (m *mover) words(line string) string {
	words := strings.Split(line, " ")
	for i, w := range words {
		words[i] = m.value(w)
	}
	return strings.Join(words, " ")
}

// env returns the image's variables, moved, and those that make up for compiled-in
// paths. PATH comes first when the image sets none; of a name that occurs twice
// the last value counts, in the first's place.
func (m *mover) env() ([]string, error) {
	out := make([]string, 0, len(m.config.Env)+1)
	at := map[string]int{}
	if _, ok := m.lookupEnv("PATH"); !ok {
		at["PATH"] = 0
		out = append(out, "PATH="+m.searchPath(imagePath))
	}
	for _, kv := range m.config.Env {
		name, value, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			continue // no variable: container runtimes ignore it too
		}
		switch name {
		case "PATH":
			value = m.searchPath(value)
		case "fprocess", "function_process":
			value = m.words(value)
		case "HOME":
			if !onHost(path.Clean(value)) {
				value = writable
				m.report.Env = append(m.report.Env, Variable{name, value, "the image's own cannot be written to"})
			}
		case "LD_LIBRARY_PATH", "LD_PRELOAD":
			if value = m.loaderVariable(name, value); value == "" {
				continue
			}
		default:
			value = m.value(value)
		}
		if i, ok := at[name]; ok {
			out[i] = name + "=" + value
			continue
		}
		at[name] = len(out)
		out = append(out, name+"="+value)
	}
	return m.addVariables(out), m.failed
}

// searchPath moves every directory of a PATH, also those that do not exist, and
// adds the system's.
func (m *mover) searchPath(value string) string {
	var dirs []string
	for dir := range strings.SplitSeq(value, ":") {
		if strings.HasPrefix(dir, "/") && !onHost(path.Clean(dir)) {
			dir = path.Join(m.opts.Prefix, dir)
		}
		dirs = append(dirs, dir)
	}
	return strings.Join(dirs, ":") + ":" + systemPath
}

// lookupEnv returns the value that the image gives a variable.
func (m *mover) lookupEnv(name string) (value string, ok bool) {
	return lookup(m.config.Env, name)
}

// setting returns the value that a variable will have for the watchdog: the
// deployment's before the image's.
func (m *mover) setting(name string) (value string, ok bool) {
	if value, ok = lookup(m.opts.Env, name); ok {
		return value, ok
	}
	return m.lookupEnv(name)
}

func lookup(env []string, name string) (value string, ok bool) {
	for _, kv := range env {
		if v, found := strings.CutPrefix(kv, name+"="); found {
			value, ok = v, true
		}
	}
	return value, ok
}

// link returns the target of a symbolic link in the package: relative, so that
// it holds wherever the package lies, and inside, where in a container the root
// directory would have kept it.
func (m *mover) link(e layers.Entry) string {
	dir := path.Dir(e.Path)
	target := path.Clean(e.Link)
	if !path.IsAbs(target) {
		target = path.Join("/", dir, e.Link)
	}
	switch {
	case onHost(target) && !onHost("/"+e.Path):
		return target
	case path.IsAbs(e.Link):
		return relative(dir, target)
	case m.tree.Leaves(e):
		if to, err := m.tree.Resolve(dir + "/" + e.Link); err == nil {
			target = path.Join("/", to.Path)
		}
		return relative(dir, target)
	}
	return e.Link
}

// relative leads from a directory to an absolute path over their root.
func relative(dir, target string) string {
	up := ""
	if dir != "." {
		up = strings.Repeat("../", strings.Count(dir, "/")+1)
	}
	if target == "/" {
		return "./" + up
	}
	return up + target[1:]
}
