package policy

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/google/go-cmp/cmp"
)

const (
	digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	other  = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
	name   = "registry.example.com/team/fn:1"
)

func text(kind, digest, name string) []byte {
	return fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":%q},"optional":null}`, name, digest, kind)
}

const (
	cosigned = "cosign container image signature"
	atomic   = "atomic container signature"
)

// pair is a key and how it signs.
type pair struct {
	public []byte
	sign   func(payload []byte) []byte
}

func pairOf(t testing.TB, key crypto.Signer) pair {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	check(t, err)
	return pair{pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), func(payload []byte) []byte {
		signed, hash := payload, crypto.Hash(0)
		if _, ok := key.(ed25519.PrivateKey); !ok {
			sum := sha256.Sum256(payload)
			signed, hash = sum[:], crypto.SHA256
		}
		signature, err := key.Sign(rand.Reader, signed, hash)
		check(t, err)
		return signature
	}}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ecdsaPair(t testing.TB) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return pairOf(t, key)
}

func parse(t testing.TB, requirement any) *Policy {
	t.Helper()
	data, err := json.Marshal(map[string]any{"default": []any{requirement}})
	check(t, err)
	p, err := Parse(data)
	check(t, err)
	return p
}

func cosignedBy(keys ...[]byte) map[string]any {
	return map[string]any{"type": "sigstoreSigned", "keyDatas": keys}
}

func image(signatures ...Signature) Image {
	return Image{Transport: "docker", Reference: name, Digests: []string{digest},
		Sigstore: func(context.Context) ([]Signature, error) { return signatures, nil }}
}

func TestCosignSignatures(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	pairs := map[string]pair{"ECDSA": ecdsaPair(t), "Ed25519": pairOf(t, ed), "RSA": pairOf(t, rs)}
	stranger := ecdsaPair(t)
	for kind, p := range pairs {
		rules := parse(t, cosignedBy(stranger.public, p.public))
		good := text(cosigned, digest, name)
		bad := bytes.Clone(p.sign(good))
		bad[len(bad)-1] ^= 1
		for what, c := range map[string]struct {
			s    []Signature
			says string
		}{
			"good":                  {[]Signature{{good, p.sign(good)}}, ""},
			"good after a bad one":  {[]Signature{{good, bad}, {good, p.sign(good)}}, ""},
			"none":                  {nil, "no signature"},
			"changed":               {[]Signature{{good, bad}}, "not by a key"},
			"text changed":          {[]Signature{{append(bytes.Clone(good), ' '), p.sign(good)}}, "not by a key"},
			"of another image":      {[]Signature{signed(p, text(cosigned, other, name))}, "is for " + other},
			"for another name":      {[]Signature{signed(p, text(cosigned, digest, "registry.example.com/team/other:1"))}, "team/other:1"},
			"for another tag":       {[]Signature{signed(p, text(cosigned, digest, "registry.example.com/team/fn:2"))}, "fn:2"},
			"of another type":       {[]Signature{signed(p, text(atomic, digest, name))}, "of the type"},
			"with two digests":      {[]Signature{signed(p, bytes.Replace(good, []byte(`"type"`), []byte(`"image":{"docker-manifest-digest":"x"},"type"`), 1))}, "occurs twice"},
			"with a member more":    {[]Signature{signed(p, bytes.Replace(good, []byte(`"type"`), []byte(`"x":1,"type"`), 1))}, "unknown field"},
			"that is no JSON":       {[]Signature{signed(p, []byte("text"))}, "signed text"},
			"of nothing, by no one": {[]Signature{{}}, "not by a key"},
		} {
			t.Run(kind+" "+what, func(t *testing.T) { expect(t, rules.Check(t.Context(), image(c.s...)), c.says) })
		}
	}
}

func signed(p pair, payload []byte) Signature { return Signature{payload, p.sign(payload)} }

// expect compares an error of Check with what it says, nothing for none.
func expect(t testing.TB, err error, says string) {
	t.Helper()
	switch {
	case says == "" && err != nil:
		t.Errorf("refused: %v", err)
	case says != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), says)):
		t.Errorf("got %v, want a refusal that says %q", err, says)
	}
}

func TestOpenPGPSignatures(t *testing.T) {
	me, err := openpgp.NewEntity("me", "", "me@example.com", nil)
	check(t, err)
	stranger, err := openpgp.NewEntity("stranger", "", "s@example.com", nil)
	check(t, err)
	var ring bytes.Buffer
	check(t, me.Serialize(&ring))
	sign := func(by *openpgp.Entity, payload []byte) []byte {
		var out bytes.Buffer
		w, err := openpgp.Sign(&out, by, nil, nil)
		check(t, err)
		_, err = w.Write(payload)
		check(t, errors.Join(err, w.Close()))
		return out.Bytes()
	}
	rules := parse(t, map[string]any{"type": "signedBy", "keyType": "GPGKeys", "keyData": ring.Bytes()})
	good := sign(me, text(atomic, digest, name))
	changed := bytes.Replace(good, []byte("fn:1"), []byte("fn:2"), 1)
	for what, c := range map[string]struct {
		s    []byte
		says string
	}{
		"good":             {good, ""},
		"by a stranger":    {sign(stranger, text(atomic, digest, name)), "not by a key"},
		"changed":          {changed, "not by a key"},
		"cut":              {good[:len(good)-20], "not by a key"},
		"of another image": {sign(me, text(atomic, other, name)), "is for " + other},
		"not signed":       {text(atomic, digest, name), "not by a key"},
		"nothing":          {nil, "not by a key"},
		"too much":         {sign(me, make([]byte, maxPayload+1)), "more than"},
	} {
		t.Run(what, func(t *testing.T) {
			img := image()
			img.Signed = func(context.Context) ([][]byte, error) { return [][]byte{c.s}, nil }
			expect(t, rules.Check(t.Context(), img), c.says)
		})
	}
}

func TestTheMostParticularScopeDecides(t *testing.T) {
	p, err := Parse([]byte(`{"default":[{"type":"reject"}],"transports":{
		"docker":{"":[{"type":"insecureAcceptAnything"}],"registry.example.com":[{"type":"reject"}],
			"registry.example.com/team":[{"type":"insecureAcceptAnything"}],"*.example.org":[{"type":"reject"}]},
		"oci":{"/images":[{"type":"insecureAcceptAnything"}]}}}`))
	check(t, err)
	for _, c := range []struct {
		transport, scopes, says string
	}{
		{"docker", "registry.example.com/team/fn:1 registry.example.com/team/fn registry.example.com/team registry.example.com", ""},
		{"docker", "registry.example.com/other/fn registry.example.com/other registry.example.com", `the scope "registry.example.com" of docker`},
		{"docker", "docker.io/library/alpine docker.io", ""},
		{"docker", "a.example.org *.example.org *.org", "no image of it"},
		{"oci", "/images/fn:1 /images/fn /images", ""},
		{"oci", "/other", "the default"},
		{"docker-archive", "", "the default"},
	} {
		err := p.Check(t.Context(), Image{Transport: c.transport, Scopes: strings.Fields(c.scopes)})
		expect(t, err, c.says)
	}
	expect(t, (*Policy)(nil).Check(t.Context(), Image{}), "")
}

// TestWhatCannotBeCheckedIsRefused lists ways to sign that policies may demand.
func TestWhatCannotBeCheckedIsRefused(t *testing.T) {
	for _, requirement := range []string{
		`{"type":"sigstoreSigned","fulcio":{"caPath":"/ca","oidcIssuer":"i","subjectEmail":"e"},"rekorPublicKeyPath":"/r"}`,
		`{"type":"sigstoreSigned","keyPath":"/k","rekorPublicKeyPath":"/r"}`,
		`{"type":"sigstoreSigned","pki":{}}`,
		`{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchExact"}}`,
		`{"type":"signedBy","keyType":"X509Certificates","keyPath":"/k"}`,
	} {
		p, err := Parse(fmt.Appendf(nil, `{"default":[{"type":"insecureAcceptAnything"},%s]}`, requirement))
		check(t, err)
		expect(t, p.Check(t.Context(), image()), "cannot be checked")
	}
	missing := parse(t, map[string]any{"type": "sigstoreSigned", "keyPath": "/nowhere/key"})
	expect(t, missing.Check(t.Context(), image(Signature{})), "read key")
	lost := image()
	lost.Sigstore = func(context.Context) ([]Signature, error) { return nil, io.ErrUnexpectedEOF }
	expect(t, missing.Check(t.Context(), lost), "read signatures")
}

func TestMistakesInPolicies(t *testing.T) {
	for what, data := range map[string]string{
		"nothing":                 ``,
		"no default":              `{}`,
		"empty default":           `{"default":[]}`,
		"unknown member":          `{"default":[{"type":"reject"}],"x":1}`,
		"member twice":            `{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}`,
		"unknown type":            `{"default":[{"type":"accept"}]}`,
		"unknown member of one":   `{"default":[{"type":"reject","x":1}]}`,
		"key of reject":           `{"default":[{"type":"reject","keyPath":"/k"}]}`,
		"no key":                  `{"default":[{"type":"sigstoreSigned"}]}`,
		"two keys":                `{"default":[{"type":"sigstoreSigned","keyPath":"/k","keyData":"YQ=="}]}`,
		"keyDatas of signedBy":    `{"default":[{"type":"signedBy","keyType":"GPGKeys","keyDatas":["YQ=="]}]}`,
		"unknown identity":        `{"default":[{"type":"sigstoreSigned","keyPath":"/k","signedIdentity":{"type":"any"}}]}`,
		"identity of another one": `{"default":[{"type":"sigstoreSigned","keyPath":"/k","signedIdentity":{"type":"matchExact","prefix":"a"}}]}`,
		"exactReference, no tag":  `{"default":[{"type":"sigstoreSigned","keyPath":"/k","signedIdentity":{"type":"exactReference","dockerReference":"a"}}]}`,
		"empty scope list":        `{"default":[{"type":"reject"}],"transports":{"docker":{"":[]}}}`,
		"something behind":        `{"default":[{"type":"reject"}]} {}`,
		"too deep":                `{"default":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
	} {
		t.Run(what, func(t *testing.T) {
			if _, err := Parse([]byte(data)); !errors.Is(err, ErrInvalid) {
				t.Errorf("got %v, want ErrInvalid", err)
			}
		})
	}
}

func TestIdentities(t *testing.T) {
	const repo = "registry.example.com/team/fn"
	for _, c := range []struct {
		identity      identity
		image, signed string
		want          bool
	}{
		{identity{Type: matchExact}, repo + ":1", repo + ":1", true},
		{identity{Type: matchExact}, repo + ":1", repo + ":2", false},
		{identity{Type: matchExact}, repo + ":1", repo, false},
		{identity{Type: matchExact}, repo + "@" + digest, repo + "@" + digest, false},
		{identity{Type: matchRepoDigestOrExact}, repo + "@" + digest, repo + ":9", true},
		{identity{Type: matchRepoDigestOrExact}, repo + "@" + digest, repo + "2:9", false},
		{identity{Type: matchRepoDigestOrExact}, repo + ":1", repo + ":9", false},
		{identity{Type: matchRepository}, repo + ":1", repo, true},
		{identity{Type: matchRepository}, repo + ":1", "docker.io/team/fn", false},
		{identity{Type: exactReference, Reference: repo + ":stable"}, "other/fn:1", repo + ":stable", true},
		{identity{Type: exactRepository, Repository: repo}, "other/fn:1", repo + ":8", true},
		{identity{Type: remapIdentity, Prefix: "mirror.lan", SignedPrefix: "registry.example.com"}, "mirror.lan/team/fn:1", repo + ":1", true},
		{identity{Type: remapIdentity, Prefix: "mirror.lan", SignedPrefix: "registry.example.com"}, "mirror.lan2/team/fn:1", repo + ":1", false},
		{identity{Type: remapIdentity, Prefix: "mirror.lan", SignedPrefix: "registry.example.com"}, repo + ":1", repo + ":1", true},
		{identity{Type: matchRepository}, repo, "Not A Name", false},
		{identity{Type: matchRepository}, "alpine:3", "docker.io/library/alpine:3", true},
	} {
		check(t, c.identity.check())
		if got := c.identity.matches(c.image, c.signed); got != c.want {
			t.Errorf("%+v: image %s, signed %s: %v", c.identity, c.image, c.signed, got)
		}
	}
}

func TestPoliciesAreFoundWherePodmanLooks(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, ".config/containers/policy.json")
	check(t, os.MkdirAll(filepath.Dir(file), 0o700))
	check(t, os.WriteFile(file, []byte(`{"default":[{"type":"reject"}]}`), 0o600))
	p, err := Find(func(k string) string { return map[string]string{"HOME": dir}[k] })
	check(t, err)
	expect(t, p.Check(t.Context(), Image{}), file)
	want := []string{dir + "/containers/policy.json", "/etc/containers/policy.json", "/usr/share/containers/policy.json"}
	if diff := cmp.Diff(want, Paths(func(k string) string { return map[string]string{"HOME": "/h", "XDG_CONFIG_HOME": dir}[k] })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := Find(func(k string) string { return map[string]string{"CONTAINERS_POLICY_JSON": "/nowhere"}[k] }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is named and missing: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"default":[{"type":"reject"}],"transports":{"docker":{"":[{"type":"sigstoreSigned","keyPath":"/k","signedIdentity":{"type":"remapIdentity","prefix":"a","signedPrefix":"b"}}]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err == nil && len(p.fallback) == 0 {
			t.Error("no default")
		}
	})
}

func FuzzSignature(f *testing.F) {
	p := ecdsaPair(f)
	rules := parse(f, cosignedBy(p.public))
	good := text(cosigned, digest, name)
	f.Add(good, p.sign(good), []byte("-----BEGIN"))
	f.Fuzz(func(t *testing.T, payload, signature, key []byte) {
		err := rules.Check(t.Context(), image(Signature{payload, signature}))
		if err == nil && !bytes.Equal(payload, good) {
			t.Error("accepted")
		}
		if check, err := openPGP(key); err == nil {
			_, _ = check(Signature{payload, signature})
		}
	})
}
