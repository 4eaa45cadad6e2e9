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
// image out of a registry on loopback.
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
	img, unpacked, err := largeImage(ctx)
	if err != nil {
		return err
	}
	ref, err := registry.Push(ctx, "bench/large:1", img)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nPackaging an image of %d MB unpacked from a registry on loopback, cold\n", unpacked>>20)

	zips := map[string]string{"ours": filepath.Join(dir, "ours.zip"), "theirs": filepath.Join(dir, "theirs.zip")}
	ours, err := measure(ctx, dir, "faas-lambda package", zips["ours"], []string{
		filepath.Join(bin, "faas-lambda"), "package", ref, "-o", zips["ours"]})
	if err != nil {
		return err
	}
	theirs, err := measure(ctx, dir, "skopeo copy + umoci unpack + zip -qry -6", zips["theirs"],
		[]string{"skopeo", "copy", "--quiet", "--src-tls-verify=false", "docker://" + ref, "oci:" + filepath.Join(dir, "oci") + ":1"},
		[]string{"umoci", "unpack", "--rootless", "--image", filepath.Join(dir, "oci") + ":1", filepath.Join(dir, "bundle")},
		[]string{"sh", "-c", "cd bundle/rootfs && zip -qry -6 " + zips["theirs"] + " ."})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%-42s %8s %8s %9s %9s\n", "", "time", "CPU", "peak RSS", "zip")
	for _, m := range []measured{ours, theirs} {
		fmt.Fprintf(out, "%-42s %7.2fs %7.2fs %6d MB %6d MB\n", m.name, m.elapsed.Seconds(), m.cpu.Seconds(), m.peak>>20, m.size>>20)
	}
	fmt.Fprintf(out, "%-42s %8.2f %8.2f %9.2f %9.2f\n", "ours / theirs", ratio(ours.elapsed, theirs.elapsed), ratio(ours.cpu, theirs.cpu),
		float64(ours.peak)/float64(theirs.peak), float64(ours.size)/float64(theirs.size))
	return nil
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

// measure runs the commands in dir, with a temporary and cache directory of
// their own, and adds up what they used.
func measure(ctx context.Context, dir, name, zip string, commands ...[]string) (measured, error) {
	m := measured{name: name}
	scratch, err := os.MkdirTemp(dir, "scratch-")
	if err != nil {
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

// largeImage is a function image over a base of at least 200 MB of real files:
// the Go distribution's, programs and text as in any image.
func largeImage(ctx context.Context) (v1.Image, int64, error) {
	root, err := fixture.Root()
	if err != nil {
		return nil, 0, err
	}
	web, err := fixture.Build(ctx, filepath.Join(root, "integration", "functions", "web"), ".", runtime.GOARCH)
	if err != nil {
		return nil, 0, err
	}
	img, err := fixture.Middleware(runtime.GOARCH, web, web)
	if err != nil {
		return nil, 0, err
	}
	goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, 0, fmt.Errorf("go env GOROOT: %w", err)
	}
	unpacked := int64(0)
	for _, part := range []string{"src", "pkg", "bin"} {
		var layer bytes.Buffer
		n, err := tarTree(&layer, filepath.Join(strings.TrimSpace(string(goroot)), part), "usr/local/go/"+part, (240<<20)-unpacked)
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
