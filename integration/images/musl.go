package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// applets are what the busybox of Busybox can do.
var applets = []string{
	"ASH", "ASH_ECHO", "ASH_PRINTF", "ASH_TEST", "SHELL_ASH", "SH_IS_ASH", "LFS",
	"AWK", "CAT", "ECHO", "ENV", "GREP", "SED", "SORT", "TR", "WC",
}

// Busybox returns the file of a busybox that is dynamically linked with musl, as
// Alpine's is, for this machine's processor. It is built from Debian's source
// once; gcc, make and bzip2 must be there.
func Busybox(ctx context.Context, suite string) (string, error) {
	return kept("busybox-"+suite+"-"+runtime.GOARCH, func(dir string) (string, error) {
		a, err := openArchive(ctx, filepath.Join(dir, "apt"), suite, runtime.GOARCH)
		if err != nil {
			return "", err
		}
		if err := a.addSources(ctx); err != nil {
			return "", err
		}
		debs, err := a.fetch(ctx, []string{"musl-dev", "linux-libc-dev"})
		if err != nil {
			return "", err
		}
		root := filepath.Join(dir, "root")
		for _, deb := range debs {
			if err := run(ctx, dir, "dpkg-deb", "-x", deb, root); err != nil {
				return "", err
			}
		}
		if err := a.source(ctx, dir, "busybox"); err != nil {
			return "", err
		}
		return buildBusybox(ctx, dir, root)
	})
}

// buildBusybox compiles the source that lies in dir with the musl of root.
func buildBusybox(ctx context.Context, dir, root string) (string, error) {
	tars, err := filepath.Glob(filepath.Join(dir, "busybox_*.orig.tar.bz2"))
	if err != nil || len(tars) != 1 {
		return "", fmt.Errorf("build busybox: %d sources found", len(tars))
	}
	if err := run(ctx, dir, "tar", "xjf", tars[0]); err != nil {
		return "", err
	}
	src, err := filepath.Glob(filepath.Join(dir, "busybox-*"))
	if err != nil || len(src) != 1 {
		return "", fmt.Errorf("build busybox: %d source trees found", len(src))
	}
	specs, err := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-musl/musl-gcc.specs"))
	if err != nil || len(specs) != 1 {
		return "", fmt.Errorf("build busybox: musl has no musl-gcc.specs")
	}
	text, err := os.ReadFile(specs[0])
	if err != nil {
		return "", err
	}
	moved := filepath.Join(dir, "musl.specs")
	include := filepath.Join(dir, "include")
	err = errors.Join(
		os.WriteFile(moved, []byte(strings.NewReplacer("/usr/lib/", root+"/usr/lib/", "/usr/include/", root+"/usr/include/").Replace(string(text))), 0o600),
		os.Mkdir(include, 0o755),
		os.Symlink(filepath.Join(root, "usr/include/linux"), filepath.Join(include, "linux")),
		os.Symlink(filepath.Join(root, "usr/include/asm-generic"), filepath.Join(include, "asm-generic")),
		run(ctx, src[0], "make", "allnoconfig"),
		configure(filepath.Join(src[0], ".config")),
		run(ctx, src[0], "sh", "-c", "yes '' | make oldconfig"),
		run(ctx, src[0], "make", "-j2", "SKIP_STRIP=y", "CC=gcc -specs="+moved+" -idirafter "+include, "busybox"),
	)
	return filepath.Join(src[0], "busybox"), err
}

// configure switches the applets on.
func configure(config string) error {
	text, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	lines := string(text)
	for _, a := range applets {
		lines = strings.Replace(lines, "# CONFIG_"+a+" is not set\n", "CONFIG_"+a+"=y\n", 1)
	}
	return os.WriteFile(config, []byte(lines), 0o600)
}

// addSources lets the archive serve sources too.
func (a *archive) addSources(ctx context.Context) error {
	list := filepath.Join(a.dir, "etc/apt/sources.list")
	text, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	text = append(text, strings.Replace(string(text), "deb ", "deb-src ", 1)...)
	if err := os.WriteFile(list, text, 0o600); err != nil {
		return err
	}
	return a.apt(ctx, "", "update")
}

// source downloads the source of a package into dir.
func (a *archive) source(ctx context.Context, dir, name string) error {
	return a.apt(ctx, dir, "source", "--download-only", name)
}

func run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out[max(0, len(out)-2000):])
	}
	return nil
}
