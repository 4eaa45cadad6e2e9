package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/integration/functions/picture"
)

// TestPeerFaasCLI runs the real faas-cli, found in the directory that PEERS
// names, against `faas-lambda up`. `make test-peers` runs it; elsewhere the same
// requests are sent by our own client (TestRequestsOfFaasCLI).
func TestPeerFaasCLI(t *testing.T) {
	peers := os.Getenv("PEERS")
	if peers == "" {
		t.Log("PEERS is not set: TestRequestsOfFaasCLI covers the same requests")
		return
	}
	cli := &faasCLI{program: filepath.Join(peers, "faas-cli"), home: t.TempDir(), asked: map[string]bool{}}
	run, contains := cli.run, wants
	web := push(t, "functions/web:1", middleware(t, "web"))

	t.Run("unauthorized", func(t *testing.T) { run(t, nil, 1, "list") })
	t.Run("login, wrong password", func(t *testing.T) {
		run(t, []byte("wrong"), 1, "login", "--username", "admin", "--password-stdin")
	})
	t.Run("login", func(t *testing.T) {
		contains(t, run(t, []byte(shared.up.Password), 0, "login", "--username", "admin", "--password-stdin"), "credentials saved")
	})
	t.Run("version", func(t *testing.T) {
		contains(t, run(t, nil, 0, "version", "--warn-update=false"), "faas-lambda", "lambda")
	})
	t.Run("namespace list", func(t *testing.T) { contains(t, run(t, nil, 0, "namespace", "list"), "openfaas-fn") })
	t.Run("list, empty", func(t *testing.T) { contains(t, run(t, nil, 0, "list"), "Function") })
	t.Run("deploy", func(t *testing.T) {
		contains(t, run(t, nil, 0, "deploy", "--name", "peer", "--image", web, "--label", "team=one", "--annotation", "topic=a,b",
			"--env", "greeting=hi", "--memory-limit", "256Mi"), "202", "/function/peer")
	})
	t.Run("deploy again", func(t *testing.T) {
		run(t, nil, 0, "deploy", "--name", "peer", "--image", web, "--label", "team=two", "--env", "greeting=hi")
	})
	t.Run("deploy a missing image", func(t *testing.T) {
		contains(t, run(t, nil, 1, "deploy", "--name", "missing", "--image", shared.registry.Addr+"/functions/missing:1"), "missing")
	})
	t.Run("list -v", func(t *testing.T) { contains(t, run(t, nil, 0, "list", "-v"), "peer", web) })
	t.Run("describe", func(t *testing.T) {
		contains(t, run(t, nil, 0, "describe", "peer"), "peer", "Ready", web, "team", "two")
	})
	t.Run("invoke, body from stdin", func(t *testing.T) {
		contains(t, run(t, []byte("world"), 0, "invoke", "peer"), "<h1>Hello, world!</h1>")
	})
	t.Run("invoke, query, header, method", func(t *testing.T) {
		contains(t, run(t, []byte("x"), 0, "invoke", "peer", "--query", "a=1", "--query", "b=2", "--header", "X-One=1", "--method", "PUT"), "<h1>Hello, x!</h1>")
	})
	t.Run("invoke, binary", func(t *testing.T) {
		run(t, picture.PNG(), 0, "invoke", "peer", "--content-type", "image/png")
	})
	t.Run("invoke a missing function", func(t *testing.T) { run(t, []byte("x"), 1, "invoke", "nobody") })
	t.Run("describe a missing function", func(t *testing.T) { run(t, nil, 1, "describe", "nobody") })
	t.Run("logs", func(t *testing.T) {
		contains(t, saidEventually(t, func() string { return run(t, nil, 0, "logs", "peer", "--tail=false") }, "page for /"), "page for /")
		if said := run(t, nil, 0, "logs", "peer", "--tail=false", "--lines", "1", "--since", "1h"); strings.Count(strings.TrimSpace(said), "\n") > 0 {
			t.Errorf("more than a line: %s", said)
		}
	})
	t.Run("logs, followed", func(t *testing.T) {
		cli.until(t, "page for /followed", func() { do(t, "POST", "/function/peer/followed", []byte("x")) }, "logs", "peer", "--since", "1s")
	})
	t.Run("invoke --async", func(t *testing.T) {
		contains(t, run(t, []byte("x"), 0, "invoke", "peer", "--async"), "asynchronously")
	})
	t.Run("list as JSON, names alone, sorted", func(t *testing.T) {
		contains(t, run(t, nil, 0, "list", "--json"), `"name": "peer"`)
		contains(t, run(t, nil, 0, "list", "--quiet"), "peer\n")
		contains(t, run(t, nil, 0, "list", "--sort", "invocations"), "peer")
	})
	t.Run("ready", func(t *testing.T) {
		run(t, nil, 0, "ready", "peer")
		contains(t, run(t, nil, 0, "ready"), "ready")
	})
	t.Run("secrets", func(t *testing.T) {
		run(t, []byte("v1"), 0, "secret", "create", "peer-key")
		contains(t, run(t, []byte("v1"), 0, "secret", "create", "peer-key"), "exists") // which faas-cli takes for success
		contains(t, run(t, nil, 0, "secret", "list"), "peer-key")
		run(t, []byte("v2"), 0, "secret", "update", "peer-key")
		run(t, nil, 1, "deploy", "--name", "peer2", "--image", web, "--secret", "peer-missing")
		run(t, nil, 0, "deploy", "--name", "peer2", "--image", web, "--secret", "peer-key")
		contains(t, run(t, nil, 0, "describe", "peer2"), "peer-key")
		run(t, nil, 0, "remove", "peer2")
		run(t, nil, 0, "secret", "remove", "peer-key")
	})
	t.Run("namespaces", func(t *testing.T) {
		run(t, nil, 0, "namespace", "create", "peer-ns")
		contains(t, run(t, nil, 0, "namespace", "list"), "peer-ns")
		run(t, nil, 0, "namespace", "update", "peer-ns", "--label", "a=b")
		contains(t, run(t, nil, 0, "namespace", "get", "peer-ns"), "a: b")
		run(t, nil, 0, "deploy", "--name", "peer3", "--image", web, "--namespace", "peer-ns")
		contains(t, run(t, []byte("x"), 0, "invoke", "peer3", "--namespace", "peer-ns"), "Hello, x!")
		run(t, nil, 0, "remove", "peer3", "--namespace", "peer-ns")
		run(t, nil, 0, "namespace", "remove", "peer-ns")
	})
	t.Run("remove", func(t *testing.T) { run(t, nil, 0, "remove", "peer") })
	t.Run("remove a missing function", func(t *testing.T) {
		contains(t, run(t, nil, 1, "remove", "peer"), "peer")
	})
	stackOfFaasCLI(t, cli, web)
	t.Run("logout", func(t *testing.T) {
		run(t, nil, 0, "logout")
		contains(t, run(t, nil, 1, "list"), "Unauthorized")
	})
	t.Run("no command is left out", func(t *testing.T) { cli.leftOut(t) })
}

// saidEventually asks until what comes has a part, for what arrives late.
func saidEventually(t *testing.T, ask func() string, part string) string {
	t.Helper()
	var said string
	eventually(t, part, func() bool {
		said = ask()
		return strings.Contains(said, part)
	})
	return said
}

// brief cuts what a peer printed to what a log can show.
func brief(s string) string {
	if len(s) > 600 {
		return s[:600] + "…"
	}
	return s
}
