package image

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/docker"
	dockerarchive "go.podman.io/image/v5/docker/archive"
	dockerref "go.podman.io/image/v5/docker/reference"
	ociarchive "go.podman.io/image/v5/oci/archive"
	ocilayout "go.podman.io/image/v5/oci/layout"
	"go.podman.io/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/types"
)

// reference is a parsed reference.
type reference struct {
	types.ImageReference
	registry string        // host or host:port; empty for a local reference
	digest   digest.Digest // that the reference demands; may be empty
}

// local are the transports that read files of this machine.
var local = map[string]func(string) (types.ImageReference, error){
	"oci":            ocilayout.ParseReference,
	"oci-archive":    ociarchive.ParseReference,
	"docker-archive": dockerarchive.ParseReference,
}

// foreign are transports of skopeo and podman that are not supported; without
// this list they would be taken for names.
var foreign = []string{"containers-storage", "dir", "docker-daemon", "http", "https", "ostree", "sif", "tarball"}

func parse(ref string, opts Options) (reference, error) {
	if opts.Arch != "amd64" && opts.Arch != "arm64" {
		return reference{}, fmt.Errorf("%w: Lambda has amd64 and arm64, not %q", ErrPlatform, opts.Arch)
	}
	transport, rest, ok := strings.Cut(ref, ":")
	if open, isLocal := local[transport]; ok && isLocal {
		if !opts.Local {
			return reference{}, fmt.Errorf("%s: %w", transport+":", ErrLocalReference)
		}
		r, err := open(rest)
		if err != nil {
			return reference{}, reference{}.classifyLocal(err, ErrReference)
		}
		return reference{ImageReference: r}, nil
	}
	if ok && slices.Contains(foreign, transport) {
		return reference{}, fmt.Errorf("%w: %s: is not supported", ErrReference, transport)
	}
	name, err := dockerref.ParseNormalizedNamed(strings.TrimPrefix(ref, "docker://"))
	if err != nil {
		return reference{}, fmt.Errorf("%w: %w", ErrReference, err)
	}
	r := reference{registry: dockerref.Domain(name)}
	if c, ok := name.(dockerref.Canonical); ok {
		// As for Docker, a digest makes a tag beside it meaningless.
		r.digest = c.Digest()
		if name, err = dockerref.WithDigest(dockerref.TrimNamed(name), r.digest); err != nil {
			return reference{}, fmt.Errorf("%w: %w", ErrReference, err)
		}
	}
	if r.ImageReference, err = docker.NewReference(dockerref.TagNameOnly(name)); err != nil {
		return reference{}, fmt.Errorf("%w: %w", ErrReference, err)
	}
	return r, nil
}

// system says how containers/image is to reach the reference, with which
// credentials. What is not set keeps its defaults: registries.conf, registries.d
// and certs.d of the user and of the machine.
func (r reference) system(ctx context.Context, opts Options) (*types.SystemContext, error) {
	s := &types.SystemContext{
		OSChoice:                 "linux",
		ArchitectureChoice:       opts.Arch,
		AuthFilePath:             opts.AuthFile,
		BigFilesTemporaryDir:     opts.TempDir,
		DockerRegistryUserAgent:  "faas-lambda",
		SystemRegistriesConfPath: opts.RegistriesConf,
		DockerPerHostCertDirPath: opts.CertDir,
	}
	if s.BigFilesTemporaryDir == "" {
		s.BigFilesTemporaryDir = os.TempDir()
	}
	if r.registry == "" {
		return s, nil
	}
	insecure, err := r.insecure(s, opts)
	if err != nil {
		return nil, err
	}
	if insecure {
		s.DockerInsecureSkipTLSVerify = types.OptionalBoolTrue
	}
	return s, r.authenticate(ctx, s, opts)
}

// insecure reports whether the registry need not prove who it is. Where
// registries.conf leads to other registries it alone says so, for each of them:
// what is allowed for one name is not for what stands in for it.
func (r reference) insecure(s *types.SystemContext, opts Options) (bool, error) {
	known, err := sysregistriesv2.FindRegistry(s, r.DockerReference().Name())
	if err != nil {
		return false, fmt.Errorf("read registries.conf: %w", err)
	}
	if known != nil && known.Blocked {
		return false, fmt.Errorf("%w: %s", ErrBlocked, known.Prefix)
	}
	if known != nil {
		host, _, _ := strings.Cut(known.Location, "/")
		if len(known.Mirrors) > 0 || host != "" && host != r.registry {
			return false, nil
		}
	}
	return loopback(r.registry) || slices.Contains(opts.InsecureRegistries, r.registry), nil
}

// loopback reports whether a registry is on this machine, by a name or address
// that Docker too takes to be insecure (dockerd, "insecure registries").
func loopback(registry string) bool {
	host := registry
	if h, _, err := net.SplitHostPort(registry); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
