package images

import (
	"context"
	"fmt"
	"path/filepath"
)

// nodeVersion is the major version of Node that Node returns: the largest whose
// package with its base stays below what Lambda takes directly.
const nodeVersion = "20"

// Node returns the file of the program node as its project builds it for glibc,
// from the registry of npm.
func Node(ctx context.Context, arch string) (string, error) {
	if arch == "amd64" {
		arch = "x64"
	}
	return kept("node-"+nodeVersion+"-"+arch, func(dir string) (string, error) {
		if err := run(ctx, dir, "npm", "pack", "--silent", "node-linux-"+arch+"@"+nodeVersion); err != nil {
			return "", err
		}
		packed, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
		if err != nil || len(packed) != 1 {
			return "", fmt.Errorf("fetch node: %d packages", len(packed))
		}
		return filepath.Join(dir, "package/bin/node"), run(ctx, dir, "tar", "xzf", packed[0], "package/bin/node")
	})
}
