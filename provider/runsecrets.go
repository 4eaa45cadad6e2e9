package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/openfaas/faas-provider/types"
)

// localSecrets is where faas-cli local-run looks for secrets: a file for each,
// which has its name and holds its value.
const localSecrets = ".secrets"

// secrets reads those that a function is to have: of its stack file, and of the
// flags.
func (o runOptions) secrets(named []string) ([]types.Secret, error) {
	names := slices.Concat(named, o.secretNames)
	slices.Sort(names)
	var all []types.Secret
	for _, name := range slices.Compact(names) {
		value, err := os.ReadFile(filepath.Join(o.secretDir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("secret %s: there is no file %s: write its value there, or name another folder with --secret-dir", name, filepath.Join(o.secretDir, name))
		}
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
		all = append(all, types.Secret{Name: name, RawValue: value})
	}
	return all, nil
}
