package image

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"go.podman.io/image/v5/pkg/docker/config"
	"go.podman.io/image/v5/types"
)

// errCredentials marks what went wrong while credentials were looked for.
var errCredentials = errors.New("look for registry credentials")

// authenticate gives s the credentials for the reference's registry.
func (r reference) authenticate(ctx context.Context, s *types.SystemContext, opts Options) error {
	found, err := r.login(ctx, s, opts)
	if err != nil {
		return fmt.Errorf("%w for %s: %w", errCredentials, r.registry, err)
	}
	if found != (Login{}) {
		s.DockerAuthConfig = &types.DockerAuthConfig{Username: found.Username, Password: found.Password, IdentityToken: found.IdentityToken}
	}
	return nil
}

// login returns the credentials of the first place that has some.
func (r reference) login(ctx context.Context, s *types.SystemContext, opts Options) (Login, error) {
	for _, place := range r.places(s, opts) {
		if found, err := place(ctx); err != nil || found != (Login{}) {
			return found, err
		}
	}
	return Login{}, nil
}

// places are where credentials are looked for, the first one first.
func (r reference) places(s *types.SystemContext, opts Options) []func(context.Context) (Login, error) {
	name := r.DockerReference()
	var list []func(context.Context) (Login, error)
	for _, secret := range opts.PullSecrets {
		list = append(list, func(context.Context) (Login, error) { return pullSecret(secret, name.Name()) })
	}
	list = append(list, func(context.Context) (Login, error) {
		found, err := config.GetCredentialsForRef(s, name)
		return Login{found.Username, found.Password, found.IdentityToken}, err
	})
	if opts.AuthFile == "" {
		list = append(list, func(ctx context.Context) (Login, error) { return dockerStore(ctx, name.Name(), r.registry) })
	}
	if opts.Credentials != nil {
		list = append(list, func(ctx context.Context) (Login, error) {
			user, password, err := opts.Credentials(ctx, r.registry)
			return Login{Username: user, Password: password}, err
		})
	}
	return list
}

// dockerStore asks docker's configuration by docker's own rules: containers/image
// does not know the one credential store for all registries (credsStore) that
// docker login uses on desktops.
func dockerStore(ctx context.Context, repository, registry string) (Login, error) {
	found, err := authn.Resolve(ctx, authn.DefaultKeychain, resource{repository, registry})
	if err != nil {
		return Login{}, err
	}
	auth, err := authn.Authorization(ctx, found)
	if err != nil {
		return Login{}, err
	}
	return Login{auth.Username, auth.Password, auth.IdentityToken}, nil
}

// resource is a repository as authn asks about it.
type resource struct{ repository, registry string }

func (r resource) String() string { return r.repository }

func (r resource) RegistryStr() string {
	if r.registry == "docker.io" {
		return authn.DefaultAuthKey // under which docker login keeps it
	}
	return r.registry
}
