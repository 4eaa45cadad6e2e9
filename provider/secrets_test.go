package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	sdkcredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/emulator"
	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
)

// secretsOn returns a backend and a client of the same Secrets Manager, for what
// others do there.
func secretsOn(t *testing.T) (*aws.Backend, *secretsmanager.Client) {
	t.Helper()
	cloud, err := emulator.New(emulator.Options{DataDir: t.TempDir(), Region: region, Account: account})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(cloud)
	t.Cleanup(func() {
		server.Close()
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	b, err := aws.Open(t.Context(), aws.Options{
		Namespace: "openfaas-fn", Role: "arn:aws:iam::" + account + ":role/test", Arch: runtime.GOARCH, Memory: 256, CodeBucket: "none",
		Timeout: time.Minute, DeployTimeout: time.Minute, Endpoint: server.URL, Region: region, AccessKey: "test", SecretKey: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, secretsmanager.New(secretsmanager.Options{
		Region: region, BaseEndpoint: &server.URL, Credentials: sdkcredentials.NewStaticCredentialsProvider("test", "test", ""), HTTPClient: http.DefaultClient,
	})
}

func TestValuesOfSecrets(t *testing.T) {
	b, client := secretsOn(t)
	for _, c := range []struct {
		name   string
		secret types.Secret
		text   string // empty where it is binary
		binary []byte
	}{
		{"value", types.Secret{Value: "pass word"}, "pass word", nil},
		{"the untrimmed file counts", types.Secret{Value: "pass word", RawValue: []byte("pass word\n")}, "pass word\n", nil},
		{"binary", types.Secret{Value: "\uFFFD", RawValue: []byte{0xff, 0, '\n'}}, "", []byte{0xff, 0, '\n'}},
		{"as much as there may be", types.Secret{Value: strings.Repeat("x", 65536)}, strings.Repeat("x", 65536), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.secret.Name, c.secret.Namespace = "of-values", "openfaas-fn"
			if err := b.CreateSecret(t.Context(), c.secret); err != nil {
				t.Fatal(err)
			}
			out, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: sdk.String("faas-lambda/openfaas-fn/of-values")})
			if err != nil {
				t.Fatal(err)
			}
			if sdk.ToString(out.SecretString) != c.text || !bytes.Equal(out.SecretBinary, c.binary) {
				t.Errorf("kept %q, %q", sdk.ToString(out.SecretString), out.SecretBinary)
			}
			// And again: the name is free as soon as it is deleted.
			if err := b.DeleteSecret(t.Context(), "openfaas-fn", "of-values"); err != nil {
				t.Fatal(err)
			}
			if _, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: out.ARN}); err == nil {
				t.Error("it can be read when it is deleted")
			}
			if list, err := b.Secrets(t.Context(), "openfaas-fn"); err != nil || len(list) != 0 {
				t.Errorf("listed %v, %v", list, err)
			}
			if err := b.UpdateSecret(t.Context(), c.secret); !errors.Is(err, backend.ErrNotFound) {
				t.Errorf("update of a deleted one: %v", err)
			}
		})
	}
	t.Run("more than there may be", func(t *testing.T) {
		err := b.CreateSecret(t.Context(), types.Secret{Name: "long", Namespace: "openfaas-fn", Value: strings.Repeat("x", 65537)})
		if !errors.Is(err, backend.ErrInvalid) || !strings.Contains(err.Error(), "65537 bytes") {
			t.Errorf("%v", err)
		}
	})
	t.Run("another namespace", func(t *testing.T) {
		if err := b.CreateSecret(t.Context(), types.Secret{Name: "a", Namespace: "nowhere", Value: "x"}); !errors.Is(err, backend.ErrNotFound) {
			t.Errorf("%v", err)
		}
	})
}

// TestSecretsOfOthersAreLeftAlone has secrets under names that ours would have,
// without our tags.
func TestSecretsOfOthersAreLeftAlone(t *testing.T) {
	b, client := secretsOn(t)
	for _, name := range []string{"faas-lambda/openfaas-fn/theirs", "theirs", "faas-lambda/openfaas-fn-2/theirs"} {
		if _, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: sdk.String("kept")}); err != nil {
			t.Fatal(err)
		}
	}
	secret := types.Secret{Name: "theirs", Namespace: "openfaas-fn", Value: "x"}
	for what, err := range map[string]error{
		"create": b.CreateSecret(t.Context(), secret), "update": b.UpdateSecret(t.Context(), secret), "delete": b.DeleteSecret(t.Context(), "openfaas-fn", "theirs"),
	} {
		if !errors.Is(err, backend.ErrConflict) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if list, err := b.Secrets(t.Context(), "openfaas-fn"); err != nil || len(list) != 0 {
		t.Errorf("listed %v, %v", list, err)
	}
	for _, name := range []string{"faas-lambda/openfaas-fn/theirs", "theirs"} {
		out, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &name})
		if err != nil || sdk.ToString(out.SecretString) != "kept" {
			t.Errorf("%s: %v %v", name, out, err)
		}
	}
}

func TestManySecretsAreListedInOrder(t *testing.T) {
	b, _ := secretsOn(t)
	var want []string
	for i := range 130 { // more than a page
		name := strings.Repeat("n", 1+i%3) + string(rune('a'+i%26)) + string(rune('a'+i/26))
		want = append(want, name)
		if err := b.CreateSecret(t.Context(), types.Secret{Name: name, Namespace: "openfaas-fn", Value: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(want)
	list, err := b.Secrets(t.Context(), "openfaas-fn")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		if s.Value != "" || s.RawValue != nil {
			t.Errorf("a value is listed: %v", s)
		}
		got = append(got, s.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v", got)
	}
}
