package integration

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	ociv1 "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/integration/functions/picture"
)

const packageAnnotation = "com.openfaas.lambda/package"

// TestImagePackage deploys an image as a container image: its programs run from
// where they were built to be.
func TestImagePackage(t *testing.T) {
	l := python.on("trixie")
	ref := push(t, "functions/python-image:1", l.image(t))
	deploy(t, types.FunctionDeployment{Service: "python-image", Image: ref, Annotations: &map[string]string{packageAnnotation: "image"}})
	answer, err := shared.up.Do(t.Context(), http.MethodPost, "/function/python-image", []byte("ping"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(answer.Body, &got); err != nil || answer.Status != http.StatusOK {
		t.Fatalf("status %d: %v\n%s\n%s", answer.Status, err, answer.Body, tail(shared.log.String()))
	}
	want(t, got, map[string]any{"body": "ping", "script": "hello"})
	mapped, _ := got["maps"].([]any)
	for _, file := range mapped {
		if file, _ := file.(string); strings.HasPrefix(file, "/var/task") {
			t.Errorf("%s is mapped", file)
		}
	}
	if len(mapped) == 0 {
		t.Errorf("nothing is mapped: %v", got)
	}
}

func TestImagePackageOfAStaticFunction(t *testing.T) {
	ref := push(t, "functions/web-image:1", middleware(t, "web"))
	d := types.FunctionDeployment{Service: "web-image", Image: ref, Annotations: &map[string]string{packageAnnotation: "image"}}
	deploy(t, d)
	deploy(t, d) // again, which changes nothing
	if got := do(t, "POST", "/function/web-image/echo", picture.PNG(), "Content-Type", "image/png"); got.Status != 200 || !bytes.Equal(got.Body, picture.PNG()) {
		t.Errorf("answered %d with %d bytes: %.200s", got.Status, len(got.Body), got.Body)
	}
	out, err := aws(t, "get-function", "--function-name", "web-image")
	if err != nil || !strings.Contains(out, `"PackageType": "Image"`) || !strings.Contains(out, `"ResolvedImageUri"`) {
		t.Errorf("%v: %s", err, out)
	}
}

// TestAutoMakesAnImageOfWhatIsTooLarge deploys an image of more than 250 MB,
// which says nothing about its package.
func TestAutoMakesAnImageOfWhatIsTooLarge(t *testing.T) {
	data, err := fixture.Layer{"home/app/model.bin": {Mode: 0o644, Data: make([]byte, 263<<20)}}.Tar()
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(middleware(t, "web"), static.NewLayer(data, ociv1.OCIUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	deploy(t, types.FunctionDeployment{Service: "large", Image: push(t, "functions/large:1", img)})
	if got := do(t, "GET", "/function/large/status/202", nil); got.Status != 202 {
		t.Errorf("answered %d: %s", got.Status, got.Body)
	}
	told := *status(t, "large").Annotations
	if told["com.openfaas.lambda/package-type"] != "image" || !strings.Contains(told["com.openfaas.lambda/package-reason"], "larger than Lambda takes") {
		t.Errorf("describe shows %v", told)
	}
	if log := shared.log.String(); !strings.Contains(log, "type of package was chosen") {
		t.Error("the choice was not logged")
	}
}
