package emulator

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := start(t, Options{DataDir: dir})
	h.deploy("f", func(in *lambda.CreateFunctionInput) {
		in.Tags = map[string]string{"k": "v"}
		in.Environment = vars("AA", "b")
	})
	if err := h.reserve("f", 7); err != nil {
		t.Fatal(err)
	}
	before, err := h.client.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{DataDir: dir}); err == nil || !strings.Contains(err.Error(), "another program uses it") {
		t.Errorf("second program: %v", err)
	}
	h.stop()
	h = start(t, Options{DataDir: dir})
	after, err := h.client.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	if err != nil {
		t.Fatal(err)
	}
	if *after.Configuration.RevisionId != *before.Configuration.RevisionId || after.Tags["k"] != "v" || *after.Concurrency.ReservedConcurrentExecutions != 7 {
		t.Errorf("after = %+v %v", after.Configuration, after.Tags)
	}
	if got := string(h.invoke("f", `{"Do":"sh","Text":"echo $AA"}`).Payload); got != "b" {
		t.Errorf("answer = %q", got)
	}
}

// What a killed program left in the middle is finished or removed by the next.
func TestResume(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := start(t, Options{DataDir: dir})
	h.deploy("f", nil)
	h.deploy("g", nil)
	h.stop()
	record := filepath.Join(dir, "functions", "f.json")
	data, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.ReplaceAll(data, []byte(`"LastUpdateStatus": "Successful"`), []byte(`"LastUpdateStatus": "InProgress"`))
	stale := []string{
		filepath.Join(dir, "functions", ".new-1"), filepath.Join(dir, "code", ".new-2"), filepath.Join(dir, "code", strings.Repeat("0", 64)+".zip"),
		filepath.Join(dir, "sandboxes", "sandbox-3"),
	}
	err = os.WriteFile(record, data, 0o644)
	for _, path := range stale {
		err = errors.Join(err, os.WriteFile(path, []byte("half"), 0o644))
	}
	unpacked, globErr := filepath.Glob(filepath.Join(dir, "code", "[0-9a-f]*[0-9a-f]"))
	if err := errors.Join(err, globErr); err != nil || len(unpacked) != 1 {
		t.Fatal(unpacked, err)
	}
	if err := os.RemoveAll(unpacked[0]); err != nil { // the cache may be removed at any time
		t.Fatal(err)
	}
	h = start(t, Options{DataDir: dir})
	h.updated("f")
	h.invoke("f", "{}")
	h.invoke("g", "{}")
	for _, path := range stale {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestCodeIsSwept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := start(t, Options{DataDir: dir})
	h.deploy("f", nil)
	h.invoke("f", "{}")
	other := zipOf(t, map[string][]byte{"bootstrap": runtimeProgram, "more": []byte("x")})
	out, err := h.client.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: other, DryRun: true})
	if err != nil || *out.CodeSha256 != codeSha256(zipHash(other)) || out.LastUpdateStatus != "Successful" {
		t.Fatalf("dry run = %+v, %v", out, err)
	}
	_, err = h.client.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: other, RevisionId: aws.String("wrong")})
	wantError(t, err, "PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id")
	_, err = h.client.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: []byte("no zip")})
	wantError(t, err, "InvalidParameterValueException", "Could not unzip uploaded file. Please check your file, then try to upload again.")
	if _, err := h.client.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: other}); err != nil {
		t.Fatal(err)
	}
	h.updated("f")
	if got := string(h.invoke("f", `{"Do":"sh","Text":"ls"}`).Payload); got != "bootstrap\nmore" {
		t.Errorf("answer = %q", got)
	}
	waitFor(t, "old code removed", func() bool {
		_, err := os.Stat(filepath.Join(dir, "code", zipHash(packed())))
		return errors.Is(err, os.ErrNotExist)
	})
}

// A zip whose directory is good and whose data are not fails later: creation for good, an update leaves the function as it was.
func TestBrokenData(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	broken := bytes.Clone(zipOf(t, map[string][]byte{"bootstrap": bytes.Repeat([]byte("some text "), 1000)}))
	broken[60] ^= 0xff
	in := createInput("bad", nil)
	in.Code = zipCode(broken)
	if _, err := h.client.CreateFunction(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "failed", func() bool {
		out, err := h.client.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("bad")})
		return err == nil && out.State == "Failed" && out.StateReasonCode == "InvalidZipFileException" && aws.ToString(out.StateReason) != ""
	})
	_, err := h.tryInvoke(t.Context(), "bad", "{}")
	wantError(t, err, "ResourceConflictException", "following state: Failed")
	h.deploy("good", nil)
	if _, err := h.client.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("good"), ZipFile: broken}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "failed", func() bool {
		out, err := h.client.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("good")})
		return err == nil && out.State == "Active" && out.LastUpdateStatus == "Failed" && *out.CodeSha256 == codeSha256(zipHash(packed()))
	})
	h.invoke("good", "{}")
	if _, err := h.client.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("bad"), ZipFile: packed()}); err != nil {
		t.Fatal(err)
	}
	h.active("bad")
	h.invoke("bad", "{}")
}

const childVariable = "EMULATOR_TEST_CHILD"

// runChild makes this test program an emulator in the directory that the environment names.
func runChild() (int, bool) {
	dir := os.Getenv(childVariable)
	if dir == "" {
		return 0, false
	}
	s, err := New(Options{DataDir: dir})
	if err != nil {
		fmt.Println(err)
		return 1, true
	}
	fmt.Println(httptest.NewServer(s).URL)
	_, err = io.Copy(io.Discard, os.Stdin)
	if err := errors.Join(err, s.Close()); err != nil {
		fmt.Println(err)
		return 1, true
	}
	return 0, true
}

// Killed with a sandbox alive, the program leaves no process, and what was deployed runs again.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for round := range 2 {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), childVariable+"="+dir)
		stdin, err := cmd.StdinPipe()
		stdout, outErr := cmd.StdoutPipe()
		if err := errors.Join(err, outErr, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		url, err := bufio.NewReader(stdout).ReadString('\n')
		if err != nil || !strings.HasPrefix(url, "http") {
			t.Fatalf("child: %q, %v", url, err)
		}
		h := &harness{t: t, client: clientFor(strings.TrimSpace(url))}
		if round == 0 {
			h.deploy("f", func(in *lambda.CreateFunctionInput) { in.Code = zipCode(packed()) }) // the child has not built it
		}
		if got := string(h.invoke("f", `{"Do":"leave"}`).Payload); got != "left" {
			t.Errorf("answer = %s", got)
		}
		sandboxes := sandboxesOf(t, cmd.Process.Pid)
		if len(sandboxes) != 1 {
			t.Errorf("sandboxes = %v", sandboxes)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		if err := stdin.Close(); err != nil {
			t.Log(err)
		}
		waitFor(t, "no process left", func() bool {
			for _, pid := range sandboxes {
				if syscall.Kill(pid, 0) == nil {
					return false
				}
			}
			return true
		})
	}
}

// sandboxesOf reads the parent of every process: /proc/PID/task/TID/children may miss some while processes come and go (proc(5)).
func sandboxesOf(t *testing.T, parent int) []int {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		text := string(data)
		var pid, parentOfIt int
		var state string
		if _, err := fmt.Sscan(text, &pid); err != nil {
			continue
		}
		_, err = fmt.Sscan(text[strings.LastIndex(text, ")")+1:], &state, &parentOfIt)
		if err == nil && parentOfIt == parent && state != "Z" {
			pids = append(pids, pid)
		}
	}
	return pids
}
