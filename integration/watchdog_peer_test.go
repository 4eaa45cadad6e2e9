package integration

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/openfaas/faas-provider/types"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/integration/functions/picture"
)

// TestPeerWatchdogImages deploys images that carry the real of-watchdog and the
// real classic watchdog, found in the directory that PEERS names.
func TestPeerWatchdogImages(t *testing.T) {
	peers := os.Getenv("PEERS")
	if peers == "" {
		t.Log("PEERS is not set: TestMiddlewareImage and TestClassicImage use stand-ins for the watchdogs")
		return
	}
	for name, c := range map[string]struct {
		program string
		build   func(arch string, function, watchdog []byte, env ...string) (v1.Image, error)
		path    string
	}{
		"of-watchdog":      {"web", fixture.Middleware, "/echo"},
		"classic-watchdog": {"cat", fixture.Classic, "/"},
	} {
		t.Run(name, func(t *testing.T) {
			watchdog, err := os.ReadFile(filepath.Join(peers, name))
			if err != nil {
				t.Fatal(err)
			}
			img, err := c.build(arch, program(t, c.program, arch), watchdog)
			if err != nil {
				t.Fatal(err)
			}
			deploy(t, types.FunctionDeployment{Service: name, Image: push(t, "functions/"+name+":1", img)})
			got := do(t, "POST", "/function/"+name+c.path, picture.PNG(), "Content-Type", "image/png")
			if got.Status != 200 || got.Header.Get("Content-Type") != "image/png" || !bytes.Equal(got.Body, picture.PNG()) {
				t.Errorf("answered %d %s, %d bytes", got.Status, got.Header.Get("Content-Type"), len(got.Body))
			}
			t.Logf("an image with the real %s (%d bytes) answered a PNG byte for byte", name, len(watchdog))
		})
	}
}
