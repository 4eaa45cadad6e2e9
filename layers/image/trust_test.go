package image

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// put writes a file with the directories above it, and returns its path.
func put(t testing.TB, file, text string, mode os.FileMode) string {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), mode)); err != nil {
		t.Fatal(err)
	}
	return file
}

// try opens an image and closes it.
func try(t testing.TB, ref string, opts Options) error {
	t.Helper()
	img, err := Open(t.Context(), ref, opts)
	if err != nil {
		return err
	}
	return img.Close()
}

// locked is a registry that asks for the user "me" with the password "secret".
func locked(t testing.TB) string {
	t.Helper()
	locked := false
	host := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if u, p, _ := r.BasicAuth(); locked && (u != "me" || p != "secret") {
				challenge(w, nil)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	push(t, host+"/team/fn", imageOf(t, "linux", "amd64"))
	locked = true
	return host
}

// helper puts a credential helper into the PATH: a program that answers "get"
// in the protocol of docker-credential-helpers.
func helper(t testing.TB, name, user, password string) {
	t.Helper()
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nread server\necho '{\"ServerURL\":\"'$server'\",\"Username\":\"%s\",\"Secret\":\"%s\"}'\n", user, password)
	put(t, filepath.Join(dir, "docker-credential-"+name), script, 0o700)
	old := os.Getenv("PATH")
	if err := os.Setenv("PATH", dir+":"+old); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Setenv("PATH", old) })
}

func TestCredentialsComeFromTheUsualPlaces(t *testing.T) {
	host := locked(t)
	good, bad := "bWU6c2VjcmV0", "bWU6d3Jvbmc="
	auths := func(key, auth string) string { return fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, key, auth) }
	for name, c := range map[string]struct {
		set  func(t *testing.T, dir string) Options
		want error
	}{
		"none": {func(*testing.T, string) Options { return Options{} }, ErrUnauthorized},
		"docker's configuration": {func(t *testing.T, dir string) Options {
			put(t, filepath.Join(dir, ".docker/config.json"), auths(host, good), 0o600)
			t.Setenv("HOME", dir)
			return Options{}
		}, nil},
		"docker's configuration elsewhere": {func(t *testing.T, dir string) Options {
			put(t, filepath.Join(dir, "config.json"), auths(host, good), 0o600)
			t.Setenv("DOCKER_CONFIG", dir)
			return Options{}
		}, nil},
		"podman's file": {func(t *testing.T, dir string) Options {
			t.Setenv("REGISTRY_AUTH_FILE", put(t, filepath.Join(dir, "auth.json"), auths(host+"/team", good), 0o600))
			return Options{}
		}, nil},
		"helper of the registry": {func(t *testing.T, dir string) Options {
			helper(t, "one", "me", "secret")
			put(t, filepath.Join(dir, "config.json"), fmt.Sprintf(`{"credHelpers":{%q:"one"}}`, host), 0o600)
			t.Setenv("DOCKER_CONFIG", dir)
			return Options{}
		}, nil},
		"helper of all registries": {func(t *testing.T, dir string) Options {
			helper(t, "all", "me", "secret")
			put(t, filepath.Join(dir, "config.json"), fmt.Sprintf(`{"auths":{%q:{}},"credsStore":"all"}`, host), 0o600)
			t.Setenv("DOCKER_CONFIG", dir)
			return Options{}
		}, nil},
		"helper that is missing": {func(t *testing.T, dir string) Options {
			put(t, filepath.Join(dir, "config.json"), fmt.Sprintf(`{"credHelpers":{%q:"missing"}}`, host), 0o600)
			t.Setenv("DOCKER_CONFIG", dir)
			return Options{}
		}, ErrUnauthorized},
		"pull secret": {func(t *testing.T, dir string) Options {
			return Options{PullSecrets: []string{put(t, filepath.Join(dir, ".dockerconfigjson"), auths(host, good), 0o600)}}
		}, nil},
		"pull secret with user and password": {func(t *testing.T, dir string) Options {
			return Options{PullSecrets: []string{put(t, filepath.Join(dir, "f"), fmt.Sprintf(`{"auths":{%q:{"username":"me","password":"secret"}}}`, host), 0o600)}}
		}, nil},
		"pull secret of the older form": {func(t *testing.T, dir string) Options {
			put(t, filepath.Join(dir, ".dockercfg"), fmt.Sprintf(`{%q:{"auth":%q}}`, "http://"+host+"/v1/", good), 0o600)
			return Options{PullSecrets: []string{dir}}
		}, nil},
		"pull secrets mounted side by side": {func(t *testing.T, dir string) Options {
			put(t, filepath.Join(dir, "a/.dockerconfigjson"), auths("registry.example.com", bad), 0o600)
			put(t, filepath.Join(dir, "b/.dockerconfigjson"), auths(host, good), 0o600)
			return Options{PullSecrets: []string{dir}}
		}, nil},
		"pull secret before docker's configuration": {func(t *testing.T, dir string) Options {
			put(t, filepath.Join(dir, "config.json"), auths(host, bad), 0o600)
			t.Setenv("DOCKER_CONFIG", dir)
			return Options{PullSecrets: []string{put(t, filepath.Join(dir, "s"), auths(host, good), 0o600)}}
		}, nil},
		"pull secret with a wrong password": {func(t *testing.T, dir string) Options {
			return Options{PullSecrets: []string{put(t, filepath.Join(dir, "s"), auths(host, bad), 0o600)}}
		}, ErrUnauthorized},
		"pull secret that is missing": {func(_ *testing.T, dir string) Options {
			return Options{PullSecrets: []string{filepath.Join(dir, "s")}}
		}, ErrUnauthorized},
		"pull secret that is none": {func(t *testing.T, dir string) Options {
			return Options{PullSecrets: []string{put(t, filepath.Join(dir, "s"), "secret", 0o600)}}
		}, ErrUnauthorized},
		"given when there are none": {func(*testing.T, string) Options {
			return Options{Credentials: func(_ context.Context, registry string) (string, string, error) {
				if registry != host {
					return "", "", fmt.Errorf("asked for %s", registry)
				}
				return "me", "secret", nil
			}}
		}, nil},
		"not given": {func(*testing.T, string) Options {
			return Options{Credentials: func(context.Context, string) (string, string, error) { return "", "", errors.New("no token") }}
		}, ErrUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			bare(t)
			opts := c.set(t, t.TempDir())
			err := try(t, host+"/team/fn", opts)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			// Who pushes asks for them by themselves.
			found, credentialsErr := Credentials(t.Context(), host+"/team/fn", opts)
			if right := found == (Login{Username: "me", Password: "secret"}); right != (c.want == nil) || c.want == nil && credentialsErr != nil {
				t.Errorf("for a push: %v", credentialsErr)
			}
			if err != nil && (strings.Contains(err.Error(), "secret\"") || strings.Contains(err.Error(), good)) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestPullSecretsAreMatchedAsKubernetesDoes(t *testing.T) {
	for _, c := range []struct {
		key, repository string
		want            bool
	}{
		{"registry.example.com", "registry.example.com/team/fn", true},
		{"https://registry.example.com/v2/", "registry.example.com/team/fn", true},
		{"registry.example.com/team", "registry.example.com/team/fn", true},
		{"registry.example.com/team", "registry.example.com/teams/fn", false},
		{"*.example.com", "registry.example.com/fn", true},
		{"*.example.com", "a.registry.example.com/fn", false},
		{"registry-*.example.com", "registry-1.example.com/fn", true},
		{"*", "registry.example.com/fn", false},
		{"registry.example.com:5000", "registry.example.com/fn", false},
		{"https://index.docker.io/v1/", "docker.io/library/alpine", true},
		{"[", "registry.example.com/fn", false},
	} {
		if got := fits(c.key, c.repository); got != c.want {
			t.Errorf("%s for %s: %v", c.key, c.repository, got)
		}
	}
	entries := map[string]secretEntry{"example.com": {Username: "wide"}, "example.com/team": {Username: "team"}, "example.com/team/fn": {}}
	if got := findEntry(entries, "example.com/team/fn"); got.Username != "team" {
		t.Errorf("chose %+v", got)
	}
}

func FuzzPullSecret(f *testing.F) {
	f.Add([]byte(`{"auths":{"a.b":{"auth":"bWU6c2VjcmV0"}}}`), "a.b/c")
	f.Add([]byte(`{"https://[a/v1/":{"username":"u"}}`), "a.b:1/c")
	f.Fuzz(func(_ *testing.T, data []byte, repository string) {
		if entries, err := parseSecret(data); err == nil {
			findEntry(entries, repository)
		}
	})
}

// mirrored is one registry that is reached over plain HTTP and over TLS, and the
// certificate that vouches for the latter.
type mirrored struct {
	plain, tls string // host:port
	ca         string // PEM
}

func serveBoth(t testing.TB, repositories ...string) mirrored {
	t.Helper()
	h := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	plain, secure := httptest.NewServer(h), httptest.NewTLSServer(h)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	m := mirrored{
		plain: strings.TrimPrefix(plain.URL, "http://"), tls: strings.TrimPrefix(secure.URL, "https://"),
		ca: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})),
	}
	for _, r := range repositories {
		push(t, m.plain+"/"+r, imageOf(t, "linux", "amd64"))
	}
	return m
}

// TestRegistriesConf reads images of registries that do not exist from others on
// loopback that stand in for them.
func TestRegistriesConf(t *testing.T) {
	bare(t)
	full, without := serveBoth(t, "copy/fn"), serveBoth(t)
	const name = "registry.example.com"
	entry := func(location string, more ...string) string {
		return fmt.Sprintf("[[registry]]\nprefix=%q\nlocation=%q\n%s\n", name, location, strings.Join(more, "\n"))
	}
	mirror := func(location string, insecure bool) string {
		return fmt.Sprintf("[[registry.mirror]]\nlocation=%q\ninsecure=%v", location, insecure)
	}
	for what, c := range map[string]struct {
		conf, ref string
		opts      Options
		trust     bool // the registry's certificate authority
		want      error
		says      string
	}{
		"another place":                     {conf: entry(full.plain+"/copy", "insecure=true"), ref: name + "/fn"},
		"another place, not insecure":       {conf: entry(full.plain + "/copy"), ref: name + "/fn", want: ErrUnavailable, says: "HTTP response to HTTPS"},
		"private CA":                        {conf: entry(full.tls + "/copy"), ref: name + "/fn", trust: true},
		"private CA that is not trusted":    {conf: entry(full.tls + "/copy"), ref: name + "/fn", want: ErrUnavailable, says: "certificate"},
		"mirror":                            {conf: entry("127.0.0.1:1/copy", mirror(full.plain+"/copy", true)), ref: name + "/fn"},
		"mirror with a private CA":          {conf: entry("127.0.0.1:1/copy", mirror(full.tls+"/copy", false)), ref: name + "/fn", trust: true},
		"second mirror":                     {conf: entry("127.0.0.1:1/copy", mirror(without.plain+"/copy", true), mirror(full.plain+"/copy", true)), ref: name + "/fn"},
		"mirror without it, then the place": {conf: entry(full.plain+"/copy", "insecure=true", mirror(without.plain+"/copy", true)), ref: name + "/fn"},
		"nowhere":                           {conf: entry("127.0.0.1:1/copy", mirror(without.plain+"/copy", true)), ref: name + "/fn", want: ErrUnavailable, says: "irrors also failed"},
		"blocked":                           {conf: entry(full.plain+"/copy", "insecure=true", "blocked=true"), ref: name + "/fn", want: ErrBlocked, says: name},
		"blocked, but not this part":        {conf: "[[registry]]\nprefix=\"" + name + "/other\"\nlocation=\"" + name + "/other\"\nblocked=true\n" + entry(full.plain+"/copy", "insecure=true"), ref: name + "/fn"},
		"named insecure, mirror is not":     {conf: entry("127.0.0.1:1/copy", mirror(full.plain+"/copy", false)), ref: name + "/fn", opts: Options{InsecureRegistries: []string{name}}, want: ErrUnavailable},
		"loopback by itself":                {conf: "", ref: full.plain + "/copy/fn"},
		"loopback over TLS by itself":       {conf: "", ref: full.tls + "/copy/fn"},
		"no configuration":                  {conf: "[[registry", ref: full.plain + "/copy/fn", want: ErrUnavailable, says: "registries.conf"},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			c.opts.RegistriesConf = put(t, filepath.Join(dir, "registries.conf"), c.conf, 0o600)
			c.opts.CertDir = filepath.Join(dir, "certs.d")
			if c.trust {
				put(t, filepath.Join(c.opts.CertDir, full.tls, "ca.crt"), full.ca, 0o600)
			}
			err := try(t, c.ref, c.opts)
			if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v saying %q", err, c.want, c.says)
			}
		})
	}
}

// TestSignaturePolicy asks for signatures of cosign's, in the registry itself.
func TestSignaturePolicy(t *testing.T) {
	bare(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der := must(x509.MarshalPKIXPublicKey(key.Public()))(t)
	public := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	host := serve(t, nil)
	amd, arm := imageOf(t, "linux", "amd64"), imageOf(t, "linux", "arm64")
	index := indexOf(t, amd, arm)
	push(t, host+"/signed:1", amd)
	push(t, host+"/unsigned:1", amd)
	push(t, host+"/claimed:1", amd)
	push(t, host+"/index:1", index)
	sign := func(repository string, d v1.Hash, as string) {
		text := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":{}}`, as, d)
		sum := sha256.Sum256(text)
		signature := must(ecdsa.SignASN1(rand.Reader, key, sum[:]))(t)
		img := must(mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
			Layer:       static.NewLayer(text, "application/vnd.dev.cosign.simplesigning.v1+json"),
			Annotations: map[string]string{cosignSignature: base64.StdEncoding.EncodeToString(signature)},
		}))(t)
		push(t, host+"/"+repository+":sha256-"+d.Hex+".sig", img)
	}
	sign("signed", must(amd.Digest())(t), host+"/signed:1")
	sign("claimed", must(amd.Digest())(t), host+"/signed:1")
	sign("index", must(index.Digest())(t), host+"/index:1")

	signed := `[{"type":"sigstoreSigned","keyData":"` + public + `"}]`
	for what, c := range map[string]struct {
		policy, ref string
		want        error
		says        string
	}{
		"anything":               {`{"default":[{"type":"insecureAcceptAnything"}]}`, "unsigned:1", nil, ""},
		"nothing":                {`{"default":[{"type":"reject"}]}`, "signed:1", ErrRefused, "the default"},
		"one repository":         {`{"default":[{"type":"reject"}],"transports":{"docker":{"` + host + `/unsigned":[{"type":"insecureAcceptAnything"}]}}}`, "unsigned:1", nil, ""},
		"all but one repository": {`{"default":[{"type":"insecureAcceptAnything"}],"transports":{"docker":{"` + host + `/unsigned":[{"type":"reject"}]}}}`, "unsigned:1", ErrRefused, `"` + host + `/unsigned"`},
		"signed":                 {`{"default":` + signed + `}`, "signed:1", nil, ""},
		"signed, by digest":      {`{"default":` + signed + `}`, "signed@" + must(amd.Digest())(t).String(), nil, ""},
		"index is signed":        {`{"default":` + signed + `}`, "index:1", nil, ""},
		"not signed":             {`{"default":` + signed + `}`, "unsigned:1", ErrRefused, "no signature"},
		"signed for another":     {`{"default":` + signed + `}`, "claimed:1", ErrRefused, "/signed:1"},
		"GPG, not signed":        {`{"default":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/nowhere"}]}`, "signed:1", ErrRefused, "no signature"},
		"no policy":              {`{}`, "signed:1", ErrPolicy, ""},
	} {
		t.Run(what, func(t *testing.T) {
			opts := Options{Policy: put(t, filepath.Join(t.TempDir(), "policy.json"), c.policy, 0o600)}
			err := try(t, host+"/"+c.ref, opts)
			if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v saying %q", err, c.want, c.says)
			}
			bare(t)
			t.Setenv("CONTAINERS_POLICY_JSON", opts.Policy)
			if again := try(t, host+"/"+c.ref, Options{}); (again == nil) != (err == nil) {
				t.Errorf("named by the environment: %v", again)
			}
		})
	}
}
