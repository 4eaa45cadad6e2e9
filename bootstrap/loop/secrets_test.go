package loop_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/bootstrap/launch"
)

// secretsManager is AWS Secrets Manager with one secret, prod/db.
func secretsManager(t *testing.T) (*httptest.Server, *atomic.Pointer[string]) {
	t.Helper()
	value := &atomic.Pointer[string]{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" || string(body) != `{"SecretId":"prod/db"}` {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret."}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": *value.Load()})
	}))
	t.Cleanup(server.Close)
	first := "first value"
	value.Store(&first)
	return server, value
}

// named is the environment of a function with secrets.
func named(server *httptest.Server, dir, names string) []string {
	return []string{
		"AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=key", "AWS_ENDPOINT_URL=" + server.URL,
		"FAAS_LAMBDA_SECRETS=" + names, "FAAS_LAMBDA_SECRETS_DIR=" + dir,
	}
}

func TestSecretsAreThereWhenTheFunctionStarts(t *testing.T) {
	server, value := secretsManager(t)
	dir := filepath.Join(t.TempDir(), "secrets")
	env := append(named(server, dir, `{"db":"secretsmanager:prod/db"}`), "FAAS_LAMBDA_SECRETS_REFRESH=100ms")
	for name, c := range map[string]struct{ process, want string }{
		"file":     {"cat " + dir + "/db", "first value"},
		"variable": {"printenv secret_mount_path", dir + "\n"},
	} {
		root := taskRoot(t, launch.Classic, "fprocess="+c.process)
		p := startProcess(t, built(t, ".."), append(env, "LAMBDA_TASK_ROOT="+root)...)
		if got := invoke(t, p, []byte(`{}`)); string(got.Body) != c.want {
			t.Errorf("%s: answer %q, %s %s", name, got.Body, got.ErrorType, got.ErrorBody)
		}
		if name != "file" {
			continue
		}
		second := "second value"
		value.Store(&second)
		deadline := time.Now().Add(time.Minute)
		for got := ""; got != second; got = string(invoke(t, p, []byte(`{}`)).Body) {
			if time.Now().After(deadline) {
				t.Fatalf("the function still reads %q", got)
			}
		}
		first := "first value"
		value.Store(&first)
	}
}

func TestSecretsThatCannotBeHad(t *testing.T) {
	server, _ := secretsManager(t)
	for name, c := range map[string]struct {
		names, kind, says string
	}{
		"missing":       {`{"db":"secretsmanager:prod/db","token":"secretsmanager:none"}`, "Runtime.SecretsUnavailable", "fetch secret token (secretsmanager:none): ResourceNotFoundException (status 400)"},
		"configuration": {`{"../db":"secretsmanager:prod/db"}`, "Function.InvalidConfiguration", "FAAS_LAMBDA_SECRETS: "},
	} {
		t.Run(name, func(t *testing.T) {
			started := filepath.Join(t.TempDir(), "started")
			root := taskRoot(t, launch.OfWatchdog, "mode=http", "fprocess=touch "+started, "upstream_url=http://127.0.0.1:1")
			_, failed := initFailure(t, append(named(server, filepath.Join(t.TempDir(), "s"), c.names), "LAMBDA_TASK_ROOT="+root)...)
			if failed.ErrorType != c.kind || !strings.Contains(failed.ErrorBody, c.says) || strings.Contains(failed.ErrorBody, "first value") {
				t.Errorf("%s %s", failed.ErrorType, failed.ErrorBody)
			}
			if files, err := filepath.Glob(started); err != nil || len(files) != 0 {
				t.Errorf("the function was started: %v %v", files, err)
			}
		})
	}
}
