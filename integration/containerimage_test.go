package integration

import (
	"archive/tar"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// TestTheContainerImageServes runs the provider's image as a pod does: as its own
// user, in a root that cannot be written to, with /tmp alone, and nothing of the
// machine. It packages a function and invokes it, and reaches AWS by TLS under an
// authority of SSL_CERT_DIR, as the chart's caBundle sets it.
func TestTheContainerImageServes(t *testing.T) {
	root := t.TempDir()
	config := unpackImage(t, containerImages(t, arch), "faas-lambda", root)
	if config.User != "65532:65532" || strings.Join(config.Entrypoint, " ") != "/faas-lambda" || strings.Join(config.Cmd, " ") != "serve" {
		t.Errorf("%+v", config)
	}
	cloud := overTLS(t, shared.up.AWS, filepath.Join(root, "etc", "ssl", "extra"))
	log := &lockedBuffer{}
	served, err := fixture.StartServe(context.WithoutCancel(t.Context()), pod(t, root, cloud, config), 0, log)
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	t.Cleanup(func() {
		if err := served.Stop(); err != nil {
			t.Errorf("%v\n%s", err, log)
		}
	})
	if os.Geteuid() == 0 {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", served.PID()))
		if err != nil || !strings.Contains(string(status), "\nUid:\t65532\t65532\t65532\t65532\n") {
			t.Errorf("%v, runs as\n%s", err, status)
		}
	}
	ref := push(t, "functions/in-a-pod:1", classic(t))
	if answer, err := served.Deploy(t.Context(), types.FunctionDeployment{Service: "in-a-pod", Image: ref}); err != nil || answer.Status >= 300 {
		t.Fatalf("deploy: %d %s, %v\n%s", answer.Status, answer.Body, err, log)
	}
	if answer, err := served.Do(t.Context(), "POST", "/function/in-a-pod", []byte("hello")); err != nil || answer.Status != http.StatusOK || string(answer.Body) != "hello" {
		t.Errorf("invoke: %d %q, %v\n%s", answer.Status, answer.Body, err, log)
	}
	if answer, err := served.Remove(t.Context(), "in-a-pod"); err != nil || answer.Status >= 300 {
		t.Errorf("remove: %d %s, %v", answer.Status, answer.Body, err)
	}
	if answer, err := served.Do(t.Context(), "GET", "/readyz", nil); err != nil || answer.Status != http.StatusOK {
		t.Errorf("readyz: %d %s, %v", answer.Status, answer.Body, err)
	}
}

// TestTheWatchdogImageIsAFile: a Dockerfile takes the watchdog by COPY --from.
func TestTheWatchdogImageIsAFile(t *testing.T) {
	root := t.TempDir()
	unpackImage(t, containerImages(t, arch), "fwatchdog", root)
	files, err := os.ReadDir(root)
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(root, "fwatchdog"), "-version").CombinedOutput()
	if err != nil || len(out) == 0 {
		t.Errorf("fwatchdog -version: %v %s", err, out)
	}
}

// containerImages makes the images of one processor from the built programs, and
// returns the folder of their layouts.
func containerImages(t *testing.T, arch string) string {
	t.Helper()
	work := t.TempDir()
	in := filepath.Join(work, "programs", "linux-"+arch)
	if err := os.MkdirAll(in, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"faas-lambda", "fwatchdog"} {
		if err := os.Symlink(filepath.Join(programs, name), filepath.Join(in, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "./images", "-arch", arch, "-programs", filepath.Join(work, "programs"), "-out", work, "-version", "test")
	cmd.Dir = filepath.Dir(programs)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make images: %v\n%s", err, out)
	}
	return work
}

// unpackImage writes the files of a layout's image to a folder.
func unpackImage(t *testing.T, layouts, name, to string) v1.Config {
	t.Helper()
	index, err := layout.ImageIndexFromPath(filepath.Join(layouts, name))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	platforms, err := index.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	below, err := platforms.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	img, err := platforms.Image(below.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	content := mutate.Extract(img)
	defer func() { _ = content.Close() }()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return file.Config
		}
		if err == nil {
			err = unpackEntry(filepath.Join(to, filepath.FromSlash(h.Name)), h, r)
		}
		if err != nil {
			t.Fatalf("unpack image: %v", err)
		}
	}
}

func unpackEntry(path string, h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeDir {
		return os.MkdirAll(path, 0o755)
	}
	data, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, h.FileInfo().Mode().Perm())
}

// overTLS serves what is at target by TLS, and writes the authority to a folder.
func overTLS(t *testing.T, target, authorities string) string {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.FlushInterval = -1
	server := httptest.NewTLSServer(proxy)
	t.Cleanup(server.Close)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.MkdirAll(authorities, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(authorities, "ca.crt"), certificate, 0o644); err != nil {
		t.Fatal(err)
	}
	return server.URL
}

// pod writes a script that runs the image's program in its root: read-only but
// for /tmp, with the variables of the image, those of the test's provider, and no
// others.
func pod(t *testing.T, root, cloud string, config v1.Config) string {
	t.Helper()
	namespaces, user := "", "--userspec="+config.User
	if os.Geteuid() != 0 {
		namespaces, user = "--map-root-user", ""
	}
	script := fmt.Sprintf(`#!/bin/sh
exec unshare %s --mount sh -c '
	mount --bind %[2]s %[2]s && mount -o remount,ro,bind %[2]s && mount -t tmpfs tmpfs %[2]s/tmp && chmod 1777 %[2]s/tmp || exit 1
	exec env -i %[3]s host="$host" port="$port" AWS_ENDPOINT_URL=%[4]s SSL_CERT_DIR=/etc/ssl/extra AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=faas-lambda AWS_SECRET_ACCESS_KEY=faas-lambda \
		lambda_execution_role=arn:aws:iam::000000000000:role/faas-lambda function_arch=%[5]s cache_dir=/tmp/cache \
		$(command -v chroot) %[6]s %[2]s %[7]s "$@"' sh "$@"
`, namespaces, root, strings.Join(config.Env, " "), cloud, arch, user, config.Entrypoint[0])
	path := filepath.Join(t.TempDir(), "pod")
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
