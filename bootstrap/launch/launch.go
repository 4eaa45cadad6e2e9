// Package launch holds Spec, the file that layers/bundle writes into a package
// and bootstrap reads from it. It is the only contract between the build half
// and the run half; it starts nothing and looks nothing up.
package launch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// File is where the Spec lies, relative to the root of the package
// (LAMBDA_TASK_ROOT, /var/task on Lambda).
const File = ".faas-lambda/launch.json"

// Root is where Lambda unpacks a zip package.
const Root = "/var/task"

// Version is the only Spec version that this package reads and writes.
const Version = 1

// ProcessVariable is the Lambda environment variable by which a deployment's
// envProcess reaches bootstrap. It is not called fprocess, so that a deployment
// may carry an envVars entry of that name as well and get both back unchanged.
const ProcessVariable = "FAAS_LAMBDA_PROCESS"

// ErrInvalid says that a file is no Spec that this version can run.
var ErrInvalid = errors.New("invalid launch spec")

// Watchdog names the program that the image starts, whose behaviour bootstrap
// takes over.
type Watchdog string

// The watchdogs an image may have been made for.
const (
	OfWatchdog Watchdog = "of-watchdog"      // modes by the variable "mode", streaming by default
	Classic    Watchdog = "classic-watchdog" // a process per request, answer buffered
	None       Watchdog = "none"             // Command serves HTTP by itself on "port", 8080 by default
)

// Spec is how a packaged image is started. Paths and values are already those
// of the package: what the image names /home/app is Root + "/home/app" here.
type Spec struct {
	Version  int      `json:"version"`
	Image    string   `json:"image"`    // digest of the image's manifest, for logs
	Root     string   `json:"root"`     // where the image's root directory lies, normally Root
	Watchdog Watchdog `json:"watchdog"` // what Command[0] was, when the image ran elsewhere
	Command  []string `json:"command"`  // the image's ENTRYPOINT and CMD; started only when Watchdog is None
	Dir      string   `json:"dir"`      // working directory, absolute
	Env      []string `json:"env"`      // the image's ENV as NAME=value, in the image's order
}

// Marshal returns the Spec as the bytes of File: the same Spec gives the same
// bytes.
func (s Spec) Marshal() ([]byte, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode launch spec: %w", err)
	}
	return append(out, '\n'), nil
}

// Parse reads the bytes of File. Unknown fields are an error: a package made by
// a newer release must not run half understood.
func Parse(data []byte) (Spec, error) {
	var s Spec
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return Spec{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := s.validate(); err != nil {
		return Spec{}, err
	}
	return s, nil
}

// Read reads the Spec from the file at path.
func Read(path string) (Spec, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Spec{}, fmt.Errorf("read launch spec: %w", err)
	}
	s, err := Parse(data)
	if err != nil {
		return Spec{}, fmt.Errorf("read launch spec %s: %w", path, err)
	}
	return s, nil
}

func (s Spec) validate() error {
	if s.Version != Version {
		return fmt.Errorf("%w: version %d, this bootstrap reads version %d: deploy the function again", ErrInvalid, s.Version, Version)
	}
	switch s.Watchdog {
	case OfWatchdog, Classic:
	case None:
		if len(s.Command) == 0 {
			return fmt.Errorf("%w: watchdog %q needs a command", ErrInvalid, s.Watchdog)
		}
	default:
		return fmt.Errorf("%w: unknown watchdog %q", ErrInvalid, s.Watchdog)
	}
	if !strings.HasPrefix(s.Root, "/") || !strings.HasPrefix(s.Dir, "/") {
		return fmt.Errorf("%w: root %q and dir %q must be absolute", ErrInvalid, s.Root, s.Dir)
	}
	for _, kv := range s.Env {
		if name, _, ok := strings.Cut(kv, "="); !ok || name == "" || strings.ContainsRune(kv, 0) {
			return fmt.Errorf("%w: environment entry %q is not NAME=value", ErrInvalid, kv)
		}
	}
	return nil
}
