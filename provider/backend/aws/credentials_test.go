package aws

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// credentialsServer is where credentials come from outside the process: STS for a
// web identity, the agent of ECS and of EKS' pod identity, the instance's
// metadata. Each gives a key that names it.
func credentialsServer(t *testing.T) string {
	t.Helper()
	const expires = "2099-01-01T00:00:00Z"
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("Action") != "AssumeRoleWithWebIdentity" || r.FormValue("WebIdentityToken") != "the token" || r.FormValue("RoleArn") != "arn:aws:iam::123456789012:role/web" {
			http.Error(w, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>", http.StatusForbidden)
			return
		}
		_, _ = fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>WEB</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, expires)
	})
	mux.HandleFunc("GET /v1/credentials", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "the token" {
			http.Error(w, "{}", http.StatusForbidden)
			return
		}
		_, _ = fmt.Fprintf(w, `{"AccessKeyId":"POD","SecretAccessKey":"s","Token":"t","Expiration":%q}`, expires)
	})
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		_, _ = fmt.Fprint(w, "session")
	})
	mux.HandleFunc("GET /latest/meta-data/iam/security-credentials/", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Aws-Ec2-Metadata-Token") != "session" {
			http.Error(w, "", http.StatusUnauthorized)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/node") {
			_, _ = fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"NODE","SecretAccessKey":"s","Token":"t","Expiration":%q,"LastUpdated":"2026-01-01T00:00:00Z"}`, expires)
			return
		}
		_, _ = fmt.Fprint(w, "node")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// TestCredentialsComeFromWhereUsersHaveThem takes each way by which AWS gives
// credentials to a program.
func TestCredentialsComeFromWhereUsersHaveThem(t *testing.T) {
	url := credentialsServer(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token := write("token", "the token")
	shared := write("credentials", "[team]\naws_access_key_id = FILE\naws_secret_access_key = s\n")
	config := write("config", "[profile team]\nregion = eu-west-1\n")
	for _, c := range []struct {
		name   string
		env    map[string]string
		key    string
		region string
	}{
		{"environment", map[string]string{"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-west-2"}, "ENV", "us-west-2"},
		{"shared configuration", map[string]string{"AWS_SHARED_CREDENTIALS_FILE": shared, "AWS_CONFIG_FILE": config, "AWS_PROFILE": "team"}, "FILE", "eu-west-1"},
		{"web identity", map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/web", "AWS_ENDPOINT_URL_STS": url, "AWS_REGION": "us-east-1"}, "WEB", "us-east-1"},
		{"pod identity", map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": url + "/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token, "AWS_REGION": "us-east-1"}, "POD", "us-east-1"},
		{"instance role", map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": url, "AWS_EC2_METADATA_DISABLED": "false", "AWS_REGION": "us-east-1"}, "NODE", "us-east-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, kv := range os.Environ() {
				if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
					t.Setenv(name, "")
				}
			}
			t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "none"))
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "none"))
			t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			b, err := Open(t.Context(), Options{Namespace: "openfaas-fn", Role: "r", Arch: "amd64", Memory: 256, Timeout: time.Minute, DeployTimeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			got, err := b.home.config.Credentials.Retrieve(t.Context())
			if err != nil || got.AccessKeyID != c.key || b.home.config.Region != c.region {
				t.Errorf("%s of %s in %s, %v; want %s in %s", got.AccessKeyID, got.Source, b.home.config.Region, err, c.key, c.region)
			}
		})
	}
}
