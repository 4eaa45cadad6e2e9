// Package images builds the images that tests of relocation run: real Debian
// roots, for any processor, without Docker, without root, running nothing of
// what is installed. apt resolves, fetches and verifies the packages; they are
// unpacked, and the few things that their scripts would have made are made here.
package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// defaultMirror is where packages come from when apt's configuration names no
// archive of Debian.
const defaultMirror = "http://deb.debian.org/debian"

// keyring is what Debian's archives are signed with; it holds the keys of the
// next release too.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// archive is one release of Debian for one processor, with apt state of its own.
type archive struct{ dir, suite, arch string }

// openArchive prepares apt's state in dir and fetches the lists of packages.
func openArchive(ctx context.Context, dir, suite, arch string) (*archive, error) {
	a := &archive{dir: dir, suite: suite, arch: arch}
	for _, d := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, fmt.Errorf("open archive %s: %w", suite, err)
		}
	}
	source := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, mirror(ctx), suite)
	err := errors.Join(
		os.WriteFile(filepath.Join(dir, "etc/apt/sources.list"), []byte(source), 0o600),
		os.WriteFile(filepath.Join(dir, "var/lib/dpkg/status"), nil, 0o600),
	)
	if err != nil {
		return nil, fmt.Errorf("open archive %s: %w", suite, err)
	}
	return a, a.apt(ctx, "", "update")
}

// fetch downloads packages and all that they depend on, and returns the files.
func (a *archive) fetch(ctx context.Context, packages []string) ([]string, error) {
	if err := a.apt(ctx, "", append([]string{"install", "--download-only", "-y"}, packages...)...); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(a.dir, "var/cache/apt/archives/*.deb"))
	slices.Sort(files)
	return files, err
}

// apt runs apt-get in dir, with this archive alone as its world.
func (a *archive) apt(ctx context.Context, dir string, args ...string) error {
	options := []string{
		"-qq", "-o", "Dir=" + a.dir, "-o", "Dir::State::status=" + filepath.Join(a.dir, "var/lib/dpkg/status"),
		"-o", "APT::Architecture=" + a.arch, "-o", "APT::Architectures::=" + a.arch,
		"-o", "APT::Install-Recommends=0", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none", "-o", "Acquire::Retries=3",
		"-o", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false", "-o", "Debug::NoLocking=1",
	}
	cmd := exec.CommandContext(ctx, "apt-get", append(options, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get %s for %s %s: %w\n%s", strings.Join(args, " "), a.suite, a.arch, err, out)
	}
	return nil
}

// mirror returns the archive of Debian that this machine's apt uses.
func mirror(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI)").Output()
	if err != nil {
		return defaultMirror
	}
	for uri := range strings.Lines(string(out)) {
		if uri = strings.TrimSuffix(strings.TrimSpace(uri), "/"); strings.HasSuffix(uri, "/debian") {
			return uri
		}
	}
	return defaultMirror
}
