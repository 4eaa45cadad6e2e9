package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/faas-lambda/faas-lambda/emulator/image"
	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

const (
	packageZip   = "Zip"
	packageImage = "Image"
)

// imageConfig is what a function says of how its image is run; absent members leave the image's own.
type imageConfig struct {
	EntryPoint       []string `json:",omitempty"`
	Command          []string `json:",omitempty"`
	WorkingDirectory string   `json:",omitempty"`
}

// imageConfigResponse is how the API tells it.
type imageConfigResponse struct{ ImageConfig *imageConfig }

func (c *imageConfig) empty() bool {
	return len(c.EntryPoint) == 0 && len(c.Command) == 0 && c.WorkingDirectory == ""
}

// model checks what the API model itself constrains.
func (c *imageConfig) model(problems *constraints) {
	if c == nil {
		return
	}
	problems.length("imageConfig.workingDirectory", c.WorkingDirectory, 0, 1000)
	for member, list := range map[string][]string{"imageConfig.entryPoint": c.EntryPoint, "imageConfig.command": c.Command} {
		if len(list) > maxImageArgs {
			problems.failed(member, fmt.Sprint(list), fmt.Sprintf("Member must have length less than or equal to %d", maxImageArgs))
		}
	}
}

// resolve finds out which image a name means, once for a creation or update: the function runs that one until the next.
func (s *Service) resolve(ctx context.Context, uri string) (*parcel, error) {
	resolved, err := s.images().Resolve(ctx, uri)
	if err != nil {
		s.opts.Logger.Warn("image was not found", "image", uri, "error", err)
		return nil, imageError(uri, err)
	}
	return &parcel{image: resolved, uri: uri, release: func() {}}, nil
}

func (s *Service) images() image.Source {
	return image.Source{Own: s.services.Registries.Registry, Credentials: s.services.Registries.Credentials}
}

// imageError words a refusal as Lambda does.
func imageError(uri string, err error) error {
	switch {
	case errors.Is(err, image.ErrName):
		return invalidParameter("Source image %s is not valid. Provide a valid source image.", uri)
	case errors.Is(err, image.ErrAbsent):
		return invalidParameter("Source image %s does not exist. Provide a valid source image.", uri)
	case errors.Is(err, image.ErrUnsupported):
		return invalidParameter("The image manifest, config or layer media type for the source image %s is not supported.", uri)
	case errors.Is(err, image.ErrDenied):
		return &apiError{status: 403, code: "AccessDeniedException", message: "Lambda does not have permission to access the ECR image. Check " +
			"the ECR permissions."}
	}
	return invalidParameter("Source image %s cannot be read: %v", uri, err) // the registry does not answer
}

// rootFile and configFile are what the directory of an image holds.
const (
	rootFile   = "root"
	configFile = "config.json"
)

// imageName is the name of the directory of an image in the store.
func imageName(digest string) string { return "image-" + digest }

// imageDir returns the directory of an image, fetching it if need be.
func (s *Service) imageDir(ctx context.Context, c *code) (string, error) {
	return s.store.make(imageName(c.ImageDigest), func(dir string) error {
		root := filepath.Join(dir, rootFile)
		if err := os.Mkdir(root, 0o755); err != nil {
			return fmt.Errorf("make image directory: %w", err)
		}
		config, err := s.images().Unpack(ctx, c.ImageName, root)
		if err != nil {
			return err
		}
		data, err := json.Marshal(config)
		if err != nil {
			return fmt.Errorf("encode image config: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, configFile), data, 0o644); err != nil {
			return fmt.Errorf("write image config: %w", err)
		}
		return nil
	})
}

// imageSpec is what a sandbox runs of a version of an image.
func (s *Service) imageSpec(ctx context.Context, version *live) (*sandbox.Image, error) {
	dir, err := s.imageDir(ctx, &version.code)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil {
		return nil, fmt.Errorf("read image config: %w", err)
	}
	var config image.Config
	if err := json.Unmarshal(data, &config); err != nil {
		return nil, fmt.Errorf("read image config: %w", err)
	}
	if r := version.Config.ImageConfigResponse; r != nil {
		config = r.ImageConfig.over(config)
	}
	return &sandbox.Image{
		Root: filepath.Join(dir, rootFile), Args: slices.Concat(config.Entrypoint, config.Cmd), Dir: config.WorkingDir, Env: config.Env,
	}, nil
}

func (c *imageConfig) over(config image.Config) image.Config {
	if len(c.EntryPoint) > 0 {
		config.Entrypoint = c.EntryPoint
	}
	if len(c.Command) > 0 {
		config.Cmd = c.Command
	}
	if c.WorkingDirectory != "" {
		config.WorkingDir = c.WorkingDirectory
	}
	return config
}

// checkPackage refuses code and settings that belong to the other package type. update is for a function that there is.
func checkPackage(packageType string, code *codeSource, in *settings, update bool) error {
	if packageType == packageImage {
		switch {
		case code != nil && code.ImageUri == "" && update:
			return invalidParameter("Please provide ImageUri when updating a function with packageType Image.")
		case code != nil && code.ImageUri == "":
			return invalidParameter("Please provide ImageUri when the intended function PackageType is Image.")
		case in != nil && (in.Runtime != nil || in.Handler != nil || len(in.Layers) > 0):
			return invalidParameter("Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.")
		}
		return nil
	}
	switch {
	case code != nil && code.ImageUri != "" && update:
		return invalidParameter("Please don't provide ImageUri when updating a function with packageType Zip.")
	case code != nil && code.ImageUri != "":
		return invalidParameter("Please don't provide ImageUri when the intended function PackageType is Zip.")
	case in != nil && in.ImageConfig != nil && !in.ImageConfig.empty():
		return invalidParameter("Please don't provide ImageConfig when the intended function PackageType is Zip.")
	}
	return nil
}
