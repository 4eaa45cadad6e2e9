package integration

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/watchdog/watchdogtest"
)

// fleet is three providers, each a process of its own, and a federation of them.
type fleet struct {
	image      string
	log        *lockedBuffer
	parts      map[string]*fixture.Up // lambda-one and lambda-two, each with its own AWS, and memory
	dirs       map[string]string
	config     string // file of the federation
	federation *fixture.Up
}

func startFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{
		image: push(t, "functions/cat:1", classic(t)), log: &lockedBuffer{}, parts: map[string]*fixture.Up{},
		dirs: map[string]string{"lambda-one": t.TempDir(), "lambda-two": t.TempDir(), "memory": t.TempDir()},
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(f.log)
		}
	})
	var config strings.Builder
	config.WriteString("federation:\n  default: lambda-one\n  checkInterval: 200ms\n  refresh: 1s\n  children:\n")
	for _, name := range []string{"lambda-one", "lambda-two", "memory"} {
		port := 0
		if name == "lambda-two" { // which comes back where it was
			_, text, _ := strings.Cut(watchdogtest.FreeAddr(t), ":")
			var err error
			if port, err = strconv.Atoi(text); err != nil {
				t.Fatal(err)
			}
		}
		f.start(t, name, port)
		fmt.Fprintf(&config, "    - name: %s\n      remote: {url: %q", name, f.parts[name].URL)
		if name != "memory" {
			fmt.Fprintf(&config, ", user: admin, passwordFile: %q", filepath.Join(f.dirs[name], "secrets", "basic-auth-password"))
		}
		config.WriteString("}\n")
	}
	f.config = filepath.Join(t.TempDir(), "federation.yaml")
	if err := os.WriteFile(f.config, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	f.federate(t)
	t.Cleanup(func() { f.stop(t, "the federation", f.federation) })
	return f
}

// federate starts the federation.
func (f *fleet) federate(t *testing.T) {
	t.Helper()
	var err error
	if f.federation, err = fixture.StartServe(context.WithoutCancel(t.Context()), filepath.Join(programs, "faas-lambda"), 0, f.log, "--backend", "federation", "--config", f.config); err != nil {
		t.Fatalf("%v\n%s", err, f.log)
	}
}

// start starts a part, again after it was killed on the port that it had.
func (f *fleet) start(t *testing.T, name string, port int) {
	t.Helper()
	var up *fixture.Up
	var err error
	program := filepath.Join(programs, "faas-lambda")
	if name == "memory" {
		file := filepath.Join(f.dirs[name], "memory.yaml")
		if err := os.WriteFile(file, fmt.Appendf(nil, "memory: {stateFile: %q}", filepath.Join(f.dirs[name], "state.json")), 0o600); err != nil {
			t.Fatal(err)
		}
		up, err = fixture.StartServe(context.WithoutCancel(t.Context()), program, port, f.log, "--config", file)
	} else {
		up, err = fixture.StartUp(context.WithoutCancel(t.Context()), program, f.dirs[name], f.log, "--port", strconv.Itoa(port))
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, f.log)
	}
	f.parts[name] = up
	t.Cleanup(func() {
		if f.parts[name] == up {
			f.stop(t, name, up)
		}
	})
}

func (f *fleet) stop(t *testing.T, name string, up *fixture.Up) {
	if err := up.Stop(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func (f *fleet) deploy(t *testing.T, d types.FunctionDeployment) {
	t.Helper()
	d.Image = f.image
	answer, err := f.federation.Deploy(t.Context(), d)
	if err != nil || answer.Status >= 300 {
		t.Fatalf("deploy %s: %d %s, %v", d.Service, answer.Status, answer.Body, err)
	}
}

// at names the parts that have a function, asked each by itself.
func (f *fleet) at(t *testing.T, function string) string {
	t.Helper()
	var out []string
	for name, part := range f.parts {
		answer, err := part.Do(t.Context(), "GET", "/system/function/"+function, nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Status == http.StatusOK {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (f *fleet) ask(t *testing.T, method, path, body string) fixture.Answer {
	t.Helper()
	answer, err := f.federation.Do(t.Context(), method, path, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func annotated(name string, annotations ...string) types.FunctionDeployment {
	m := map[string]string{}
	for i := 0; i+1 < len(annotations); i += 2 {
		m[annotations[i]] = annotations[i+1]
	}
	return types.FunctionDeployment{Service: name, Annotations: &m}
}
