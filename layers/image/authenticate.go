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

// authenticate gives s the credentials for the reference's registry: those of
// the first place that has some.
func (r reference) authenticate(ctx context.Context, s *types.SystemContext, opts Options) error {
	for _, place := range r.places(s, opts) {
		found, err := place(ctx)
		if err != nil {
			return fmt.Errorf("%w for %s: %w", errCredentials, r.registry, err)
		}
		if found != (credentials{}) {
			s.DockerAuthConfig = &types.DockerAuthConfig{Username: found.Username, Password: found.Password, IdentityToken: found.IdentityToken}
			return nil
		}
	}
	return nil
}

// places are where credentials are looked for, the first one first.
func (r reference) places(s *types.SystemContext, opts Options) []func(context.Context) (credentials, error) {
	name := r.DockerReference()
	var list []func(context.Context) (credentials, error)
	for _, secret := range opts.PullSecrets {
		list = append(list, func(context.Context) (credentials, error) { return pullSecret(secret, name.Name()) })
	}
	list = append(list, func(context.Context) (credentials, error) {
		found, err := config.GetCredentialsForRef(s, name)
		return credentials{found.Username, found.Password, found.IdentityToken}, err
	})
	if opts.AuthFile == "" {
		list = append(list, func(ctx context.Context) (credentials, error) { return dockerStore(ctx, name.Name(), r.registry) })
	}
	if opts.Credentials != nil {
		list = append(list, func(ctx context.Context) (credentials, error) {
			user, password, err := opts.Credentials(ctx, r.registry)
			return credentials{Username: user, Password: password}, err
		})
	}
	return list
}

// dockerStore asks docker's configuration by docker's own rules: containers/image
// does not know the one credential store for all registries (credsStore) that
// docker login uses on desktops.
func dockerStore(ctx context.Context, repository, registry string) (credentials, error) {
	found, err := authn.Resolve(ctx, authn.DefaultKeychain, resource{repository, registry})
	if err != nil {
		return credentials{}, err
	}
	auth, err := authn.Authorization(ctx, found)
	if err != nil {
		return credentials{}, err
	}
	return credentials{auth.Username, auth.Password, auth.IdentityToken}, nil
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
