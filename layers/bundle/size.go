package bundle

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
)

// shownDirs is how many of the largest directories a message names.
const shownDirs = 5

// tooLarge says by how much a package exceeds Lambda's limit and where its
// bytes are.
func tooLarge(tree *layers.Tree, size int64) error {
	return fmt.Errorf("%w: %d bytes unzipped, the limit is %d; the largest directories are %s",
		ErrTooLarge, size, int64(MaxUnzipped), strings.Join(largest(tree), ", "))
}

// largest names the largest directories, two levels deep at most, with their
// sizes.
func largest(tree *layers.Tree) []string {
	sizes := map[string]int64{}
	for e := range tree.All() {
		if e.Type == layers.File {
			sizes[top(e.Path)] += e.Size
		}
	}
	dirs := make([]string, 0, len(sizes))
	for d := range sizes {
		dirs = append(dirs, d)
	}
	slices.SortFunc(dirs, func(a, b string) int {
		return cmp.Or(cmp.Compare(sizes[b], sizes[a]), cmp.Compare(a, b))
	})
	dirs = dirs[:min(len(dirs), shownDirs)]
	for i, d := range dirs {
		dirs[i] = fmt.Sprintf("%s (%.1f MB)", d, float64(sizes[d])/1e6)
	}
	return dirs
}

// top returns the first two directories of a file's path.
func top(p string) string {
	parts := strings.Split(p, "/")
	return "/" + strings.Join(parts[:min(2, len(parts)-1)], "/")
}
