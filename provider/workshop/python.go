package workshop

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// pythonVersion is the default of python-lambda's build argument PYTHON_VERSION.
const pythonVersion = "3.13"

// makePython installs what requirements.txt names into a folder of its own.
// Where this machine's Python is another one, or another processor's, only
// finished wheels can be taken.
func makePython(ctx context.Context, b *build, dir string) ([]files, error) {
	version := cmp.Or(b.args["PYTHON_VERSION"], pythonVersion)
	if err := b.checkPython(ctx, filepath.Join(dir, "function"), version); err != nil {
		return nil, err
	}
	packages := filepath.Join(dir, "packages")
	installed := files{}
	if needs, err := contains(filepath.Join(dir, "function"), "requirements.txt", regexp.MustCompile(`(?m)^\s*[^#\s]`)); err != nil {
		return nil, err
	} else if needs {
		args := []string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--target", packages}
		if !b.sameAsHere(ctx, version) {
			cpu := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[b.Arch]
			args = append(args, "--only-binary=:all:", "--implementation", "cp", "--python-version", version)
			for _, glibc := range []string{"2014", "_2_17", "_2_28", "_2_34"} {
				args = append(args, "--platform", "manylinux"+glibc+"_"+cpu)
			}
		}
		args = append(args, "-r", "requirements.txt")
		if err := b.install(ctx, filepath.Join(dir, "function"), []string{"requirements.txt"}, packages, "python3", args...); err != nil {
			return nil, err
		}
		// bin holds programs whose first line names this machine's Python.
		if err := installed.add(packages, "home/app/packages", "bin"); err != nil {
			return nil, err
		}
	}
	code, err := scripts(dir, "index.py")
	return []files{installed, code}, err
}

// sameAsHere tells whether this machine's Python makes what the image's can load.
func (b *build) sameAsHere(ctx context.Context, version string) bool {
	out, err := exec.CommandContext(ctx, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
	return err == nil && strings.TrimSpace(string(out)) == version && b.Arch == runtime.GOARCH
}

// compilePython reads names of files, each ended by a zero byte, and writes what
// is wrong with them, after the version of Python: lines of JSON.
const compilePython = `
import json, sys
print(json.dumps({"version": list(sys.version_info[:2])}))
for name in sys.stdin.buffer.read().split(b"\0")[:-1]:
    try:
        with open(name, "rb") as f:
            compile(f.read(), name, "exec", dont_inherit=True)
    except Exception as e:
        text = getattr(e, "msg", None) or str(e)
        print(json.dumps({"file": name.decode(errors="replace"), "line": getattr(e, "lineno", 0) or 0, "text": text}))
`

// pythonFault is a line of what compilePython writes.
type pythonFault struct {
	Version []int
	File    string
	Line    int
	Text    string
}

// checkPython compiles the function's files where this machine has Python, so that
// a mistake is told with its line and not found by the first deployment. What the
// handler's own file has is an error, unless this Python is older than the image's
// and may not know its syntax; the handler may use no other file, so what those
// have is only told.
func (b *build) checkPython(ctx context.Context, dir, version string) error {
	path, err := lookUp("python3")
	if err != nil {
		return nil
	}
	names, err := pythonFiles(dir)
	if err != nil || len(names) == 0 {
		return err
	}
	cmd := newCommand(ctx, path, "-I", "-W", "ignore", "-c", compilePython)
	cmd.Stdin = strings.NewReader(strings.Join(names, "\x00") + "\x00")
	out, err := cmd.Output()
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(b.Output, "%s: warning: its Python was not checked: %s: %v\n", b.Name, path, err)
	}
	if err != nil {
		return ctx.Err()
	}
	older := false
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var f pythonFault
		if err := dec.Decode(&f); err != nil {
			return fmt.Errorf("compile the function's Python with %s: %w", path, err)
		}
		if len(f.Version) == 2 {
			older = olderPython(f.Version, version)
			continue
		}
		said := fmt.Sprintf("%s:%d: %s", strings.Replace(f.File, dir, b.Handler, 1), f.Line, f.Text)
		switch {
		case f.File == filepath.Join(dir, "handler.py") && !older:
			return errors.New(said)
		case older:
			said += " (by a Python that is older than the image's)"
		}
		fmt.Fprintf(b.Output, "%s: warning: %s\n", b.Name, said)
	}
	return nil
}

// pythonFiles are a function's own.
func pythonFiles(dir string) (names []string, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && filepath.Ext(path) == ".py" {
			names = append(names, path)
		}
		return err
	})
	return names, err
}

// olderPython tells whether a Python is older than a version such as 3.13, or may
// be.
func olderPython(here []int, version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return true
	}
	return here[0] < major || here[0] == major && here[1] < minor
}
