package integration

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/watchdog/watchdogtest"
)

// TestPeerRIE runs a package's bootstrap under AWS's own runtime interface
// emulator, aws-lambda-rie in the directory that PEERS names.
func TestPeerRIE(t *testing.T) {
	peers := os.Getenv("PEERS")
	if peers == "" {
		t.Log("PEERS is not set: the tests of bootstrap/loop use a Runtime API of ours")
		return
	}
	rie := filepath.Join(peers, "aws-lambda-rie")
	if _, err := os.Stat(rie); err != nil {
		t.Fatal(err)
	}
	root := unpackFunction(t)
	event := func(path string) string {
		return fmt.Sprintf(`{"version":"2.0","rawPath":%q,"headers":{},"requestContext":{"http":{"method":"GET","path":%q}}}`, path, path)
	}
	t.Run("classic", func(t *testing.T) {
		invoke := startRIE(t, rie, root)
		for name, c := range map[string]struct{ event, says string }{
			"a raw event":   {`{"hello":"rie"}`, "<h1>Hello, {&#34;hello&#34;:&#34;rie&#34;}!</h1>"},
			"an HTTP event": {event("/status/418"), `"statusCode":418`},
		} {
			if got := invoke(c.event); !strings.Contains(got, c.says) {
				t.Errorf("%s: %s, want %s", name, got, c.says)
			}
		}
		if got := invoke(event("/exit/3")); !strings.Contains(got, `"statusCode":500`) && !strings.Contains(got, "errorType") {
			t.Errorf("a crash: %s", got)
		}
		if got := invoke(event("/status/201")); !strings.Contains(got, `"statusCode":201`) {
			t.Errorf("after a crash: %s", got)
		}
	})
	t.Run("a function that takes too long", func(t *testing.T) {
		invoke := startRIE(t, rie, root, "AWS_LAMBDA_FUNCTION_TIMEOUT=2")
		if got := invoke(event("/sleep/20s")); !strings.Contains(got, `"statusCode":504`) && !strings.Contains(got, "timed out") {
			t.Errorf("%s", got)
		}
	})
	t.Run("managed instances, four at once", func(t *testing.T) {
		invoke := startRIE(t, rie, root, "AWS_LAMBDA_MAX_CONCURRENCY=4")
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				body := fmt.Sprintf(`{"caller":%d}`, i)
				got := invoke(body)
				// bootstrap asks for four invocations one after the other, and
				// the emulator keeps none waiting.
				for tick := time.NewTicker(20 * time.Millisecond); strings.Contains(got, "Runtime.Unavailable") && t.Context().Err() == nil; got = invoke(body) {
					<-tick.C
				}
				if !strings.Contains(got, fmt.Sprintf("caller&#34;:%d", i)) {
					t.Errorf("caller %d: %s", i, got)
				}
			})
		}
		group.Wait()
	})
}

// unpackFunction packages function web and unpacks the zip.
func unpackFunction(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	// In one of its modes the emulator starts the function as another user.
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "function.zip")

	if said, err := faasLambda(t, "package", push(t, "functions/web:1", middleware(t, "web")), "-o", file); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	root := filepath.Join(dir, "task")
	for _, f := range z.File {
		to := filepath.Join(root, f.Name)
		if f.Mode().IsDir() {
			if err := os.MkdirAll(to, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if !f.Mode().IsRegular() {
			continue // the function needs none of the image's links
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f.Name, "launch.json") {
			data = bytes.ReplaceAll(data, []byte("/var/task"), []byte(root))
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, f.Mode()|0o200); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// startRIE starts the emulator with the package's bootstrap and returns how to
// invoke it.
func startRIE(t *testing.T, rie, root string, env ...string) func(event string) string {
	t.Helper()
	addr, api := watchdogtest.FreeAddr(t), watchdogtest.FreeAddr(t)
	log := &lockedBuffer{}
	// In its managed-instances mode the emulator looks for bootstrap in
	// /var/task alone, so the package is put there in a mount namespace.
	if err := os.MkdirAll("/var/task", 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "-m", "sh", "-c", `mount --bind "$0" /var/task && exec "$@"`, root,
		rie, "--runtime-interface-emulator-address", addr, "--runtime-api-address", api, filepath.Join(root, "bootstrap"))
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LAMBDA_TASK_ROOT=" + root, "AWS_LAMBDA_FUNCTION_NAME=web", "AWS_REGION=us-east-1"}, env...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, root
	cmd.WaitDelay = 5 * time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // its own status says nothing
		if t.Failed() {
			t.Log(log)
		}
	})
	waitForPort(t, addr)
	return func(event string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/2015-03-31/functions/function/invocations", strings.NewReader(event))
		if err != nil {
			return err.Error()
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err.Error()
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return err.Error()
		}
		return string(body)
	}
}

// waitForPort waits until something listens at addr.
func waitForPort(t *testing.T, addr string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(20 * time.Second); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("nothing listens at %s: %v", addr, err)
		}
	}
}
