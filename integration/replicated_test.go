package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// replicated is two `faas-lambda serve` of one AWS, each with a line to it of its
// own, behind one address.
type replicated struct {
	*balancer
	up       *fixture.Up // has the AWS; nobody asks its provider
	log      *lockedBuffer
	program  string
	root     string // of the container image that program is in; empty for none
	user     uint32
	image    string // of functions
	lines    [2]*awsLine
	replicas [2]*fixture.Up
}

// replicate starts two replicas. REPLICA names the OCI layout of a container
// image whose processes they are to be; else they are the program built here.
func replicate(t *testing.T) *replicated {
	t.Helper()
	r := &replicated{log: &lockedBuffer{}, program: filepath.Join(programs, "faas-lambda"), image: push(t, "functions/web:1", middleware(t, "web"))}
	if dir := os.Getenv("REPLICA"); dir != "" {
		r.ofImage(t, dir)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r.log)
		}
	})
	var err error
	if r.up, err = fixture.StartUp(context.WithoutCancel(t.Context()), filepath.Join(programs, "faas-lambda"), t.TempDir(), r.log); err != nil {
		t.Fatalf("%v\n%s", err, r.log)
	}
	t.Cleanup(func() { r.ends(t, r.up) })
	r.balancer = newBalancer(t)
	for i := range r.replicas {
		r.lines[i] = newAWSLine(t, r.up.AWS)
		r.start(t, i)
		t.Cleanup(func() { r.ends(t, r.replicas[i]) })
	}
	for _, replica := range r.replicas {
		r.until(t, replica.URL, true)
	}
	return r
}

// ofImage makes the replicas processes of a container image: they see its root
// alone, as the user that it says.
func (r *replicated) ofImage(t *testing.T, dir string) {
	t.Helper()
	img, err := fixture.FromLayout(dir, arch)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	r.root, r.program = t.TempDir(), config.Config.Entrypoint[0]
	user, _, _ := strings.Cut(config.Config.User, ":")
	id, err := strconv.ParseUint(user, 10, 32)
	if err == nil {
		err = fixture.Unpack(img, r.root)
	}
	for at := r.root; err == nil && at != os.TempDir(); at = filepath.Dir(at) {
		err = os.Chmod(at, 0o755) // for that user
	}
	if err != nil {
		t.Fatalf("image %s, which runs as %q: %v", dir, config.Config.User, err)
	}
	r.user = uint32(id)
}

func (r *replicated) ends(t *testing.T, up *fixture.Up) {
	if err := up.Stop(); err != nil {
		t.Errorf("faas-lambda ended: %v", err)
	}
}

// start starts replica i as a pod starts: with nothing from before.
func (r *replicated) start(t *testing.T, i int) {
	t.Helper()
	cache := t.TempDir()
	if r.root != "" {
		cache = fmt.Sprint("/tmp/cache-", i, "-", time.Now().UnixNano())
	}
	serve := fixture.Serve{Program: r.program, Root: r.root, User: r.user, Log: r.log, Env: []string{
		"AWS_ENDPOINT_URL=" + r.lines[i].URL, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=faas-lambda", "AWS_SECRET_ACCESS_KEY=faas-lambda",
		"lambda_execution_role=arn:aws:iam::000000000000:role/faas-lambda", "function_arch=" + arch, "cache_dir=" + cache,
		"shutdown_delay=10s", "shutdown_timeout=1m",
	}}
	var err error
	if r.replicas[i], err = serve.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatalf("replica %d: %v\n%s", i, err, r.log)
	}
	r.add(t.Context(), r.replicas[i].URL)
}

// deploy deploys a generation of a function through replica i.
func (r *replicated) deploy(ctx context.Context, i int, function, generation string) (fixture.Answer, error) {
	return r.replicas[i].Deploy(ctx, r.generation(function, generation))
}

// generation is a deployment every part of which tells which one it is.
func (r *replicated) generation(function, generation string) types.FunctionDeployment {
	told := map[string]string{"generation": generation}
	return types.FunctionDeployment{Service: function, Image: r.image, EnvVars: map[string]string{"GENERATION": generation}, Annotations: &told, Labels: &told}
}

// serves returns the generation that a replica says serves, and the one that an
// invocation through it says it is. A replica keeps what it knows for a moment,
// so that they can differ that long. A status whose parts are of several
// generations fails the test.
func (r *replicated) serves(t *testing.T, i int, function string) (told, is string) {
	t.Helper()
	var status types.FunctionStatus
	answer, err := r.replicas[i].Do(t.Context(), http.MethodGet, "/system/function/"+function, nil)
	if err == nil {
		err = json.Unmarshal(answer.Body, &status)
	}
	if err != nil || answer.Status != http.StatusOK {
		t.Fatalf("status of %s: %d %s, %v", function, answer.Status, answer.Body, err)
	}
	told = status.EnvVars["GENERATION"]
	if (*status.Annotations)["generation"] != told || (*status.Labels)["generation"] != told {
		t.Errorf("%s is a mix: %+v", function, status)
	}
	var request struct{ Environment []string }
	answer, err = r.replicas[i].Do(t.Context(), http.MethodGet, "/function/"+function+"/request", nil)
	if err == nil {
		err = json.Unmarshal(answer.Body, &request)
	}
	if err != nil || answer.Status != http.StatusOK {
		t.Fatalf("%s answers %d %s, %v", function, answer.Status, answer.Body, err)
	}
	for _, variable := range request.Environment {
		if value, ok := strings.CutPrefix(variable, "GENERATION="); ok {
			is = value
		}
	}
	return told, is
}

// comesToServe waits until a replica says that a generation serves, and it does.
func (r *replicated) comesToServe(t *testing.T, i int, function, generation string) {
	t.Helper()
	eventually(t, fmt.Sprintf("replica %d serves %q of %s", i, generation, function), func() bool {
		told, is := r.serves(t, i, function)
		return told == generation && is == generation
	})
}

// number reads a variable that the heavier run of these tests sets.
func number(t *testing.T, name string, fallback int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: want a number", name, text)
	}
	return n
}
