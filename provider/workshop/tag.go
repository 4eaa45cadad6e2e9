package workshop

import (
	"context"
	"crypto/md5" // as faas-cli has it: it protects nothing
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// Tagging is how the tag of a function's image says what it was built from: the
// values of faas-cli's --tag (github.com/openfaas/faas-cli, schema/image.go).
// Empty leaves the image as the stack file has it.
type Tagging string

// Taggings. A tag that an image has stays in front, latest where it has none,
// but for TagDigest.
const (
	TagLatest   Tagging = "latest"   // NAME:latest
	TagSHA      Tagging = "sha"      // NAME:latest-SHA, of the commit
	TagBranch   Tagging = "branch"   // NAME:latest-BRANCH-SHA
	TagDescribe Tagging = "describe" // NAME:latest-DESCRIBED, by git describe
	TagDigest   Tagging = "digest"   // NAME:DIGEST, of the handler's files
)

// ParseTagging reads a value of --tag, in capitals or not. Empty stays empty.
func ParseTagging(s string) (Tagging, error) {
	switch t := Tagging(strings.ToLower(s)); t {
	case "default":
		return TagLatest, nil
	case "", TagLatest, TagSHA, TagBranch, TagDescribe, TagDigest:
		return t, nil
	}
	return "", fmt.Errorf("--tag %s: want latest, sha, branch, describe or digest", s)
}

// Image returns the name that `faas-cli push` and `faas-cli deploy` have, with
// the same tagging and working directory, for the image of a function whose code
// is in the folder handler. Git is asked about the working directory, as faas-cli
// does, and what is not committed does not count.
func (t Tagging) Image(ctx context.Context, image, handler string) (string, error) {
	if t == "" {
		return image, nil
	}
	tagged, err := t.image(ctx, image, handler)
	if err != nil {
		return "", fmt.Errorf("tag image %s by %s: %w", image, t, err)
	}
	return tagged, nil
}

func (t Tagging) image(ctx context.Context, image, handler string) (string, error) {
	if strings.Contains(image, "@") {
		return "", errors.New("it has a digest, and a tag beside it says nothing")
	}
	if last := image[strings.LastIndexByte(image, '/')+1:]; !strings.Contains(last, ":") {
		image += ":latest"
	}
	tagged := image
	if t == TagDigest {
		sum, err := digestOf(handler)
		if err != nil {
			return "", err
		}
		tagged = image[:strings.LastIndexByte(image, ':')+1] + sum
	}
	for _, args := range gitArgs[t] {
		said, err := git(ctx, args...)
		if err != nil {
			return "", err
		}
		tagged += "-" + said
	}
	if _, err := name.NewTag(strings.TrimPrefix(tagged, "docker://")); err != nil {
		return "", fmt.Errorf("%s is no name of an image: %w", tagged, err)
	}
	return tagged, nil
}

// gitArgs are what git is asked for the parts of a tag (faas-cli's
// versioncontrol/git.go).
var gitArgs = map[Tagging][][]string{
	TagSHA:      {gitSHA},
	TagBranch:   {{"rev-parse", "--symbolic-full-name", "--abbrev-ref", "HEAD"}, gitSHA},
	TagDescribe: {{"describe", "--tags", "--always"}},
}

var gitSHA = []string{"rev-parse", "--short", "HEAD"}

func git(ctx context.Context, args ...string) (string, error) {
	path, err := lookUp("git")
	if err != nil {
		return "", err
	}
	out, err := newCommand(ctx, path, args...).CombinedOutput()
	said := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, said)
	}
	return said, nil
}

// digestOf is faas-cli's digest of a folder (its builder/build.go): MD5 of the
// hexadecimal MD5s of the regular files, one after the other by their paths.
// Names and links do not count.
func digestOf(dir string) (string, error) {
	sums := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			sums[path], err = sumOf(path)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read handler: %w", err)
	}
	if len(sums) == 0 {
		return "", fmt.Errorf("read handler %s: there is no file in it", dir)
	}
	all := md5.New()
	for _, path := range slices.Sorted(maps.Keys(sums)) {
		_, _ = io.WriteString(all, sums[path]) // a hash takes everything
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := md5.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
