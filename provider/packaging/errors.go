package packaging

import (
	"errors"
	"fmt"

	"github.com/faas-lambda/faas-lambda/layers/bundle"
	"github.com/faas-lambda/faas-lambda/layers/flatten"
	"github.com/faas-lambda/faas-lambda/layers/image"
	"github.com/faas-lambda/faas-lambda/layers/managed"
	"github.com/faas-lambda/faas-lambda/layers/relocate"
	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// unusable are the errors of the build half that say that an image cannot be
// deployed as it is, whoever asks.
var unusable = []error{
	image.ErrReference, image.ErrLocalReference, image.ErrNotFound, image.ErrUnauthorized, image.ErrPlatform, image.ErrDigest, image.ErrInvalid, image.ErrBlocked, image.ErrRefused,
	flatten.ErrUnsafePath, flatten.ErrLink, flatten.ErrLimit, flatten.ErrDigest, flatten.ErrCorrupt,
	relocate.ErrUnmovable, relocate.ErrNoProgram, relocate.ErrFormat, relocate.ErrMachine, relocate.ErrNoProcess, relocate.ErrNoCommand,
	relocate.ErrDir,
	bundle.ErrTooLarge, bundle.ErrReserved, managed.ErrElsewhere, managed.ErrHandler,
}

// imageError gives an error of the build half its kind. An image that does not
// exist is an invalid request: a 404 would be about the function.
func imageError(ref string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("package image %s: %w", ref, err)
	for _, kind := range unusable {
		if errors.Is(err, kind) {
			return backend.As(backend.ErrInvalid, err)
		}
	}
	if errors.Is(err, image.ErrUnavailable) {
		return backend.As(backend.ErrUnavailable, err)
	}
	return err
}
