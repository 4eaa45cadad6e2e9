package integration

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	ociv1 "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// faasLambda runs the program and returns what it printed.
func faasLambda(t testing.TB, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(programs, "faas-lambda"), args...).CombinedOutput()
	return string(out), err
}

// references returns one image under every kind of reference.
func references(t *testing.T) map[string]string {
	t.Helper()
	img := middleware(t, "web")
	ref := push(t, "functions/referenced:1", img)
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	index, err := layout.Write(filepath.Join(dir, "oci"), empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := index.AppendImage(img, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "one"})); err != nil {
		t.Fatal(err)
	}
	ociArchive := filepath.Join(dir, "oci.tar")
	if out, err := exec.CommandContext(t.Context(), "tar", "-C", filepath.Join(dir, "oci"), "-cf", ociArchive, ".").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v %s", err, out)
	}
	tag, err := name.NewTag("example.com/web:1")
	if err != nil {
		t.Fatal(err)
	}
	dockerArchive := filepath.Join(dir, "docker.tar")
	if err := tarball.WriteToFile(dockerArchive, tag, img); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"registry and tag":    ref,
		"registry and digest": strings.TrimSuffix(ref, ":1") + "@" + digest.String(),
		"docker://":           "docker://" + ref,
		"oci":                 "oci:" + filepath.Join(dir, "oci"),
		"oci with a name":     "oci:" + filepath.Join(dir, "oci") + ":one",
		"oci-archive":         "oci-archive:" + ociArchive,
		"docker-archive":      "docker-archive:" + dockerArchive,
	}
}

// TestPackageIsTheSameBytes packages one image under each reference, each time
// in a process of its own.
func TestPackageIsTheSameBytes(t *testing.T) {
	sums := map[string]string{}
	for kind, ref := range references(t) {
		out := filepath.Join(t.TempDir(), "function.zip")
		if said, err := faasLambda(t, "package", ref, "-o", out); err != nil {
			t.Errorf("%s: package %s: %v\n%s", kind, ref, err, said)
			continue
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		if kind == "docker-archive" { // another manifest, so another digest in the launch spec
			continue
		}
		sums[hex.EncodeToString(sum[:])] = kind
	}
	if len(sums) != 1 {
		t.Errorf("one image gave %d different packages: %v", len(sums), sums)
	}
}

func TestEveryReferenceDeploys(t *testing.T) {
	for kind, ref := range references(t) {
		t.Run(kind, func(t *testing.T) {
			deploy(t, types.FunctionDeployment{Service: "reference", Image: ref})
			if got := do(t, "GET", "/function/reference/status/202", nil); got.Status != 202 {
				t.Errorf("answered %d: %s", got.Status, got.Body)
			}
		})
	}
}

func TestPackageContents(t *testing.T) {
	out := filepath.Join(t.TempDir(), "function.zip")
	said, err := faasLambda(t, "package", push(t, "functions/web:1", middleware(t, "web")), "-o", out)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	z, err := zip.OpenReader(out)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	modes := map[string]os.FileMode{}
	for _, f := range z.File {
		modes[strings.TrimSuffix(f.Name, "/")] = f.Mode()
	}
	for path, ok := range map[string]func(os.FileMode) bool{
		"bootstrap":                func(m os.FileMode) bool { return m == 0o755 },
		".faas-lambda/launch.json": os.FileMode.IsRegular,
		"home/app/handler":         func(m os.FileMode) bool { return m.IsRegular() && m&0o555 == 0o555 },
		"etc/ssl/cert.pem":         func(m os.FileMode) bool { return m&os.ModeSymlink != 0 },
		"root":                     func(m os.FileMode) bool { return m.IsDir() && m&0o055 == 0o055 },
	} {
		if m, found := modes[path]; !found || !ok(m) {
			t.Errorf("%s: found %v, mode %v", path, found, m)
		}
	}
	for path := range modes {
		if strings.Contains(path, ".wh.") || path == "var/cache/misc" {
			t.Errorf("the package holds %s, which a later layer removed", path)
		}
	}
	for _, word := range []string{"layers", "files", "zipped", "unzipped"} {
		if !strings.Contains(strings.ToLower(said), word) {
			t.Errorf("the summary does not mention %s:\n%s", word, said)
		}
	}
}

func TestPackageRefuses(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.tar")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("garbage"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, ref := range map[string]string{
		"missing image":       shared.registry.Addr + "/functions/missing:1",
		"missing directory":   "oci:" + filepath.Join(dir, "nothing"),
		"a corrupt archive":   "docker-archive:" + garbage,
		"an unknown scheme":   "ftp:somewhere",
		"another OCI corrupt": "oci-archive:" + garbage,
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "function.zip")
			said, err := faasLambda(t, "package", ref, "-o", out)
			if err == nil || len(said) == 0 || strings.Contains(said, "goroutine ") {
				t.Errorf("package %s: %v\n%s", ref, err, said)
			}
			if left, err := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

// Lambda takes zips over 50 MB from S3 only.
func TestPackageOver50MBGoesThroughS3(t *testing.T) {
	model := make([]byte, 51<<20)
	// No other test's bytes, and not those of this test run again.
	_, _ = rand.Read(model)
	data, err := fixture.Layer{"home/app/model.bin": {Mode: 0o644, Data: model}}.Tar()
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(middleware(t, "web"), static.NewLayer(data, ociv1.OCIUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	before := codeInBucket(t)
	deploy(t, types.FunctionDeployment{Service: "model", Image: push(t, "functions/model:1", img)})
	if got := do(t, "GET", "/function/model/status/202", nil); got.Status != 202 {
		t.Errorf("answered %d: %s", got.Status, got.Body)
	}
	if after := codeInBucket(t); after != before+1 {
		t.Errorf("%d packages in the bucket, %d before", after, before)
	}
}

// codeInBucket counts the packages that lie in S3.
func codeInBucket(t *testing.T) int {
	t.Helper()
	// A bucket that is not there yet is an error of the program's, and holds nothing.
	out, _ := awsCommand(t, "s3", "ls", "--recursive", "s3://faas-lambda-000000000000-us-east-1/faas-lambda/code/")
	return strings.Count(out, ".zip")
}
