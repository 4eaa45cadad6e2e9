package integration

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// TestPeerFaasCLITags: what `faas-lambda build --tag` made is what the real
// `faas-cli deploy --tag` asks for. `make test-peers` runs it.
func TestPeerFaasCLITags(t *testing.T) {
	peers := os.Getenv("PEERS")
	if peers == "" {
		t.Log("PEERS is not set: the tests of workshop have the same names")
		return
	}
	asked := make(chan string, 1)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var d types.FunctionDeployment
		if json.NewDecoder(r.Body).Decode(&d) == nil && d.Image != "" {
			asked <- d.Image
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(gateway.Close)
	dir := tagged(t)
	run := func(program string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+t.TempDir(), "NO_PROXY=127.0.0.1")
		if strings.HasSuffix(program, "faas-lambda") {
			cmd.Env = os.Environ()
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	for _, function := range []string{"plain", "with-tag"} {
		for _, tag := range []string{"latest", "sha", "branch", "describe", "digest"} {
			built := run(filepath.Join(programs, "faas-lambda"), "build", "--filter", function, "--tag", tag)
			run(filepath.Join(peers, "faas-cli"), "deploy", "--filter", function, "--tag", tag, "--gateway", gateway.URL)
			if image := <-asked; !strings.Contains(built, ", "+image+" in ") {
				t.Errorf("%s by %s: deploy asks for %s:\n%s", function, tag, image, built)
			}
		}
	}
}

// tagged is a repository of git with functions, whose last commit is not tagged
// and not all that is there.
func tagged(t *testing.T) string {
	t.Helper()
	root, err := fixture.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	const stack = "version: 1.0\nprovider: {name: openfaas}\nfunctions:\n" +
		"  plain: {lang: go-lambda, handler: ./hello, image: \"registry.example.com:5000/team/hello\"}\n  with-tag: {lang: go-lambda, handler: ./hello/, image: \"hello:0.1\"}\n"
	err = errors.Join(
		os.CopyFS(filepath.Join(dir, "hello"), os.DirFS(filepath.Join(root, "templates/template/go-lambda/function"))),
		os.Symlink(filepath.Join(root, "templates/template"), filepath.Join(dir, "template")),
		os.WriteFile(filepath.Join(dir, "stack.yaml"), []byte(stack), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	tool(t, dir, "git", "init", "--quiet", "--initial-branch", "trunk")
	commit := []string{"-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "--allow-empty", "-m", "One"}
	tool(t, dir, "git", "add", "hello", "stack.yaml")
	tool(t, dir, "git", commit...)
	tool(t, dir, "git", "tag", "v1.2")
	tool(t, dir, "git", commit...)
	err = errors.Join(os.Mkdir(filepath.Join(dir, "hello", "a"), 0o755), os.WriteFile(filepath.Join(dir, "hello", "a", "b.txt"), []byte("new"), 0o600),
		os.WriteFile(filepath.Join(dir, "hello", "a.txt"), []byte("new too"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
