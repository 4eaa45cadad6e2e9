package main

import (
	"archive/tar"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// checkImage looks at the index of a layout, its two images, and what refers to
// them.
func checkImage(t *testing.T, dir string) {
	t.Helper()
	root, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := root.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if got := manifest.Manifests[0].Annotations["org.opencontainers.image.ref.name"]; got != "1.2.3" {
		t.Errorf("the layout's name is %q", got)
	}
	index, err := root.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	platforms, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(platforms.Manifests) != 2 || platforms.Annotations["org.opencontainers.image.revision"] != "0123abc" {
		t.Fatalf("%+v", platforms)
	}
	for i, arch := range []string{"amd64", "arm64"} {
		at := platforms.Manifests[i]
		if at.Platform.String() != "linux/"+arch {
			t.Errorf("platform %s, want %s", at.Platform, arch)
		}
		img, err := index.Image(at.Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkConfig(t, img, arch)
		checkFiles(t, img)
		checkBill(t, root, manifest.Manifests[1+i], at)
	}
}

func checkConfig(t *testing.T, img v1.Image, arch string) {
	t.Helper()
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if file.Architecture != arch || file.Config.User != "65532:65532" || file.Created.Unix() != 1700000000 ||
		file.Config.Labels["org.opencontainers.image.version"] != "1.2.3" || file.Config.Labels["org.opencontainers.image.created"] != "2023-11-14T22:13:20Z" {
		t.Errorf("%+v", file)
	}
}

func checkFiles(t *testing.T, img v1.Image) {
	t.Helper()
	found := map[string]*tar.Header{}
	trusted := x509.NewCertPool()
	authorities := ""
	r := tar.NewReader(mutate.Extract(img))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = h
		if h.Name == "etc/ssl/certs/ca-certificates.crt" {
			data, err := io.ReadAll(r)
			if err != nil || !trusted.AppendCertsFromPEM(data) {
				t.Errorf("certificates: %v", err)
			}
			authorities = string(data)
		}
	}
	for name, mode := range map[string]int64{"faas-lambda": 0o755, "etc/passwd": 0o644, "tmp": 0o1777, "home/nonroot": 0o700} {
		h := found[name]
		if h == nil {
			h = found[name+"/"]
		}
		if h == nil || h.Mode != mode {
			t.Errorf("%s: %+v", name, h)
		}
	}
	if !strings.Contains(authorities, "CN=Amazon Root CA 1") || strings.Count(authorities, "BEGIN CERTIFICATE") < 100 {
		t.Errorf("%d authorities", strings.Count(authorities, "BEGIN CERTIFICATE"))
	}
}

// checkBill: a bill of materials refers to its image, and lists the modules of
// the program.
func checkBill(t *testing.T, root v1.ImageIndex, at, subject v1.Descriptor) {
	t.Helper()
	bill, err := root.Image(at.Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := bill.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if manifest.Subject == nil || manifest.Subject.Digest != subject.Digest || at.ArtifactType != bomType {
		t.Errorf("bill refers to %+v, type %s", manifest.Subject, at.ArtifactType)
	}
	layers, err := bill.Layers()
	if err != nil {
		t.Fatal(err)
	}
	r, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	var bom billOfMaterial
	if err := json.NewDecoder(r).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	purls := map[string]bool{}
	for _, c := range bom.Components {
		path, _, _ := strings.Cut(c.PURL, "@")
		purls[path] = true
	}
	for _, want := range []string{"pkg:golang/stdlib", "pkg:golang/github.com/google/go-containerregistry", "pkg:golang/golang.org/x/crypto/x509roots/fallback"} {
		if !purls[want] {
			t.Errorf("the bill does not name %s", want)
		}
	}
	if bom.Metadata.Component.Version != "1.2.3" || len(bom.Metadata.Component.Hashes) != 1 || len(bom.Dependencies[0].DependsOn) != len(bom.Components) {
		t.Errorf("%+v", bom.Metadata)
	}
}
