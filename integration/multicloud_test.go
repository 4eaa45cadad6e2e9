package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/watchdog/watchdogtest"
)

// TestTheStepsOfMultiCloud runs the commands of docs/multi-cloud.md as they
// stand, on other ports, and compares what they print with what is there.
func TestTheStepsOfMultiCloud(t *testing.T) {
	root, err := fixture.Root()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("curl"); err != nil {
		if out, err := exec.CommandContext(t.Context(), filepath.Join(root, "integration", "tools.sh"), "curl").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "multi-cloud.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	steps := stepsOf(string(text))
	// What a step leaves running ends with the script, however that ends.
	script := "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n"
	for i, s := range steps {
		script += fmt.Sprintf("echo 'step %d' >&2\n{\n%s\n} > %d.out\n", i, s.commands, i)
	}
	ports := freePorts(t, 3)
	script = strings.NewReplacer("8080", ports[0], "8081", ports[1], "8082", ports[2]).Replace(script)
	if err := os.WriteFile(filepath.Join(dir, "steps.sh"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "steps.sh")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"), "IMAGE="+push(t, "functions/cat:1", classic(t)))
	out, runErr := cmd.CombinedOutput()
	compared := 0
	for i, s := range steps {
		printed, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i, ".out")))
		if s.prints != "" {
			compared++
		}
		if s.prints != "" && (err != nil || string(printed) != s.prints) {
			t.Errorf("%s\nprinted %q, the document says %q", s.commands, printed, s.prints)
		}
	}
	if runErr != nil || compared < 7 {
		t.Errorf("%v, %d outputs compared\n%s", runErr, compared, out)
	}
	if t.Failed() {
		for _, name := range []string{"lambda.log", "cluster.log", "federation.log", "served.log"} {
			log, _ := os.ReadFile(filepath.Join(dir, name))
			t.Logf("%s:\n%s", name, log)
		}
	}
}

// step is a block of commands, and what they print when the document says so.
type step struct{ commands, prints string }

// stepsOf reads the blocks of a document that are marked sh, and the one marked
// text after one.
func stepsOf(document string) []step {
	var steps []step
	blocks := strings.Split(document, "```")
	for i := 1; i < len(blocks); i += 2 {
		kind, body, _ := strings.Cut(blocks[i], "\n")
		switch {
		case kind == "sh":
			steps = append(steps, step{commands: body})
		case kind == "text" && len(steps) > 0:
			steps[len(steps)-1].prints = body
		}
	}
	return steps
}

// freePorts returns n different ports that nobody listens on.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	ports := make([]string, n)
	for i := range ports {
		_, ports[i], _ = strings.Cut(watchdogtest.FreeAddr(t), ":")
	}
	return ports
}
