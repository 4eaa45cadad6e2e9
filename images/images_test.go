package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// programs is a folder of programs for both processors: fwatchdog, and this
// program in the place of faas-lambda, which takes minutes to compile and has
// modules too.
var programs string

func TestMain(m *testing.M) {
	code, err := compileAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func compileAndRun(m *testing.M) (code int, err error) {
	if programs, err = os.MkdirTemp("", "faas-lambda-images-"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(programs)) }()
	for _, arch := range []string{"amd64", "arm64"} {
		for program, pkg := range map[string]string{"fwatchdog": "../watchdog/fwatchdog", "faas-lambda": "."} {
			cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", filepath.Join(programs, "linux-"+arch, program), pkg)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
			if out, err := cmd.CombinedOutput(); err != nil {
				return 0, fmt.Errorf("go build %s: %w: %s", pkg, err, out)
			}
		}
	}
	return m.Run(), nil
}

// makeImages makes both images with the command, and returns what it prints.
func makeImages(t *testing.T, out string, more ...string) string {
	t.Helper()
	var printed bytes.Buffer
	args := append([]string{"-programs", programs, "-out", out, "-version", "1.2.3", "-revision", "0123abc", "-created", "1700000000"}, more...)
	if err := run(t.Context(), args, &printed); err != nil {
		t.Fatal(err)
	}
	return printed.String()
}

func TestTheSameProgramsGiveTheSameBytes(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	makeImages(t, first)
	makeImages(t, second)
	makeImages(t, second) // over what is there
	if diff := cmp.Diff(content(t, first), content(t, second)); diff != "" {
		t.Error(diff)
	}
	checkImage(t, filepath.Join(first, "faas-lambda"))
}

// content is every file below a folder.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		out[path] = string(data)
		return err
	})
	if err != nil || len(out) < 10 {
		t.Fatalf("%d files, %v", len(out), err)
	}
	return out
}

func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true)))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	dir := t.TempDir()
	printed := makeImages(t, dir, "-push", host+"/prefix")
	ref, err := name.ParseReference(host + "/prefix/faas-lambda:1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil || !strings.Contains(printed, ref.Context().Digest(digest.String()).String()) {
		t.Errorf("%v, printed\n%s", err, printed)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, platform := range manifest.Manifests {
		referrers, err := remote.Referrers(ref.Context().Digest(platform.Digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		if list, err := referrers.IndexManifest(); err != nil || len(list.Manifests) != 1 || list.Manifests[0].ArtifactType != bomType {
			t.Errorf("%v refer to %s, %v", list, platform.Platform, err)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	full := t.TempDir()
	if err := os.MkdirAll(filepath.Join(full, "faas-lambda", "mine"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{`version "a b" cannot be a tag`, []string{"-version", "a b", "-programs", programs, "-out", t.TempDir()}},
		{"is no OCI layout", []string{"-programs", programs, "-out", full}},
		{"no such file", []string{"-programs", t.TempDir(), "-out", t.TempDir()}},
		{"linux-riscv64", []string{"-arch", "riscv64", "-programs", programs, "-out", t.TempDir()}},
		{`"more" is no flag`, []string{"more"}},
	} {
		if err := run(t.Context(), c.args, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %s", c.args, err, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(full, "faas-lambda", "mine")); err != nil {
		t.Error(err)
	}
}

// TestRootForADockerfile: what a Dockerfile copies is what the image has.
func TestRootForADockerfile(t *testing.T) {
	dir := t.TempDir()
	if err := run(t.Context(), []string{"-root", dir}, io.Discard); err != nil {
		t.Fatal(err)
	}
	files, err := providerFiles()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := os.Stat(filepath.Join(dir, f.name))
		if err != nil || info.IsDir() != f.isDir() || info.Mode().Perm() != fs.FileMode(f.mode&0o777) || info.Mode()&fs.ModeSticky != f.fileMode()&fs.ModeSticky {
			t.Errorf("%s: %v, %v", f.name, info, err)
		}
	}
}

// TestTheDockerfileSaysTheSame: what the Dockerfile's last stage declares is what
// the recipe does.
func TestTheDockerfileSaysTheSame(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	stages := strings.Split(string(data), "\nFROM scratch")
	last, quoted := stages[len(stages)-1], func(words []string) string { return `["` + strings.Join(words, `", "`) + `"]` }
	for _, line := range []string{
		"ENV " + strings.Join(provider.config.Env, " "), "USER " + provider.config.User, "EXPOSE 8080",
		"ENTRYPOINT " + quoted(provider.config.Entrypoint), "CMD " + quoted(provider.config.Cmd),
	} {
		if !strings.Contains(last, "\n"+line+"\n") {
			t.Errorf("the Dockerfile does not say %q", line)
		}
	}
	if _, ok := provider.config.ExposedPorts["8080/tcp"]; !ok || len(provider.config.ExposedPorts) != 1 {
		t.Errorf("ports %v", provider.config.ExposedPorts)
	}
	o := order{version: "${VERSION}", revision: "${SHA}"}
	for stage, of := range map[string]recipe{stages[1]: fwatchdog, last: provider} {
		for key, value := range o.annotations(of) {
			left := key == "org.opencontainers.image.created" || key == "org.opencontainers.image.description" // the engine says the one, and nobody the other
			if !left && !strings.Contains(stage, fmt.Sprintf("%s=%q", key, value)) {
				t.Errorf("the Dockerfile does not say %s=%q of %s", key, value, of.name)
			}
		}
	}
	if want := "ENTRYPOINT " + quoted(fwatchdog.config.Entrypoint); !strings.Contains(stages[1], want) {
		t.Errorf("the Dockerfile does not say %q of fwatchdog", want)
	}
}
