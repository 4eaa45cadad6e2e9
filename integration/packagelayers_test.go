package integration

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"
)

// layered are the annotations that ask for Lambda layers.
func layered() *map[string]string { return &map[string]string{packageAnnotation: "layers"} }

// configuration is what Lambda says about a function.
type configuration struct {
	CodeSize int64
	Layers   []struct{ Arn string }
}

func configurationOf(t *testing.T, function string) configuration {
	t.Helper()
	out, err := aws(t, "get-function-configuration", "--function-name", function)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var c configuration
	decode(t, []byte(out), &c)
	return c
}

// TestLayersPackage deploys images as Lambda layers and a small zip, and asks
// their functions what they found.
func TestLayersPackage(t *testing.T) {
	for name, l := range map[string]language{
		"python-layers": python.on("trixie"),
		"ruby-layers":   ruby.on("trixie"),
		"php-layers":    php.on("trixie"),
		"node-layers":   node.on("trixie", nodeProgram(t)),
	} {
		t.Run(name, func(t *testing.T) {
			deploy(t, types.FunctionDeployment{Service: name, Image: push(t, "functions/"+name+":1", l.image(t)), Annotations: layered()})
			answer, err := shared.up.Do(t.Context(), http.MethodPost, "/function/"+name, []byte("ping"))
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := json.Unmarshal(answer.Body, &got); err != nil || answer.Status != http.StatusOK {
				t.Fatalf("status %d: %v\n%s\n%s", answer.Status, err, answer.Body, tail(shared.log.String()))
			}
			want(t, got, map[string]any{"body": "ping", "script": "hello"})
			if shell, _ := got["shell"].(string); !strings.HasSuffix(shell, "\n42") {
				t.Errorf("shell said %q", shell)
			}
			shared := 0
			for _, list := range []string{"maps", "child"} {
				files, _ := got[list].([]any)
				for _, f := range files {
					switch name, _ := f.(string); {
					case strings.HasPrefix(name, "/opt/image/"):
						shared++
					case !strings.HasPrefix(name, "/var/task/") && !strings.HasPrefix(name, "/dev/zero"):
						t.Errorf("%s: the host's %s is mapped", list, name)
					}
				}
			}
			if shared == 0 {
				t.Errorf("nothing of the layers is mapped: %v", got["maps"])
			}
			l.expect(t, got)
			if c := configurationOf(t, name); len(c.Layers) != 2 || !l.bare && c.CodeSize > 1<<20 {
				t.Errorf("zip of %d bytes, layers %+v", c.CodeSize, c.Layers)
			}
		})
	}
}
