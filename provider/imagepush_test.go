package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/faas-lambda/faas-lambda/layers/push"
	"github.com/faas-lambda/faas-lambda/provider/config"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// locked is a registry for one user; it returns its host.
func locked(t *testing.T, user, password string) string {
	t.Helper()
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		images.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// TestImagesArePushedWithPullSecrets pushes an image's function to a registry
// whose password is in a pull secret, for one of its repositories.
func TestImagesArePushedWithPullSecrets(t *testing.T) {
	compiled, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	host := locked(t, "writer", "secret")
	dir := t.TempDir()
	text := fmt.Sprintf(`{"auths":{%q:{"username":"writer","password":"secret"}}}`, host+"/functions")
	if err := os.WriteFile(filepath.Join(dir, ".dockerconfigjson"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := packager(config.Config{CacheDir: t.TempDir(), PullSecrets: []string{dir}, LocalImages: true})
	spec := packaging.Spec{
		Image: stacked(t, map[string][]byte{"bin/cat": compiled["cat"], "usr/bin/fwatchdog": compiled["cat"]}),
		Arch:  runtime.GOARCH, Type: packaging.Image,
	}
	pkg, err := p.Package(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	put := func(repository string) (string, error) {
		to, err := p.Destination(t.Context(), repository)
		if err != nil {
			return "", err
		}
		return p.Push(t.Context(), spec, pkg, to)
	}
	digest, err := put(host + "/functions")
	if err != nil {
		t.Fatal(err)
	}
	pushed, err := name.NewDigest(host+"/functions@"+digest, name.Insecure)
	if err == nil {
		_, err = remote.Image(pushed, remote.WithAuth(&authn.Basic{Username: "writer", Password: "secret"}))
	}
	if err != nil {
		t.Errorf("what was pushed: %v", err)
	}
	if _, err := put(host + "/others"); !errors.Is(err, push.ErrDenied) {
		t.Errorf("to a repository that the secret is not for: %v", err)
	}
}
