package integration

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// faasCLI is the real faas-cli, with a home of its own.
type faasCLI struct {
	program, home string
	asked         map[string]bool // commands that were run, such as "secret create"
}

// command is faas-cli in its home, with the programs in home/bin before others.
func (c *faasCLI) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.program, args...)
	cmd.Dir = c.home
	cmd.Env = append(os.Environ(), "HOME="+c.home, "OPENFAAS_URL="+shared.up.URL, "NO_PROXY=127.0.0.1", "PATH="+filepath.Join(c.home, "bin")+":"+os.Getenv("PATH"))
	c.asked[args[0]] = true
	if len(args) > 1 {
		c.asked[args[0]+" "+args[1]] = true
	}
	return cmd
}

// run gives what faas-cli printed; exit is the status its users expect.
func (c *faasCLI) run(t *testing.T, stdin []byte, exit int, args ...string) string {
	t.Helper()
	cmd := c.command(t.Context(), args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != exit {
		t.Errorf("faas-cli %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), got, exit, &stdout, &stderr)
	}
	t.Logf("faas-cli %s: exit status %d\n%s%s", strings.Join(args, " "), cmd.ProcessState.ExitCode(), brief(stdout.String()), brief(stderr.String()))
	return stdout.String() + stderr.String()
}

// until runs a command that does not end by itself, does something once it
// prints, and ends it when it has printed part.
func (c *faasCLI) until(t *testing.T, part string, do func(), args ...string) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	cmd := c.command(ctx, args...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	do()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), part) {
			end()
			return
		}
	}
	t.Errorf("faas-cli %s ended before it printed %q: %v", strings.Join(args, " "), part, lines.Err())
}

// wants checks that something was said.
func wants(t *testing.T, said string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(said, part) {
			t.Errorf("no %q in:\n%s", part, said)
		}
	}
}

// local are the commands of faas-cli that ask no provider for anything.
var local = map[string]string{
	"build": "Docker", "publish": "Docker", "push": "Docker", "local-run": "Docker", "registry-login": "writes a file",
	"chart": "Kubernetes", "generate": "Kubernetes", "completion": "prints", "help": "prints",
	"new": "templates", "template": "templates", "plugin": "downloads",
	"secret generate": "prints", "secret keygen": "files", "secret seal": "files", "secret unseal": "files",
	"store list": "the store's index", "store describe": "the store's index",
}

// leftOut fails for each command of faas-cli that this test has not run, unless
// it is local.
func (c *faasCLI) leftOut(t *testing.T) {
	t.Helper()
	var left []string
	counted := 0
	for _, name := range c.commands(t) {
		below := c.commands(t, name)
		if len(below) == 0 || local[name] != "" {
			below = []string{""}
		}
		for _, sub := range below {
			full := strings.TrimSpace(name + " " + sub)
			switch {
			case local[full] != "":
			case c.asked[full]:
				counted++
			default:
				left = append(left, full)
			}
		}
	}
	t.Logf("faas-cli has %d commands that ask a provider, all run: %v", counted+len(left), len(left) == 0)
	if len(left) > 0 || counted == 0 {
		t.Errorf("commands of faas-cli that no test runs: %q", left)
	}
}

// commands lists faas-cli's commands, or those below one, from its help.
func (c *faasCLI) commands(t *testing.T, of ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.program, append(of, "--help")...)
	cmd.Env = append(os.Environ(), "HOME="+c.home)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("help of %q: %v", of, err)
	}
	_, rest, _ := strings.Cut(string(out), "Available Commands:\n")
	block, _, _ := strings.Cut(rest, "\n\n")
	var names []string
	for line := range strings.SplitSeq(block, "\n") {
		if fields := strings.Fields(line); len(fields) > 0 {
			names = append(names, fields[0])
		}
	}
	return names
}

// stackOfFaasCLI runs what works on several functions or files at once: stack
// files, a folder of secrets and a store.
func stackOfFaasCLI(t *testing.T, c *faasCLI, image string) {
	t.Helper()
	write := func(name, text string, mode os.FileMode) {
		path := filepath.Join(c.home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	// The label is what every provider adds.
	write("stack.yaml", fmt.Sprintf(`version: 1.0
provider: {name: openfaas}
functions:
  peer-stack:
    lang: dockerfile
    handler: ./peer-stack
    image: %s
    environment: {greeting: hi}
    labels: {team: one, faas_function: peer-stack}
    annotations: {topic: "a,b"}
    limits: {memory: 256Mi}
`, image), 0o600)
	t.Run("deploy -f, diff", func(t *testing.T) {
		wants(t, c.run(t, nil, 1, "diff"), "peer-stack")
		wants(t, c.run(t, nil, 0, "deploy", "-f", "stack.yaml"), "202")
		c.run(t, nil, 0, "diff")
	})
	t.Run("up", func(t *testing.T) {
		// The image is pushed already: nothing is left for Docker.
		write("bin/docker", "#!/bin/sh\nexit 0\n", 0o755)
		write("peer-stack/Dockerfile", "FROM scratch\n", 0o600)
		write("template/dockerfile/template.yml", "language: dockerfile\n", 0o600)
		wants(t, c.run(t, nil, 0, "up", "--skip-push"), "202")
	})
	t.Run("remove -f", func(t *testing.T) {
		c.run(t, nil, 0, "remove", "-f", "stack.yaml")
		if said := c.run(t, nil, 0, "list", "--quiet"); strings.Contains(said, "peer-stack") {
			t.Errorf("still there: %s", said)
		}
	})
	t.Run("secret apply", func(t *testing.T) {
		write(".secrets/peer-one", "1\n", 0o600)
		write(".secrets/peer-two", "2\n", 0o600)
		wants(t, c.run(t, nil, 0, "secret", "apply"), "201")
		wants(t, c.run(t, nil, 0, "secret", "apply"), "202")
		wants(t, c.run(t, nil, 0, "secret", "list"), "peer-one", "peer-two")
		c.run(t, nil, 0, "secret", "remove", "peer-one")
		c.run(t, nil, 0, "secret", "remove", "peer-two")
	})
	t.Run("store deploy", func(t *testing.T) {
		store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"version":"0.2.0","functions":[{"title":"Stored","name":"peer-stored","description":"d","images":{"x86_64":%q,"arm64":%q},"labels":{"a":"b"}}]}`, image, image)
		}))
		defer store.Close()
		wants(t, c.run(t, nil, 0, "store", "deploy", "peer-stored", "--url", store.URL), "202")
		wants(t, c.run(t, []byte("x"), 0, "invoke", "peer-stored"), "Hello, x!")
		c.run(t, nil, 0, "remove", "peer-stored")
	})
}
