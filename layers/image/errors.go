package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/docker/distribution/registry/api/errcode"
	"go.podman.io/image/v5/docker"
	ociarchive "go.podman.io/image/v5/oci/archive"
	ocilayout "go.podman.io/image/v5/oci/layout"

	"github.com/faas-lambda/faas-lambda/layers/image/policy"
)

// Errors of Open and of reading a layer, for errors.Is. The text around them
// names the reference and what was found.
var (
	ErrReference      = errors.New("invalid image reference")
	ErrLocalReference = errors.New("image references to local files work only with `faas-lambda up` and `faas-lambda package`")
	ErrNotFound       = errors.New("image not found")
	ErrUnavailable    = errors.New("registry unavailable")
	ErrUnauthorized   = errors.New("registry denies access")
	ErrPlatform       = errors.New("image is for another platform")
	ErrDigest         = errors.New("content does not match its digest")
	ErrInvalid        = errors.New("not a container image")
	ErrBlocked        = errors.New("registry is blocked by registries.conf")
	ErrRefused        = policy.ErrRefused
	ErrPolicy         = policy.ErrInvalid
)

// classify wraps an error of containers/image in the sentinel that says what it
// means for whoever asked. Errors of this package and of ctx stay as they are.
func (r reference) classify(ctx context.Context, err error) error {
	for _, own := range []error{ErrReference, ErrNotFound, ErrUnavailable, ErrUnauthorized, ErrPlatform, ErrDigest, ErrInvalid, ErrBlocked, ErrRefused, ErrPolicy} {
		if errors.Is(err, own) {
			return err
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	if r.registry == "" {
		return r.classifyLocal(err, ErrInvalid)
	}
	return r.classifyRegistry(err)
}

// classifyLocal does it for files. What is not known becomes otherwise.
func (reference) classifyLocal(err, otherwise error) error {
	var inLayout ocilayout.ImageNotFoundError
	var inArchive ociarchive.ImageNotFoundError
	var archive ociarchive.ArchiveFileNotFoundError
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.As(err, &inLayout), errors.As(err, &inArchive), errors.As(err, &archive),
		// docker-archive has no error of its own for this.
		strings.HasPrefix(err.Error(), "Tag ") && strings.HasSuffix(err.Error(), " not found"):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return fmt.Errorf("%w: %w", otherwise, err)
}

// classifyRegistry does it for registries. What is not known is some failure of
// the network or the registry.
func (r reference) classifyRegistry(err error) error {
	var denied docker.ErrUnauthorizedForCredentials
	switch status := status(err); {
	case errors.As(err, &denied), status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("%w: %w", ErrUnauthorized, err)
	case errors.Is(err, errCredentials), strings.Contains(err.Error(), "getting username and password"): // for one, a credential helper that is missing or fails
		return fmt.Errorf("%w: %w", ErrUnauthorized, err)
	case status == http.StatusNotFound:
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("%w: %s speaks plain HTTP and is not named as an insecure registry: %w", ErrUnavailable, r.registry, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// statusText finds the status in an error whose type containers/image keeps to
// itself.
var statusText = regexp.MustCompile(`StatusCode: (\d{3})`)

// status returns the HTTP status behind an error of a registry, or 0.
func status(err error) int {
	var (
		coder      errcode.ErrorCoder
		unexpected docker.UnexpectedHTTPStatusError
	)
	if errors.As(err, &unexpected) {
		return unexpected.StatusCode
	}
	if errors.As(err, &coder) && coder.ErrorCode() != errcode.ErrorCodeUnknown {
		return coder.ErrorCode().Descriptor().HTTPStatusCode
	}
	if m := statusText.FindStringSubmatch(err.Error()); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			return n
		}
	}
	return 0
}
