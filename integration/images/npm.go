package images

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// nodeVersion is the major version of Node that Node returns: the largest whose
// package with its base stays below what Lambda takes directly.
const nodeVersion = "20"

// Node returns the file of the program node as its project builds it for glibc,
// from the registry of npm.
func Node(ctx context.Context, arch string) (string, error) { return NodeOf(ctx, nodeVersion, arch) }

// NodeOf returns it of a major version.
func NodeOf(ctx context.Context, version, arch string) (string, error) {
	if arch == "amd64" {
		arch = "x64"
	}
	return kept("node-"+version+"-"+arch, func(dir string) (string, error) {
		if err := run(ctx, dir, "npm", "pack", "--silent", "node-linux-"+arch+"@"+version); err != nil {
			return "", err
		}
		packed, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
		if err != nil || len(packed) != 1 {
			return "", fmt.Errorf("fetch node: %d packages", len(packed))
		}
		return filepath.Join(dir, "package/bin/node"), run(ctx, dir, "tar", "xzf", packed[0], "package/bin/node")
	})
}

// File returns the one file of a package of Debian.
func File(ctx context.Context, suite, arch, pkg, path string) (string, error) {
	return kept(fmt.Sprintf("%s-%s-%s-%s", suite, arch, pkg, filepath.Base(path)), func(dir string) (string, error) {
		a, err := openArchive(ctx, filepath.Join(dir, "apt"), suite, arch)
		if err != nil {
			return "", err
		}
		debs, err := a.fetch(ctx, []string{pkg})
		if err != nil {
			return "", err
		}
		for _, deb := range debs {
			if strings.HasPrefix(filepath.Base(deb), pkg+"_") {
				err = run(ctx, dir, "sh", "-c", "dpkg-deb --fsys-tarfile \"$0\" | tar x ./\"$1\"", deb, path)
			}
		}
		return filepath.Join(dir, path), err
	})
}
