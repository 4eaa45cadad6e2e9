package images

import (
	"cmp"
	"context"
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// Base is what the functions of a language lie on in tests: Debian in the place
// of Amazon Linux, with the interpreter of the same shape of path.
type Base struct {
	packages []string // none: a static program on nothing
	node     bool
	path     string // empty means Debian's

	BuildArgs []string // of faas-lambda build
	Memory    string   // that a function needs; empty means the default
}

const debianPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Bases are the bases by the languages of integration/functions/matrix.
func Bases(arch string) map[string]Base {
	return map[string]Base{
		"go":     {packages: []string{"libc6", "zlib1g", "dash"}},
		"node":   {packages: []string{"libatomic1", "libstdc++6", "dash"}, node: true},
		"python": {packages: []string{"python3", "zlib1g", "dash", "libc-bin"}, BuildArgs: []string{"--build-arg", "PYTHON_VERSION=3.13"}},
		"rust":   {},
		"java":   {packages: []string{"openjdk-21-jre-headless", "dash", "libc-bin"}, path: "/usr/lib/jvm/java-21-openjdk-" + arch + "/bin:/usr/bin:/bin", Memory: "1Gi"},
		"ruby":   {packages: []string{"ruby", "ruby-bcrypt", "dash", "libc-bin"}},
	}
}

// Write makes the base as an OCI layout in dir. It returns the reference that
// `faas-lambda build --base` takes.
func (b Base) Write(ctx context.Context, arch, dir string) (string, error) {
	if len(b.packages) == 0 {
		return "scratch", nil
	}
	img, err := b.image(ctx, arch)
	if err != nil {
		return "", err
	}
	index, err := layout.Write(dir, empty.Index)
	if err != nil {
		return "", fmt.Errorf("write base: %w", err)
	}
	return "oci:" + dir, index.AppendImage(img)
}

func (b Base) image(ctx context.Context, arch string) (v1.Image, error) {
	root, err := Root(ctx, "trixie", arch, b.packages...)
	if err != nil {
		return nil, err
	}
	layer, err := Layer(root)
	if err != nil {
		return nil, err
	}
	img, err := fixture.Image(arch, v1.Config{Env: []string{"PATH=" + cmp.Or(b.path, debianPath)}, WorkingDir: "/var/task", Entrypoint: []string{"/lambda-entrypoint.sh"}})
	if err != nil {
		return nil, err
	}
	if img, err = mutate.AppendLayers(img, layer); err != nil || !b.node {
		return img, err
	}
	file, err := Node(ctx, arch)
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return fixture.Append(img, fixture.Layer{"usr/local/bin/node": fixture.Program(program)})
}
