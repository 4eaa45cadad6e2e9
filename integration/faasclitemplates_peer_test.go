package integration

import (
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// handlers are the files that `faas-cli new` gives to whoever writes a function.
var handlers = map[string]string{
	"go-lambda":     "handler.go",
	"java-lambda":   "src/main/java/com/openfaas/function/Handler.java",
	"node-lambda":   "handler.js",
	"python-lambda": "handler.py",
	"ruby-lambda":   "handler.rb",
	"rust-lambda":   "src/lib.rs",
}

// TestPeerFaasCLINew has the real faas-cli fetch our templates, from a checkout
// and from a server of git, make a function of each, and lay out what Docker
// would build. `make test-peers` runs it.
func TestPeerFaasCLINew(t *testing.T) {
	peers := os.Getenv("PEERS")
	if peers == "" {
		t.Log("PEERS is not set: only faas-cli itself can show what it makes of the templates")
		return
	}
	root, err := fixture.Root()
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{"checkout": root, "git URL": gitServer(t, root)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			run := func(args ...string) string {
				cmd := exec.CommandContext(t.Context(), filepath.Join(peers, "faas-cli"), args...)
				cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir, "NO_PROXY=127.0.0.1")
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("faas-cli %s: %v\n%s", strings.Join(args, " "), err, out)
				}
				return string(out)
			}
			run("template", "pull", from)
			list := run("new", "--list")
			for lang, handler := range handlers {
				if !strings.Contains(list, lang) {
					t.Errorf("faas-cli new --list has no %s:\n%s", lang, list)
				}
				args := []string{"new", "--lang", lang, "my-" + lang}
				if _, err := os.Stat(filepath.Join(dir, "stack.yaml")); err == nil {
					args = append(args, "--append", "stack.yaml")
				}
				if said := run(args...); !strings.Contains(said, "You have created a") {
					t.Errorf("no welcome in:\n%s", said)
				}
				mustExist(t, filepath.Join(dir, "my-"+lang, handler))
			}
			run("build", "--shrinkwrap", "-f", "stack.yaml")
			for lang, handler := range handlers {
				mustExist(t, filepath.Join(dir, "build", "my-"+lang, "function", handler))
				mustExist(t, filepath.Join(dir, "build", "my-"+lang, "Dockerfile"))
			}
			out, err := faasLambda(t, "build", "-f", filepath.Join(dir, "stack.yaml"), "--filter", "my-go-lambda", "-o", filepath.Join(dir, "image"))
			if err != nil {
				t.Errorf("build what faas-cli made: %v\n%s", err, out)
			}
		})
	}
}

func mustExist(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Stat(name); err != nil {
		t.Error(err)
	}
}

// gitServer serves the commits of a repository by HTTP and returns its URL.
func gitServer(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	tool(t, dir, "git", "clone", "--quiet", "--bare", "file://"+root, "faas-lambda.git")
	path, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&cgi.Handler{Path: path, Args: []string{"http-backend"}, Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1"}})
	t.Cleanup(server.Close)
	return server.URL + "/faas-lambda.git"
}
