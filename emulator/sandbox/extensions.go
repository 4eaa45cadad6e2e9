package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// extensionsDir is where the programs of external extensions are, of layers or of an image.
const extensionsDir = "/opt/extensions"

// findExtensions returns the names of the external extensions: every file, whether it can be executed or not, is one.
func findExtensions() ([]string, error) {
	entries, err := os.ReadDir(extensionsDir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list extensions: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if info, err := os.Stat(filepath.Join(extensionsDir, entry.Name())); err == nil && !info.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// withheld are the variables of bootstrap that extensions do not get.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html#runtimes-extensions-registration-api-a
var withheld = []string{
	"AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS",
	"LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT", "_AWS_XRAY_DAEMON_ADDRESS", "_AWS_XRAY_DAEMON_PORT", "_HANDLER",
}

// startExtension starts the program of an external extension, and returns its pid.
func startExtension(l layout, name string) (int, error) {
	l.Dir = "/"
	l.Env = slices.DeleteFunc(slices.Clone(l.Env), func(variable string) bool {
		key, _, _ := strings.Cut(variable, "=")
		return slices.Contains(withheld, key)
	})
	path := filepath.Join(extensionsDir, name)
	return start(l, path, []string{path})
}
