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
	image    string
	lines    [2]*awsLine
	replicas [2]*fixture.Up
}

// replicate starts two replicas. REPLICA names another program than the one that
// was built here, such as a container image's own.
func replicate(t *testing.T) *replicated {
	t.Helper()
	r := &replicated{log: &lockedBuffer{}, program: filepath.Join(programs, "faas-lambda"), image: push(t, "functions/web:1", middleware(t, "web"))}
	if program := os.Getenv("REPLICA"); program != "" {
		r.program = program
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

func (r *replicated) ends(t *testing.T, up *fixture.Up) {
	if err := up.Stop(); err != nil {
		t.Errorf("faas-lambda ended: %v", err)
	}
}

// start starts replica i as a pod starts: with nothing from before.
func (r *replicated) start(t *testing.T, i int) {
	t.Helper()
	serve := fixture.Serve{Program: r.program, Log: r.log, Env: []string{
		"AWS_ENDPOINT_URL=" + r.lines[i].URL, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=faas-lambda", "AWS_SECRET_ACCESS_KEY=faas-lambda",
		"lambda_execution_role=arn:aws:iam::000000000000:role/faas-lambda", "function_arch=" + arch, "cache_dir=" + t.TempDir(),
		"shutdown_delay=3s", "shutdown_timeout=1m",
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

// serves returns the generation that a replica says serves, and fails the test
// when its parts, or what the function itself says, are of several.
func (r *replicated) serves(t *testing.T, i int, function string) string {
	t.Helper()
	replica := r.replicas[i]
	answer, err := replica.Do(t.Context(), http.MethodGet, "/system/function/"+function, nil)
	if err == nil && answer.Status == http.StatusNotFound {
		return ""
	}
	var status types.FunctionStatus
	if err == nil {
		err = json.Unmarshal(answer.Body, &status)
	}
	if err != nil || answer.Status != http.StatusOK {
		t.Fatalf("status of %s: %d %s, %v", function, answer.Status, answer.Body, err)
	}
	generation := status.EnvVars["GENERATION"]
	if (*status.Annotations)["generation"] != generation || (*status.Labels)["generation"] != generation {
		t.Errorf("%s is a mix: %+v", function, status)
	}
	answer, err = replica.Do(t.Context(), http.MethodGet, "/function/"+function+"/request", nil)
	if err != nil || answer.Status != http.StatusOK || !strings.Contains(string(answer.Body), strconv.Quote("GENERATION="+generation)) {
		t.Errorf("%s of generation %s answers %d %s, %v", function, generation, answer.Status, answer.Body, err)
	}
	return generation
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

// TestReplicasRollUnderLoad restarts the replicas one after the other, as an
// upgrade does, ROUNDS times, while RATE requests a second come. None fails.
func TestReplicasRollUnderLoad(t *testing.T) {
	r := replicate(t)
	rate, rounds := number(t, "RATE", 50), number(t, "ROUNDS", 1)
	var functions []string
	for i := range 4 {
		functions = append(functions, fmt.Sprint("f", i))
		if answer, err := r.deploy(t.Context(), i%2, functions[i], "0"); err != nil || answer.Status != http.StatusAccepted {
			t.Fatalf("deploy: %d %s, %v", answer.Status, answer.Body, err)
		}
	}
	load := startTraffic(t.Context(), r.URL, rate, r.image, functions...)
	load.moreOf(t, 2*rate)
	for range rounds {
		for i, old := range r.replicas {
			if err := old.Terminate(); err != nil {
				t.Fatal(err)
			}
			r.until(t, old.URL, false)
			if err := old.Wait(); err != nil {
				t.Errorf("replica %d ended: %v", i, err)
			}
			r.remove(old.URL)
			r.start(t, i)
			r.until(t, r.replicas[i].URL, true)
			load.moreOf(t, rate)
		}
	}
	load.end(t, fmt.Sprintf("%d rolling restarts of both replicas", rounds))
	for function, generation := range load.serving {
		for i, replica := range r.replicas { // each keeps what it knows for a moment
			eventually(t, fmt.Sprintf("replica %d serves generation %s of %s, which was deployed last", i, generation, function), func() bool {
				answer, err := replica.Do(t.Context(), http.MethodGet, "/system/function/"+function, nil)
				return err == nil && strings.Contains(string(answer.Body), fmt.Sprintf(`"GENERATION":%q`, generation))
			})
		}
	}
}
