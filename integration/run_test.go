package integration

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// started is a program whose output is read line by line.
type started struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	said  strings.Builder
}

func start(t *testing.T, dir string, stderr bool, args ...string) *started {
	t.Helper()
	s := &started{cmd: exec.CommandContext(t.Context(), filepath.Join(programs, "faas-lambda"), args...)}
	s.cmd.Dir = dir
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 20 * time.Second
	pipe := s.cmd.StdoutPipe
	if stderr {
		pipe = s.cmd.StderrPipe
	}
	out, err := pipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.lines = bufio.NewScanner(out)
	return s
}

// until reads to a line that matches, and returns its groups.
func (s *started) until(t *testing.T, pattern string) []string {
	t.Helper()
	want := regexp.MustCompile(pattern)
	for s.lines.Scan() {
		s.said.WriteString(s.lines.Text() + "\n")
		if m := want.FindStringSubmatch(s.lines.Text()); m != nil {
			return m
		}
	}
	t.Fatalf("it never said %s:\n%s", pattern, s.said.String())
	return nil
}

// interrupt is Ctrl-C: the program ends without an error.
func (s *started) interrupt(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for s.lines.Scan() {
		s.said.WriteString(s.lines.Text() + "\n")
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v:\n%s", err, s.said.String())
	}
}

// ask posts to a function and returns what it answers.
func ask(t *testing.T, url, body string) string {
	t.Helper()
	res, err := http.Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestRunServesAFolder(t *testing.T) {
	s := start(t, ".", true, "run", "../templates/template/go-lambda", "--port", "0", "--env", "LEVEL=1", "--memory", "128")
	url := s.until(t, `runs at (http://\S+)`)[1]
	s.until(t, "Ctrl-C")
	for range 2 {
		if got := ask(t, url, "world"); got != "<p>Hello, world!</p>\n" {
			t.Errorf("answered %q", got)
		}
		s.until(t, "^POST /: 200")
	}
	if got := ask(t, url+"/2015-03-31/functions/function/invocations", `{"Records":[]}`); !strings.Contains(got, "Records") {
		t.Errorf("an event is answered %q", got)
	}
	s.interrupt(t)
	for _, want := range []string{"lambda: cold, init ", "lambda: warm, ", " of 128 MB", "cold: ", "warm: "} {
		if !strings.Contains(s.said.String(), want) {
			t.Errorf("no %q in\n%s", want, s.said.String())
		}
	}
}

// TestRunGivesSecrets: the values are in files, as faas-cli's local-run has them.
func TestRunGivesSecrets(t *testing.T) {
	dir := t.TempDir()
	err := errors.Join(os.Mkdir(filepath.Join(dir, ".secrets"), 0o700), os.WriteFile(filepath.Join(dir, ".secrets", "api-key"), []byte("s3cret\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, dir, true, "run", push(t, "functions/web:run-secrets", middleware(t, "web")), "--port", "0", "--secret", "api-key")
	url := s.until(t, `runs at (http://\S+)`)[1]
	res, err := http.Get(url + "/file?path=" + mount + "/api-key")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); err != nil || string(got) != "s3cret\n" {
		t.Errorf("read %q, %v", got, err)
	}
	s.interrupt(t)
}

// TestBuildPushesAnImage builds the function of a stack file, pushes it to where
// its image says, and deploys it from there.
func TestBuildPushesAnImage(t *testing.T) {
	dir := t.TempDir()
	root, err := fixture.Root()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "hello"), os.DirFS(filepath.Join(root, "templates/template/go-lambda/function"))); err != nil {
		t.Fatal(err)
	}
	image := shared.registry.Addr + "/built/hello:1"
	stack := "version: 1.0\nprovider:\n  name: openfaas\nfunctions:\n  hello:\n    lang: go-lambda\n    handler: ./hello\n    image: " + image + "\n"
	if err := os.WriteFile(filepath.Join(dir, "stack.yaml"), []byte(stack), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := faasLambda(t, "build", "-f", filepath.Join(dir, "stack.yaml"), "--templates", filepath.Join(root, "templates/template"), "--push")
	if err != nil || !strings.Contains(out, "/built/hello@sha256:") {
		t.Fatalf("%v\n%s", err, out)
	}
	deploy(t, types.FunctionDeployment{Service: "built-hello", Image: image})
	if got := do(t, http.MethodPost, "/function/built-hello", []byte("world")); string(got.Body) != "<p>Hello, world!</p>\n" {
		t.Error(unexpected(got))
	}
	out, err = faasLambda(t, "build", "-f", filepath.Join(dir, "stack.yaml"), "--templates", filepath.Join(root, "templates/template"), "--push", "--tag", "digest")
	tagged := regexp.MustCompile(`, (\S+/built/hello:[0-9a-f]{32}) in `).FindStringSubmatch(out)
	if err != nil || tagged == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	deploy(t, types.FunctionDeployment{Service: "built-tagged", Image: tagged[1]})
}

func TestRunSendsEventsToAZip(t *testing.T) {
	zip := filepath.Join(t.TempDir(), "web.zip")
	if out, err := faasLambda(t, "package", push(t, "functions/web:1", middleware(t, "web")), "-o", zip); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := faasLambda(t, "run", zip, "--sample", "url", "--times", "2")
	if err != nil || strings.Count(out, `{"statusCode":`) != 2 || !strings.Contains(out, "cold: 1, ") || !strings.Contains(out, "warm: 1, ") {
		t.Errorf("%v\n%s", err, out)
	}
	s := start(t, ".", true, "run", zip, "--port", "0")
	url := s.until(t, `runs at (http://\S+)`)[1]
	if got := ask(t, url+"/echo", "ping"); got != "ping" {
		t.Errorf("answered %q", got)
	}
	s.interrupt(t)
}

func TestRunFailsWithTheFunction(t *testing.T) {
	out, err := faasLambda(t, "run", push(t, "functions/crash:1", middleware(t, "crash")), "--sample", "sqs")
	var failed *exec.ExitError
	if !errors.As(err, &failed) || failed.ExitCode() != 1 || !strings.Contains(out, "function functions-crash failed") && !strings.Contains(out, "function crash failed") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestWatchDeploysEachSave changes a function while `up --watch` runs. What does
// not build is told, and the function that was there goes on.
func TestWatchDeploysEachSave(t *testing.T) {
	dir := t.TempDir()
	template, err := filepath.Abs("../templates/template")
	if err != nil {
		t.Fatal(err)
	}
	handler := filepath.Join(dir, "hello", "handler.go")
	source := func(says string) string {
		return "package function\n\nimport \"net/http\"\n\nfunc Handle(w http.ResponseWriter, _ *http.Request) {\n\tw.Write([]byte(" + says + "))\n}\n"
	}
	const stack = "version: 1.0\nprovider: {name: openfaas}\nfunctions:\n  hello: {lang: go-lambda, handler: ./hello, image: hello:1}\n"
	err = errors.Join(
		os.Symlink(template, filepath.Join(dir, "template")), os.Mkdir(filepath.Join(dir, "hello"), 0o755),
		os.WriteFile(filepath.Join(dir, "stack.yaml"), []byte(stack), 0o600),
		os.WriteFile(filepath.Join(dir, "hello", "go.mod"), []byte("module handler/function\n\ngo 1.25\n"), 0o600),
		os.WriteFile(handler, []byte(source(`"one"`)), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, dir, false, "up", "--watch", ".", "--port", "0", "--data-dir", t.TempDir())
	url := s.until(t, `OPENFAAS_URL=(http://\S+)`)[1] + "/function/hello"
	s.until(t, "hello: built in")
	if got := ask(t, url, ""); got != "one" {
		t.Errorf("answered %q", got)
	}
	for _, c := range []struct{ source, line, answer string }{
		{source(`"two"`), "hello: built in .* deployed in", "two"},
		{source(`nothing`), "undefined: nothing", "two"},
		{source(`"three"`), "hello: built in .* deployed in", "three"},
	} {
		begin := time.Now()
		if err := os.WriteFile(handler, []byte(c.source), 0o600); err != nil {
			t.Fatal(err)
		}
		s.until(t, c.line)
		if got := ask(t, url, ""); got != c.answer {
			t.Errorf("answered %q, want %q", got, c.answer)
		}
		t.Logf("%s after %s", c.answer, time.Since(begin))
	}
	if err := os.WriteFile(filepath.Join(dir, "stack.yaml"), []byte(stack+"  other: {lang: go-lambda, handler: ./hello, image: other:1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.until(t, "other: built in")
	if got := ask(t, strings.TrimSuffix(url, "hello")+"other", ""); got != "three" {
		t.Errorf("the stack file's new function answered %q", got)
	}
	s.interrupt(t)
}
