package sandbox

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// imageRoot makes the root of a small image that has the test runtime as /bin/entry, and a busybox of nothing else.
func imageRoot(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"dev", "proc", "tmp", "etc", "bin", "work"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]string{"etc/hosts": "", "etc/hostname": "", "etc/resolv.conf": "", "etc/os-release": "ID=image\n", "work/here": "yes"}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in, err := os.Open(filepath.Join(taskDir, "bootstrap"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(root, "bin/entry"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close(), os.Chmod(root, 0o755)); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestImage(t *testing.T) {
	h := openHost(t)
	image := &Image{
		Root: imageRoot(t), Args: []string{"entry", "one", "two"}, Dir: "/work", Env: []string{"PATH=/usr/bin:/bin", "MINE=1", "BOTH=image", "AWS_REGION=x"},
	}
	s := bootSandbox(t, h, Spec{Image: image, Function: Function{Region: "r", Variables: map[string]string{"BOTH": "function"}}})
	for _, test := range []struct{ name, payload, want string }{
		{"its own files", `{"Do":"read","Text":"/etc/os-release"}`, "ID=image\n"},
		{"working directory", `{"Do":"read","Text":"here"}`, "yes"},
		{"host name", `{"Do":"read","Text":"/etc/hosts"}`, etcFiles["hosts"]},
		{"arguments", `{"Do":"read","Text":"/proc/self/cmdline"}`, "entry\x00one\x00two\x00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := mustInvoke(t, s, test.payload); got != test.want {
				t.Errorf("answer = %q, want %q", got, test.want)
			}
		})
	}
	env := mustInvoke(t, s, `{"Do":"env"}`)
	for _, want := range []string{`"MINE=1"`, `"BOTH=function"`, `"AWS_REGION=r"`, `"PATH=/usr/bin:/bin"`} {
		if !strings.Contains(env, want) {
			t.Errorf("environment has no %s: %s", want, env)
		}
	}
	if strings.Contains(env, "LD_LIBRARY_PATH") {
		t.Error("a loader path that is not the image's")
	}
}

func TestImageThatCannotStart(t *testing.T) {
	h := openHost(t)
	root := imageRoot(t)
	for _, test := range []struct {
		name  string
		image Image
		kind  FailureKind
		entry string
	}{
		{"not in PATH", Image{Args: []string{"nothing"}, Env: []string{"PATH=/bin"}}, NoEntry, `exec: "nothing": executable file not found in $PATH`},
		{"no such file", Image{Args: []string{"/nothing"}}, NoEntry, "fork/exec /nothing: no such file or directory"},
		{"no program", Image{Args: []string{"/etc/os-release"}}, NoEntry, "fork/exec /etc/os-release: permission denied"},
		{"no working directory", Image{Args: []string{"/bin/entry"}, Dir: "/nowhere"}, NoDir, "chdir /nowhere: no such working directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.image.Root = root
			s := startSandbox(t, h, Spec{Image: &test.image})
			_, err := s.Boot(t.Context())
			var failure *Failure
			if !errors.As(err, &failure) || failure.Kind != test.kind || failure.Entry != test.entry {
				t.Errorf("error = %v", err)
			}
		})
	}
}
