package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// measured is one way: the commands one after the other.
type measured struct {
	name    string
	elapsed time.Duration
	cpu     time.Duration
	peak    int64 // largest resident set of any of the commands, bytes
	size    int64 // of the zip, bytes
}

// packaging compares `faas-lambda package` with skopeo, umoci and zip on one
// image out of a registry on loopback: cold, and with only the top layer changed.
// Then it looks at the memory that a larger image takes.
func packaging(ctx context.Context, bin string, out io.Writer) error {
	dir, err := os.MkdirTemp("", "faas-lambda-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	registry, err := fixture.StartRegistry()
	if err != nil {
		return err
	}
	defer registry.Close()
	refs, unpacked, err := pushImages(ctx, registry, filepath.Join(bin, "fwatchdog"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nPackaging an image of %d MB unpacked from a registry on loopback\n", unpacked>>20)
	ours := func(name, ref, cache string) (measured, error) {
		zip := filepath.Join(dir, "ours.zip")
		return measure(ctx, dir, cache, name, zip, []string{filepath.Join(bin, "faas-lambda"), "package", ref, "-o", zip})
	}
	cold, err := ours("faas-lambda package, cold", refs["first"], "warm")
	if err != nil {
		return err
	}
	changed, err := ours("faas-lambda package, top layer changed", refs["changed"], "warm")
	if err != nil {
		return err
	}
	large, err := ours("faas-lambda package, 800 MB image, cold", refs["large"], "large")
	if err != nil {
		return err
	}
	zip := filepath.Join(dir, "theirs.zip")
	theirs, err := measure(ctx, dir, "theirs", "skopeo copy + umoci unpack + zip -qry -6", zip,
		[]string{"skopeo", "copy", "--quiet", "--src-tls-verify=false", "docker://" + refs["first"], "oci:" + filepath.Join(dir, "oci") + ":1"},
		[]string{"umoci", "unpack", "--rootless", "--image", filepath.Join(dir, "oci") + ":1", filepath.Join(dir, "bundle")},
		[]string{"sh", "-c", "cd bundle/rootfs && zip -qry -6 " + zip + " ."})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%-42s %8s %8s %9s %9s\n", "", "time", "CPU", "peak RSS", "zip")
	for _, m := range []measured{cold, changed, large, theirs} {
		fmt.Fprintf(out, "%-42s %7.2fs %7.2fs %6d MB %6.1f MB\n", m.name, m.elapsed.Seconds(), m.cpu.Seconds(), m.peak>>20, float64(m.size)/1e6)
	}
	for _, m := range []measured{cold, changed} {
		fmt.Fprintf(out, "%-42s %8.4f %8.4f %9.2f %9.3f   1/%.1f of the time\n", strings.TrimPrefix(m.name, "faas-lambda package, ")+" / theirs", ratio(m.elapsed, theirs.elapsed), ratio(m.cpu, theirs.cpu),
			float64(m.peak)/float64(theirs.peak), float64(m.size)/float64(theirs.size), 1/ratio(m.elapsed, theirs.elapsed))
	}
	fmt.Fprintf(out, "%-42s %8s %8s %9.2f\n", "800 MB / 200 MB", "", "", float64(large.peak)/float64(cold.peak))
	return nil
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

// measure runs the commands in dir, with a temporary and cache directory of
// that name, and adds up what they used.
func measure(ctx context.Context, dir, cache, name, zip string, commands ...[]string) (measured, error) {
	m := measured{name: name}
	scratch := filepath.Join(dir, "scratch-"+cache)
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return m, err
	}
	for _, args := range commands {
		u, err := runMeasured(ctx, dir, []string{"TMPDIR=" + scratch, "XDG_CACHE_HOME=" + scratch}, args)
		if err != nil {
			return m, err
		}
		m.elapsed += u.Elapsed
		m.cpu += u.CPU
		m.peak = max(m.peak, u.Peak)
	}
	info, err := os.Stat(zip)
	if err != nil {
		return m, err
	}
	m.size = info.Size()
	return m, nil
}

// pushImages pushes a function image, with the watchdog as templates have it,
// over a base of at least 200 MB of real
// files, the Go distribution's: programs and text as in any image. "changed" has
// another top layer, and "large" 600 MB more in lower layers, which its top
// layer removes again, so that it still fits into a package.
func pushImages(ctx context.Context, registry *fixture.Registry, watchdog string) (refs map[string]string, unpacked int64, err error) {
	root, err := fixture.Root()
	if err != nil {
		return nil, 0, err
	}
	web, err := fixture.Build(ctx, filepath.Join(root, "integration", "functions", "web"), ".", runtime.GOARCH)
	if err != nil {
		return nil, 0, err
	}
	fwatchdog, err := os.ReadFile(watchdog)
	if err != nil {
		return nil, 0, fmt.Errorf("read the watchdog, which make build builds: %w", err)
	}
	base, err := fixture.Middleware(runtime.GOARCH, web, fwatchdog)
	if err != nil {
		return nil, 0, err
	}
	base, unpacked, err = distribution(ctx, base, "usr/local/go")
	if err != nil {
		return nil, 0, err
	}
	large := base
	whiteouts := fixture.Layer{}
	for _, copy := range []string{"a", "b", "c"} {
		if large, _, err = distribution(ctx, large, "opt/"+copy); err != nil {
			return nil, 0, err
		}
		whiteouts["opt/.wh."+copy] = fixture.Text("")
	}
	refs = map[string]string{}
	for name, top := range map[string]struct {
		base  v1.Image
		layer fixture.Layer
	}{
		"first":   {base, fixture.Layer{"home/app/message": fixture.Text("first")}},
		"changed": {base, fixture.Layer{"home/app/message": fixture.Text("second")}},
		"large":   {large, whiteouts},
	} {
		img, err := fixture.Append(top.base, top.layer)
		if err != nil {
			return nil, 0, err
		}
		if refs[name], err = registry.Push(ctx, "bench/"+name+":1", img); err != nil {
			return nil, 0, err
		}
	}
	return refs, unpacked, nil
}

// distribution appends the files of the Go distribution below prefix, in three
// layers.
func distribution(ctx context.Context, img v1.Image, prefix string) (v1.Image, int64, error) {
	goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, 0, fmt.Errorf("go env GOROOT: %w", err)
	}
	unpacked := int64(0)
	for _, part := range []string{"src", "pkg", "bin"} {
		var layer bytes.Buffer
		n, err := tarTree(&layer, filepath.Join(strings.TrimSpace(string(goroot)), part), prefix+"/"+part, (240<<20)-unpacked)
		if err != nil {
			return nil, 0, err
		}
		unpacked += n
		l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
		if err != nil {
			return nil, 0, err
		}
		if img, err = mutate.AppendLayers(img, l); err != nil {
			return nil, 0, err
		}
	}
	if unpacked < 200<<20 {
		return nil, 0, fmt.Errorf("the Go distribution has only %d MB of files", unpacked>>20)
	}
	return img, unpacked, nil
}

// tarTree writes the regular files below dir to w as an archive below prefix,
// limit bytes at most, and returns how many bytes of content it wrote.
func tarTree(w io.Writer, dir, prefix string, limit int64) (int64, error) {
	archive := tar.NewWriter(w)
	total := int64(0)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || total+int64(len(data)) > limit {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		total += int64(len(data))
		if err := archive.WriteHeader(&tar.Header{Name: prefix + "/" + rel, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err = archive.Write(data)
		return err
	})
	return total, errors.Join(err, archive.Close())
}
