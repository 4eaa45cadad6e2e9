// Package workshop makes images of functions out of their folders, without
// Docker: it reads stack files as faas-cli does, runs the language's own tools,
// and lays what they made on a base image. It knows the templates of this
// repository; images of other templates are for `faas-cli build`. The same
// folder, tools and base give the same image.
package workshop

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ErrLanguage says that a function's template is none of those that can be built
// here.
var ErrLanguage = errors.New("this template cannot be built without Docker: use faas-cli build")

// Options say how functions are built.
type Options struct {
	Arch      string            // amd64 or arm64
	Base      string            // reference of the base image, oci:DIR[:ref] or "scratch"; empty means the template's own
	Watchdog  []byte            // the program fwatchdog for Arch
	CacheDir  string            // build folders that are kept, so that the next build is quick
	Output    io.Writer         // of warnings, a line each; nil is nowhere
	BuildArgs map[string]string // in addition to those of the function, and before them
	Insecure  []string          // registries that may be reached over plain HTTP
	Labels    map[string]string // of the image, beside those of its base
	Fresh     bool              // build in an empty folder, not in the one that is kept
}

// recipe is how functions of one template are built.
type recipe struct {
	base func(args map[string]string) string
	// make runs the language's tools in dir, which holds the template with the
	// function in it, and returns what goes into the image, each a layer.
	make func(ctx context.Context, b *build, dir string) ([]files, error)
	env  []string // of the image
}

// build is one build.
type build struct {
	Function
	Options
	args map[string]string
}

// recipes are the templates that can be built, by their names.
var recipes = map[string]recipe{
	"go-lambda":     {base: scratch, make: makeGo, env: []string{"fprocess=./handler", "upstream_url=http://127.0.0.1:8082"}},
	"rust-lambda":   {base: scratch, make: makeRust, env: []string{"fprocess=./handler", "upstream_url=http://127.0.0.1:8082"}},
	"node-lambda":   {base: lambdaBase("nodejs", "NODE_VERSION", "22"), make: makeNode, env: []string{"fprocess=node index.js", "upstream_url=http://127.0.0.1:3000"}},
	"python-lambda": {base: lambdaBase("python", "PYTHON_VERSION", pythonVersion), make: makePython, env: []string{"fprocess=python3 index.py", "upstream_url=http://127.0.0.1:5000", "PYTHONPATH=/home/app/packages"}},
	"java-lambda":   {base: lambdaBase("java", "JAVA_VERSION", "21"), make: makeJava, env: []string{"fprocess=java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp lib/* com.openfaas.entrypoint.App", "upstream_url=http://127.0.0.1:8082"}},
	"ruby-lambda":   {base: lambdaBase("ruby", "RUBY_VERSION", "3.4"), make: makeRuby, env: []string{"fprocess=ruby index.rb", "upstream_url=http://127.0.0.1:5000"}},
}

// Languages are the names of the templates that can be built.
func Languages() []string { return slices.Sorted(maps.Keys(recipes)) }

// Templates' own build arguments name the base, as their Dockerfiles do.
func scratch(args map[string]string) string {
	return cmp.Or(args["BASE_IMAGE"], noBase)
}

func lambdaBase(runtime, variable, version string) func(map[string]string) string {
	return func(args map[string]string) string {
		return cmp.Or(args["BASE_IMAGE"], "public.ecr.aws/lambda/"+runtime+":"+cmp.Or(args[variable], version))
	}
}

// Build makes the image of a function.
func Build(ctx context.Context, f Function, o Options) (v1.Image, error) {
	language, _, _ := strings.Cut(f.Lang, "@")
	r, ok := recipes[language]
	if !ok {
		return nil, fmt.Errorf("build function %s of template %s: %w (known here: %s)", f.Name, f.Lang, ErrLanguage, strings.Join(Languages(), ", "))
	}
	b := &build{Function: f, Options: o, args: map[string]string{}}
	maps.Copy(b.args, f.BuildArgs)
	maps.Copy(b.args, o.BuildArgs)
	if b.Output == nil {
		b.Output = io.Discard
	}
	if len(f.Withheld) > 0 { // the tools run here, not in a container that secrets are mounted in
		fmt.Fprintf(b.Output, "%s: warning: build_secrets are not used (%s): npm, pip and others take the credentials that this machine is set up with\n", f.Name, strings.Join(f.Withheld, ", "))
	}
	img, err := b.image(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("build function %s: %w", f.Name, err)
	}
	return img, nil
}

func (b *build) image(ctx context.Context, r recipe) (v1.Image, error) {
	dir, err := b.assemble()
	if err != nil {
		return nil, err
	}
	made, err := r.make(ctx, b, dir)
	if err != nil {
		return nil, err
	}
	ref := b.Base
	if ref == "" {
		ref = r.base(b.args)
	}
	base, err := openBase(ctx, ref, b.Arch, b.Insecure)
	if err != nil {
		return nil, err
	}
	watchdog := files{"usr/bin/fwatchdog": {mode: 0o755, data: b.Watchdog}}
	img, err := appendLayers(base, append([]files{watchdog}, made...))
	if err != nil {
		return nil, err
	}
	return configure(img, b.Arch, r.env, b.Labels)
}

// configure sets what the templates' Dockerfiles set. The user is a number, so
// that Kubernetes can tell that it is not root.
func configure(img v1.Image, arch string, env []string, labels map[string]string) (v1.Image, error) {
	file, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read configuration of the base: %w", err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", arch
	c := &file.Config
	if !slices.ContainsFunc(c.Env, func(kv string) bool { return strings.HasPrefix(kv, "PATH=") }) {
		c.Env = append(c.Env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	}
	c.Env = append(c.Env, append([]string{"mode=http", "prefix_logs=false"}, env...)...)
	c.Entrypoint, c.Cmd = []string{"/usr/bin/fwatchdog"}, nil
	c.WorkingDir, c.User = "/home/app", "1000"
	if len(labels) > 0 {
		all := map[string]string{}
		maps.Copy(all, c.Labels)
		maps.Copy(all, labels)
		c.Labels = all
	}
	file.Created = v1.Time{}
	return mutate.ConfigFile(img, file)
}

// noBase is the base that is empty.
const noBase = "scratch"

// emptyBase is what a static program needs around it.
func emptyBase() (v1.Image, error) {
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	return appendLayers(img, []files{{
		"etc/passwd": text("root:x:0:0:root:/root:/sbin/nologin\napp:x:1000:1000:app:/home/app:/sbin/nologin\n"),
		"etc/group":  text("root:x:0:\napp:x:1000:\n"),
		"tmp":        {mode: 0o1777, dir: true},
	}})
}

// dir is the folder that the function is built in.
func (b *build) dir() string { return filepath.Join(b.CacheDir, "build", keyOf(b.Function)) }

// assemble puts template and function together in a folder that is kept, as
// faas-cli does in build/NAME.
func (b *build) assemble() (string, error) {
	dir := b.dir()
	if b.Fresh {
		if err := os.RemoveAll(dir); err != nil {
			return "", fmt.Errorf("clean build folder: %w", err)
		}
	}
	into := map[string]string{}
	if err := list(b.Template, into, "", "function"); err != nil {
		return "", fmt.Errorf("read template %s: %w", b.Lang, err)
	}
	if err := list(b.Handler, into, "function", "build", "template"); err != nil { // faas-cli's own
		return "", fmt.Errorf("read function's folder: %w", err)
	}
	for name, from := range b.Copy {
		if err := (&lister{into: into}).add(from, filepath.Join("function", name)); err != nil {
			return "", fmt.Errorf("read %s, which is to be copied: %w", name, err)
		}
	}
	return dir, synchronize(dir, into)
}

// command runs one of the language's tools. What it prints is in the error, and
// in the output when it is of use.
func (b *build) command(ctx context.Context, dir string, env []string, name string, args ...string) error {
	path, err := lookUp(name)
	if err != nil {
		return fmt.Errorf("%w: building with %s needs it on this machine, or use faas-cli build", err, b.Lang)
	}
	cmd := newCommand(ctx, path, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		// The developer knows the function's own folder, not the one it is built in.
		said := strings.ReplaceAll(strings.TrimSpace(string(out)), filepath.Join(b.dir(), "function"), b.Handler)
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said)
	}
	return nil
}

// install runs a tool in dir that fills the folder made from what some files
// there say, unless it did so the last time from the same ones.
func (b *build) install(ctx context.Context, dir string, from []string, made, name string, args ...string) error {
	sum := sha256.New()
	for _, part := range append([]string{b.Arch, name}, args...) {
		_, _ = io.WriteString(sum, part+"\x00") // a hash takes everything
	}
	for _, file := range from {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("read %s: %w", file, err)
		}
		_, _ = sum.Write(data)
		_, _ = sum.Write([]byte{0})
	}
	key, mark := hex.EncodeToString(sum.Sum(nil)), filepath.Join(filepath.Dir(dir), installedHere)
	if last, err := os.ReadFile(mark); err == nil && string(last) == key && exists(made) {
		return nil
	}
	if err := errors.Join(os.RemoveAll(made), os.RemoveAll(mark)); err != nil {
		return fmt.Errorf("clean %s: %w", made, err)
	}
	if err := b.command(ctx, dir, nil, name, args...); err != nil {
		return err
	}
	if err := os.WriteFile(mark, []byte(key), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", mark, err)
	}
	return nil
}

// installedHere is the file in a build folder that tells what install made of
// what.
const installedHere = ".faas-lambda-installed"
