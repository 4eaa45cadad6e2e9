package loop

import (
	"context"
	"errors"

	"github.com/faas-lambda/faas-lambda/bootstrap/secrets"
)

// fetchSecrets brings the secrets that env names into files; without any it does
// nothing. The function's process finds them when it starts.
func (l *loop) fetchSecrets(ctx context.Context, env []string) (err error) {
	l.secrets, err = secrets.Load(ctx, env, l.log)
	switch {
	case errors.Is(err, secrets.ErrInvalid):
		return &initError{"Function.InvalidConfiguration", err}
	case err != nil:
		return &initError{"Runtime.SecretsUnavailable", err}
	}
	return nil
}
