package lambda

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

// An extension runs beside the function, whether a layer brings it or an image has it.
func TestExternalExtensions(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	h := start(t, Options{Services: Services{Registries: r}})
	layer := h.publishLayer("watcher", map[string][]byte{"extensions/watcher": lambdatest.Extension})
	image := r.push("watched", v1.Config{Entrypoint: []string{"/bin/entry"}}, map[string]string{"opt/extensions/watcher": string(lambdatest.Extension)})
	for kind, deploy := range map[string]func(name, mode string){
		"zip": func(name, mode string) {
			h.Deploy(name, func(in *lambda.CreateFunctionInput) {
				in.Layers, in.Environment = []string{layer}, lambdatest.Vars("EXTENSION", mode)
			})
		},
		"image": func(name, mode string) {
			in := imageInput(name, image)
			in.Environment = lambdatest.Vars("EXTENSION", mode)
			h.deployImage(in)
		},
	} {
		t.Run(kind, func(t *testing.T) {
			deploy(kind+"-watched", "none")
			out := h.Invoke(kind+"-watched", `"x"`)
			if string(out.Payload) != `"x"` || out.FunctionError != nil {
				t.Errorf("answer %s", out.Payload)
			}
			tail := tailOf(t, out)
			for _, want := range []string{"EXTENSION\tName: watcher\tState: Ready\tEvents: [INVOKE,SHUTDOWN]\nSTART", "extension got INVOKE "} {
				if !strings.Contains(tail, want) {
					t.Errorf("log lacks %q:\n%s", want, tail)
				}
			}
			deploy(kind+"-crashing", "exit")
			out = h.Invoke(kind+"-crashing", `"x"`)
			if !strings.Contains(string(out.Payload), `"errorType":"Extension.Crash"`) || !strings.Contains(string(out.Payload), "Error: exit status 7") || aws.ToString(out.FunctionError) != "Unhandled" {
				t.Errorf("answer %s", out.Payload)
			}
		})
	}
	if _, err := h.Lambda.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("zip-watched"), Environment: &types.Environment{}}); err != nil {
		t.Fatal(err)
	}
	h.Updated("zip-watched")
	lambdatest.WaitFor(t, "the end of the sandbox that was used until then", func() bool { return strings.Contains(h.Log.String(), "zip-watched: extension got SHUTDOWN spindown") })
}
