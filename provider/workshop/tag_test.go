package workshop

import (
	"crypto/md5"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repository is a git repository with one commit, on a branch, in which the test
// works.
func repository(t *testing.T, branch string) (sha string) {
	t.Helper()
	dir := writeAll(t, map[string]string{"hello/handler.go": "package function\n"})
	t.Chdir(dir)
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	runGit(t, "init", "--quiet", "--initial-branch", branch)
	runGit(t, "add", ".")
	runGit(t, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "One")
	return runGit(t, "rev-parse", "--short", "HEAD")
}

func runGit(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func hexMD5(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// TestTags has the names that faas-cli gives, by its own schema/image_test.go.
func TestTags(t *testing.T) {
	sha := repository(t, "main")
	digest := hexMD5(hexMD5("package function\n"))
	for _, c := range []struct {
		image string
		by    Tagging
		want  string
	}{
		{"img", "", "img"},
		{"img", TagLatest, "img:latest"},
		{"img:1", TagLatest, "img:1"},
		{"registry:8080/honk/img", TagLatest, "registry:8080/honk/img:latest"},
		{"img", TagSHA, "img:latest-" + sha},
		{"registry:5000/honk/img:0.2", TagSHA, "registry:5000/honk/img:0.2-" + sha},
		{"registry:80/honk/img", TagBranch, "registry:80/honk/img:latest-main-" + sha},
		{"img:1", TagDescribe, "img:1-" + sha},
		{"localhost:5001/pydict:latest", TagDigest, "localhost:5001/pydict:" + digest},
		{"img", TagDigest, "img:" + digest},
	} {
		if got, err := c.by.Image(t.Context(), c.image, "hello"); err != nil || got != c.want {
			t.Errorf("%s by %q: %q, %v, want %q", c.image, c.by, got, err, c.want)
		}
	}
	runGit(t, "tag", "v1.2")
	if err := os.WriteFile("hello/handler.go", []byte("package changed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for by, want := range map[Tagging]string{ // what is not committed counts for the digest alone
		TagSHA: "img:latest-" + sha, TagDescribe: "img:latest-v1.2", TagDigest: "img:" + hexMD5(hexMD5("package changed\n")),
	} {
		if got, err := by.Image(t.Context(), "img", "hello"); err != nil || got != want {
			t.Errorf("changed, by %s: %q, %v, want %q", by, got, err, want)
		}
	}
	runGit(t, "checkout", "--quiet", "--detach")
	if got, err := TagBranch.Image(t.Context(), "img", "hello"); err != nil || got != "img:latest-HEAD-"+sha {
		t.Errorf("on no branch: %q, %v", got, err)
	}
}

// TestDigestGoesByPaths: faas-cli sorts whole paths, in which a.txt is before a/b.
func TestDigestGoesByPaths(t *testing.T) {
	dir := writeAll(t, map[string]string{"a/b": "1", "a.txt": "2", "z": "3"})
	if err := os.Symlink("z", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	want := hexMD5(hexMD5("2") + hexMD5("1") + hexMD5("3"))
	if got, err := digestOf(dir); err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}

func TestTagsRefused(t *testing.T) {
	repository(t, "feature/x")
	empty, none := t.TempDir(), t.TempDir()
	for name, c := range map[string]struct {
		image, handler, dir string
		by                  Tagging
		says                string
	}{
		"branch with a slash": {image: "img", by: TagBranch, says: "img:latest-feature/x-"},
		"image by digest":     {image: "img@sha256:" + strings.Repeat("a", 64), by: TagSHA, says: "it has a digest"},
		"image on disk":       {image: "oci:build/oci/hello", by: TagSHA, says: "is no name of an image"},
		"no repository":       {image: "img", dir: none, by: TagSHA, says: "not a git repository"},
		"no files":            {image: "img", handler: empty, by: TagDigest, says: "there is no file in it"},
		"no handler":          {image: "img", handler: filepath.Join(empty, "x"), by: TagDigest, says: "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.dir != "" {
				t.Chdir(c.dir)
				t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(c.dir))
			}
			got, err := c.by.Image(t.Context(), c.image, c.handler)
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "tag image "+c.image) {
				t.Errorf("%q, %v, want %q", got, err, c.says)
			}
		})
	}
	if _, err := ParseTagging("commit"); err == nil || !strings.Contains(err.Error(), "--tag commit") {
		t.Errorf("unknown: %v", err)
	}
	for value, want := range map[string]Tagging{"": "", "default": TagLatest, "SHA": TagSHA, "digest": TagDigest} {
		if got, err := ParseTagging(value); err != nil || got != want {
			t.Errorf("%q: %q, %v", value, got, err)
		}
	}
}
