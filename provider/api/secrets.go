package api

import (
	"context"
	"net/http"
	"regexp"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// secretName is what a secret may be called: it becomes a file's name below
// /var/openfaas/secrets.
var secretName = regexp.MustCompile(`^[-a-zA-Z0-9_][-a-zA-Z0-9._]{0,252}$`)

// secrets lists secrets or changes one. The status codes are those that faas-cli
// takes for success: 201 of a creation, 200 or 202 of the rest, never 204.
func (s *server) secrets(w http.ResponseWriter, r *http.Request) {
	keeper, ok := s.backend.(backend.SecretKeeper)
	if !ok {
		s.lacks("secrets are not supported by this provider")(w, r)
		return
	}
	if r.Method == http.MethodGet {
		s.listSecrets(w, r, keeper)
		return
	}
	secret, err := s.secretOf(w, r)
	code := http.StatusAccepted
	if err == nil {
		switch ctx := context.WithoutCancel(r.Context()); r.Method {
		case http.MethodPost:
			code, err = http.StatusCreated, keeper.CreateSecret(ctx, secret)
		case http.MethodPut:
			err = keeper.UpdateSecret(ctx, secret)
		default:
			err = keeper.DeleteSecret(ctx, secret.Namespace, secret.Name)
		}
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.log.Info("changed secret", "method", r.Method, "secret", secret.Name, "namespace", secret.Namespace, "call", w.Header().Get(callHeader))
	w.WriteHeader(code)
}

func (s *server) listSecrets(w http.ResponseWriter, r *http.Request, keeper backend.SecretKeeper) {
	name, err := s.resolve(r.Context(), "", r.URL.Query().Get("namespace"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	kept, err := keeper.Secrets(r.Context(), name.Namespace)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out := make([]types.Secret, len(kept))
	for i, secret := range kept {
		out[i] = types.Secret{Name: secret.Name, Namespace: secret.Namespace} // whatever the backend gave
	}
	s.writeJSON(w, r, out)
}

// secretOf decodes and checks the secret that a request is about. Its value is
// in Value or RawValue; faas-cli sends both for a file, the former trimmed.
func (s *server) secretOf(w http.ResponseWriter, r *http.Request) (types.Secret, error) {
	var secret types.Secret
	if err := s.readJSON(w, r, &secret); err != nil {
		return secret, err
	}
	if !secretName.MatchString(secret.Name) {
		return secret, backend.Errorf(backend.ErrInvalid, "secret %q: want a name of letters, digits, -, _ and ., at most 253 and not beginning with a dot", secret.Name)
	}
	if r.Method != http.MethodDelete && secret.Value == "" && len(secret.RawValue) == 0 {
		return secret, backend.Errorf(backend.ErrInvalid, "secret %s has no value", secret.Name)
	}
	namespace, err := either(secret.Namespace, r.URL.Query().Get("namespace"))
	if err != nil {
		return secret, err
	}
	name, err := s.resolve(r.Context(), "", namespace)
	secret.Namespace = name.Namespace
	return secret, err
}
