package lambda

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/keep"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// sweepCode removes code that no function and no layer has, and no sandbox runs.
func (s *Service) sweepCode() {
	trash, err := s.unusedCode()
	for _, path := range trash {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		s.opts.Logger.Warn("old code was not removed", "error", err)
	}
}

// unusedCode takes such code out of its place and returns where it is now.
func (s *Service) unusedCode() (trash []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := s.fleet.code()
	for _, f := range s.functions {
		for _, v := range f.versions() {
			use(used, &v.code)
			if v.Live != nil {
				use(used, &v.Live.code)
			}
		}
	}
	s.layers.use(used)
	return s.store.discard(used)
}

func use(used map[string]bool, c *code) {
	for _, hash := range c.hashes() {
		used[hash] = true
	}
	if c.ImageDigest != "" {
		used[imageName(c.ImageDigest)] = true
	}
	if len(c.Layers) > 1 {
		used[stackName(c.Layers)] = true
	}
}

func (st *store) discard(used map[string]bool) (trash []string, err error) {
	st.pins.mu.Lock()
	defer st.pins.mu.Unlock()
	entries, err := os.ReadDir(filepath.Join(st.dir, "code"))
	if err != nil {
		return nil, fmt.Errorf("list code: %w", err)
	}
	for _, entry := range entries {
		hash := strings.TrimSuffix(entry.Name(), ".zip")
		if used[hash] || st.pins.count[hash] > 0 || strings.HasPrefix(hash, keep.NewPrefix) {
			continue
		}
		to := filepath.Join(st.dir, "code", keep.NewPrefix+wire.NewID()) // what is left of it is removed at the next start
		if renameErr := os.Rename(filepath.Join(st.dir, "code", entry.Name()), to); renameErr != nil {
			err = errors.Join(err, renameErr)
			continue
		}
		trash = append(trash, to)
	}
	return trash, err
}

// prepare fetches and unpacks all that the code needs.
func (s *Service) prepare(ctx context.Context, c *code) error {
	if c.ImageDigest != "" {
		_, err := s.imageDir(ctx, c)
		return err
	}
	if _, err := s.store.unpacked(c.Zip); err != nil {
		return err
	}
	_, err := s.store.opt(c.Layers)
	return err
}

// opt returns the directory with what the layers have under /opt, later ones over earlier ones; it is empty without layers.
func (st *store) opt(layers []string) (string, error) {
	dirs := make([]string, len(layers))
	for i, hash := range layers {
		var err error
		if dirs[i], err = st.unpacked(hash); err != nil {
			return "", fmt.Errorf("unpack layer: %w", err)
		}
	}
	if len(dirs) < 2 {
		return strings.Join(dirs, ""), nil
	}
	return st.make(stackName(layers), func(dir string) error {
		for _, layer := range dirs {
			if err := overlay(layer, dir); err != nil {
				return fmt.Errorf("stack layers: %w", err)
			}
		}
		return nil
	})
}

// stackName is the name of the directory of several layers, which depends on their order.
func stackName(layers []string) string {
	sum := sha256.Sum256([]byte(strings.Join(layers, "\n")))
	return "layers-" + hex.EncodeToString(sum[:])
}

// overlay puts everything below from over what is below to, by hard links: neither is ever written.
func overlay(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if entry.IsDir() {
			return overlayDir(entry, target)
		}
		if err := os.RemoveAll(target); err != nil {
			return err
		}
		return os.Link(path, target)
	})
}

// overlayDir keeps a directory that is there, with the mode of the one that comes over it.
func overlayDir(entry fs.DirEntry, target string) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	if there, err := os.Lstat(target); err == nil && !there.IsDir() {
		if err := os.Remove(target); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	return os.Chmod(target, info.Mode().Perm())
}
