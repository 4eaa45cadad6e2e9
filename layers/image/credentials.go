package image

import (
	"context"
	"fmt"

	"go.podman.io/image/v5/types"
)

// Login is what a registry is given; the zero value is nobody. An IdentityToken
// takes the place of name and password.
type Login struct{ Username, Password, IdentityToken string }

// Credentials returns what there is for a repository, host/name, in the places
// where Open looks, and in their order; nobody when none of them has any.
func Credentials(ctx context.Context, repository string, opts Options) (Login, error) {
	if opts.Arch == "" {
		opts.Arch = "amd64"
	}
	r, err := parse(repository, opts)
	if err != nil {
		return Login{}, fmt.Errorf("find credentials for %s: %w", repository, err)
	}
	found, err := r.login(ctx, &types.SystemContext{AuthFilePath: opts.AuthFile}, opts)
	if err != nil {
		return Login{}, fmt.Errorf("find credentials for %s: %w", repository, err)
	}
	return found, nil
}
