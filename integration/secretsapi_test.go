package integration

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"
)

// TestSecretsOfOpenFaaS takes secrets the way that faas-cli's users go: create,
// deploy with, read in the function, update, remove.
func TestSecretsOfOpenFaaS(t *testing.T) {
	send := func(method string, secret types.Secret) (int, string) {
		t.Helper()
		body, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		answer := do(t, method, "/system/secrets", body, "Content-Type", "application/json")
		return answer.Status, string(answer.Body)
	}
	expect := func(what string, want int, code int, said string) {
		t.Helper()
		if code != want {
			t.Fatalf("%s answered %d, want %d: %s", what, code, want, said)
		}
	}
	image := push(t, "functions/web:1", middleware(t, "web"))
	d := types.FunctionDeployment{
		Service: "secretive", Image: image, EnvProcess: "./handler", Secrets: []string{"api-key", "cert"},
		EnvVars: map[string]string{"FAAS_LAMBDA_SECRETS_REFRESH": "1s", "greeting": "hi"},
	}
	answer, err := shared.up.Deploy(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Status != http.StatusBadRequest || !strings.Contains(string(answer.Body), `secret "api-key", "cert" not found in namespace openfaas-fn`) {
		t.Fatalf("a deployment with missing secrets answered %d: %s", answer.Status, answer.Body)
	}
	code, said := send(http.MethodPost, types.Secret{Name: "api-key", Value: "R^Y"})
	expect("create", http.StatusCreated, code, said)
	code, said = send(http.MethodPost, types.Secret{Name: "cert", Value: "trimmed", RawValue: []byte("\x00\xff raw\n")})
	expect("create", http.StatusCreated, code, said)
	code, said = send(http.MethodPost, types.Secret{Name: "cert", Value: "x"})
	expect("create again", http.StatusConflict, code, said)
	deploy(t, d)

	var status types.FunctionStatus
	decode(t, do(t, http.MethodGet, "/system/function/secretive", nil).Body, &status)
	if strings.Join(status.Secrets, " ") != "api-key cert" || len(status.EnvVars) != 2 {
		t.Errorf("status %+v", status)
	}
	inFunction := func(name string) string {
		t.Helper()
		path := mount + "/" + name // what secret_mount_path says
		answer := do(t, http.MethodGet, "/function/secretive/file?path="+url.QueryEscape(path), nil)
		if answer.Status != http.StatusOK {
			t.Fatalf("%s: %d %s\n%s", path, answer.Status, answer.Body, shared.log)
		}
		return string(answer.Body)
	}
	var seen struct{ Environment []string }
	decode(t, do(t, http.MethodGet, "/function/secretive/request", nil).Body, &seen)
	if !strings.Contains(strings.Join(seen.Environment, "\n"), "secret_mount_path="+mount) {
		t.Errorf("the function's variables: %q", seen.Environment)
	}
	if got := inFunction("api-key"); got != "R^Y" {
		t.Errorf("api-key = %q", got)
	}
	if got := inFunction("cert"); got != "\x00\xff raw\n" {
		t.Errorf("cert = %q", got)
	}

	code, said = send(http.MethodPut, types.Secret{Name: "api-key", Value: "changed"})
	expect("update", http.StatusAccepted, code, said)
	for deadline := time.Now().Add(2 * time.Minute); inFunction("api-key") != "changed"; {
		if time.Now().After(deadline) {
			t.Fatal("the function still has the old value")
		}
	}
	code, said = send(http.MethodDelete, types.Secret{Name: "cert"})
	expect("remove of one that is used", http.StatusConflict, code, said)

	list := do(t, http.MethodGet, "/system/secrets?namespace=openfaas-fn", nil)
	if body := string(list.Body); !strings.Contains(body, `"name":"api-key"`) || strings.Contains(body, "changed") || strings.Contains(body, "alue") {
		t.Errorf("listed %s", body)
	}
	d.Secrets = nil
	if answer, err := shared.up.Update(t.Context(), d); err != nil || answer.Status != http.StatusAccepted {
		t.Fatalf("update %v %v", answer, err)
	}
	for _, name := range []string{"api-key", "cert"} {
		code, said = send(http.MethodDelete, types.Secret{Name: name})
		expect("remove", http.StatusAccepted, code, said)
		code, said = send(http.MethodDelete, types.Secret{Name: name})
		expect("remove again", http.StatusNotFound, code, said)
	}
	code, said = send(http.MethodPost, types.Secret{Name: "cert", Value: "once more"})
	expect("create after remove", http.StatusCreated, code, said)
	code, said = send(http.MethodDelete, types.Secret{Name: "cert"})
	expect("remove", http.StatusAccepted, code, said)
}
