package image

import (
	"fmt"

	"go.podman.io/image/v5/pkg/docker/config"
	"go.podman.io/image/v5/types"
)

// Credentials returns what the usual places of docker and podman, or the file
// that opts name, hold for a repository, host/name; empty when they hold nothing.
func Credentials(repository string, opts Options) (user, password string, err error) {
	system := &types.SystemContext{AuthFilePath: opts.AuthFile}
	found, err := config.GetCredentials(system, repository)
	if err != nil {
		return "", "", fmt.Errorf("find credentials for %s: %w", repository, err)
	}
	if found.IdentityToken != "" {
		return "<token>", found.IdentityToken, nil
	}
	return found.Username, found.Password, nil
}
