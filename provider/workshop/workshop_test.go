package workshop

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// function is one in a template of go-lambda's shape.
func function(t *testing.T, lang string, files map[string]string) Function {
	t.Helper()
	all := map[string]string{"template/template.yml": "language: " + lang + "\n", "template/Dockerfile": "FROM scratch\n"}
	maps.Copy(all, files)
	dir := writeAll(t, all)
	return Function{Name: "hello", Lang: lang, Handler: filepath.Join(dir, "hello"), Template: filepath.Join(dir, "template")}
}

func goFunction(t *testing.T) Function {
	return function(t, "go-lambda", map[string]string{
		"template/go.mod": "module handler\n\ngo 1.25\n", "template/go.work": "go 1.25\n\nuse (\n\t.\n\t./function\n)\n",
		"template/main.go":       "package main\n\nimport \"handler/function\"\n\nfunc main() { function.Handle() }\n",
		"hello/go.mod":           "module handler/function\n\ngo 1.25\n",
		"hello/handler.go":       "package function\n\nfunc Handle() { println(\"hello\") }\n",
		"hello/static/index.htm": "<p>",
	})
}

// names lists what an image's own layers hold.
func names(t *testing.T, img v1.Image) []string {
	t.Helper()
	all, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range all {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for archive := tar.NewReader(r); ; {
			h, err := archive.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if h.Mode&0o444 != 0o444 || !h.ModTime.IsZero() && h.ModTime.Unix() != 0 || h.Uid != 0 {
				t.Errorf("%s: mode %o, time %s, owner %d", h.Name, h.Mode, h.ModTime, h.Uid)
			}
			out = append(out, h.Name)
		}
	}
	return out
}

// TestLayersEnd reads what readers other than Go's insist on: the last file is
// filled up to a block, and two empty blocks end the archive (pax, POSIX.1).
func TestLayersEnd(t *testing.T) {
	data, err := files{"a": text("1")}.tar()
	if err != nil {
		t.Fatal(err)
	}
	if end := make([]byte, 2*512); len(data)%512 != 0 || !bytes.HasSuffix(data, end) || len(data) < 4*512 {
		t.Errorf("the archive has %d bytes and ends with %x", len(data), data[max(0, len(data)-16):])
	}
}

func digest(t *testing.T, img v1.Image) v1.Hash {
	t.Helper()
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestBuildGo(t *testing.T) {
	f := goFunction(t)
	o := Options{Arch: runtime.GOARCH, Watchdog: []byte("watchdog"), CacheDir: t.TempDir()}
	img, err := Build(t.Context(), f, o)
	if err != nil {
		t.Fatal(err)
	}
	got := names(t, img)
	for _, want := range []string{"usr/bin/fwatchdog", "home/app/handler", "home/app/static/index.htm", "tmp/", "etc/passwd"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %v", want, got)
		}
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := file.Config; c.WorkingDir != "/home/app" || c.Entrypoint[0] != "/usr/bin/fwatchdog" || c.User != "1000" || !slices.Contains(c.Env, "fprocess=./handler") {
		t.Errorf("%+v", c)
	}
	// In another build folder, from another place, it is the same image.
	again, err := Build(t.Context(), goFunction(t), Options{Arch: runtime.GOARCH, Watchdog: []byte("watchdog"), CacheDir: t.TempDir()})
	if err != nil || digest(t, again) != digest(t, img) {
		t.Errorf("the second build is %s, the first %s, %v", digest(t, again), digest(t, img), err)
	}
}

func TestBuildLaysScriptsOnABase(t *testing.T) {
	base, err := emptyBase()
	if err != nil {
		t.Fatal(err)
	}
	if base, err = configure(base, runtime.GOARCH, []string{"PATH=/var/lang/bin"}, nil); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "base")
	if err := WriteLayout(dir, "", base); err != nil {
		t.Fatal(err)
	}
	for lang, files := range map[string]map[string]string{
		"node-lambda": {"template/index.js": "//", "hello/handler.js": "//", "hello/package.json": `{"dependencies":{}}`},
		"python-lambda": {
			"template/index.py": "#", "hello/handler.py": "#", "hello/requirements.txt": "# none\n", "hello/__pycache__/x.pyc": "x",
			"hello/target/a.py": "#", "hello/packages/a.py": "#", "hello/test/README.md": "#", "hello/meta.json": "{}", "hello/tls": "", "hello/tls.key": "",
		},
		"ruby-lambda": {"template/index.rb": "#", "hello/handler.rb": "#", "hello/Gemfile": "source 'https://rubygems.org'\n"},
	} {
		t.Run(lang, func(t *testing.T) {
			f := function(t, lang, files)
			f.Withheld = []string{"npmrc", "pypi"}
			var printed bytes.Buffer
			img, err := Build(t.Context(), f, Options{Arch: runtime.GOARCH, Base: "oci:" + dir, Watchdog: []byte("w"), CacheDir: t.TempDir(), Output: &printed})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(printed.String(), "hello: warning: build_secrets are not used (npmrc, pypi): ") {
				t.Errorf("it printed %q", printed.String())
			}
			got := strings.Join(names(t, img), "\n")
			for name := range files {
				in := "home/app/" + strings.NewReplacer("template/", "", "hello/", "function/").Replace(name)
				if strings.Contains(name, "__pycache__") == strings.Contains(got, in) {
					t.Errorf("%s in\n%s", in, got)
				}
			}
			if strings.Contains(got, "Dockerfile") || strings.Contains(got, madeHere) {
				t.Errorf("too much in\n%s", got)
			}
		})
	}
}

func TestBuildRefuses(t *testing.T) {
	f := goFunction(t)
	o := Options{Arch: runtime.GOARCH, CacheDir: t.TempDir()}
	f.Lang = "cobol"
	if _, err := Build(t.Context(), f, o); !errors.Is(err, ErrLanguage) {
		t.Errorf("unknown template: %v", err)
	}
	f.Lang, f.BuildArgs = "go-lambda", map[string]string{"CGO_ENABLED": "0"}
	o.BuildArgs = map[string]string{"CGO_ENABLED": "1"} // the command line comes first
	if _, err := Build(t.Context(), f, o); err == nil || !strings.Contains(err.Error(), "CGO_ENABLED") {
		t.Errorf("cgo: %v", err)
	}
	o.BuildArgs = nil
	o.Base = "oci:/nowhere"
	if _, err := Build(t.Context(), f, o); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("no base: %v", err)
	}
	o.Base = ""
	if err := os.WriteFile(filepath.Join(f.Handler, "handler.go"), []byte("package function\n\nfunc Handle() { nothing() }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(t.Context(), f, o); err == nil || !strings.Contains(err.Error(), "undefined: nothing") {
		t.Errorf("a mistake in the code: %v", err)
	}
	if err := os.WriteFile(filepath.Join(f.Handler, "handler.go"), []byte("package function\n\nimport _ \"example.com/nothing\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(t.Context(), f, o); err == nil || !strings.Contains(err.Error(), "cd "+f.Handler+"\n") {
		t.Errorf("a module that is missing: %v", err)
	}
}

func TestAFileThatIsGoneLeavesTheImage(t *testing.T) {
	f := goFunction(t)
	o := Options{Arch: runtime.GOARCH, CacheDir: t.TempDir()}
	if _, err := Build(t.Context(), f, o); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(f.Handler, "static/index.htm")); err != nil {
		t.Fatal(err)
	}
	img, err := Build(t.Context(), f, o)
	if err != nil || slices.Contains(names(t, img), "home/app/static/index.htm") {
		t.Errorf("it is still there, %v", err)
	}
}

// TestFoldersAreReadAsTheyAre fills a build folder from what is not a plain file.
func TestFoldersAreReadAsTheyAre(t *testing.T) {
	for name, c := range map[string]struct {
		make func(dir string) error
		want string // a file of the build folder, or what the error says
	}{
		"a link to a file": {func(dir string) error { return os.Symlink("handler.go", filepath.Join(dir, "other.go")) }, "function/other.go"},
		"a link to a folder": {func(dir string) error {
			return os.Symlink(filepath.Join(dir, "..", "shared"), filepath.Join(dir, "linked"))
		}, "function/linked/x.txt"},
		"a link to nowhere":        {func(dir string) error { return os.Symlink("nowhere", filepath.Join(dir, "other.go")) }, "other.go: no such file"},
		"a link to a folder of it": {func(dir string) error { return os.Symlink("..", filepath.Join(dir, "static", "up")) }, "up leads back"},
		"Emacs's lock":             {func(dir string) error { return os.Symlink("me@host.1:2", filepath.Join(dir, ".#handler.go")) }, "function/handler.go"},
		"a pipe":                   {func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600) }, "pipe is neither a file nor a folder"},
		"a module called target": {func(dir string) error {
			return os.CopyFS(filepath.Join(dir, "target"), os.DirFS(filepath.Join(dir, "static")))
		}, "function/target/index.htm"},
		"what cargo leaves": {leave("Cargo.toml", "target"), "function/Cargo.toml"},
		"what npm leaves":   {leave("package.json", "node_modules"), "function/package.json"},
		"faas-cli's own":    {func(dir string) error { return os.Symlink("..", filepath.Join(dir, "build")) }, "function/handler.go"},
	} {
		t.Run(name, func(t *testing.T) {
			f := goFunction(t)
			if err := errors.Join(os.CopyFS(filepath.Join(f.Handler, "..", "shared"), os.DirFS(writeAll(t, map[string]string{"x.txt": "x"}))), c.make(f.Handler)); err != nil {
				t.Fatal(err)
			}
			dir, err := (&build{Function: f, Options: Options{CacheDir: t.TempDir()}}).assemble()
			if err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %q in it", err, c.want)
				}
			} else if _, err := os.Stat(filepath.Join(dir, c.want)); err != nil {
				t.Error(err)
			}
		})
	}
}

// leave makes a folder that cannot be read to its end, beside the file that says
// that a tool makes it.
func leave(file, folder string) func(string) error {
	return func(dir string) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, file), nil, 0o600), os.Mkdir(filepath.Join(dir, folder), 0o700), os.Symlink("nowhere", filepath.Join(dir, folder, "x")))
	}
}

func TestVersionsOfBasesAreTheFunctionsOwn(t *testing.T) {
	base := recipes["python-lambda"].base
	for _, c := range []struct {
		args map[string]string
		want string
	}{
		{map[string]string{"PYTHON_VERSION": "3.12"}, "public.ecr.aws/lambda/python:3.12"},
		{nil, "public.ecr.aws/lambda/python:" + pythonVersion},
		{map[string]string{"PYTHON_VERSION": "3.12", "BASE_IMAGE": "mine"}, "mine"},
	} {
		if got := base(c.args); got != c.want {
			t.Errorf("%v: %s, want %s", c.args, got, c.want)
		}
	}
}

func TestWriteLayoutReplacesLayoutsAlone(t *testing.T) {
	img, err := emptyBase()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "a", "image")
	for range 2 {
		if err := WriteLayout(dir, "", img); err != nil {
			t.Fatal(err)
		}
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := index.IndexManifest(); err != nil || len(m.Manifests) != 1 {
		t.Errorf("%+v, %v", m, err)
	}
	other := writeAll(t, map[string]string{"work.txt": "mine"})
	if err := WriteLayout(other, "", img); err == nil {
		t.Error("a folder that is no layout was replaced")
	}
}

func TestCompressKeepsTheContent(t *testing.T) {
	img, err := emptyBase()
	if err != nil {
		t.Fatal(err)
	}
	small, err := Compress(img)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Compress(small)
	if err != nil || digest(t, again) != digest(t, small) || digest(t, small) == digest(t, img) {
		t.Errorf("%s, then %s, %v", digest(t, small), digest(t, again), err)
	}
	a, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := small.ConfigName(); err != nil || a != b || !slices.Equal(names(t, img), names(t, small)) {
		t.Errorf("%s became %s, %v", a, b, err)
	}
}
