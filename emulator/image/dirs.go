package image

import (
	"errors"
	"io/fs"
	"path"
	"strings"
)

// maxLinks bounds the symlinks on the way to one directory.
const maxLinks = 40

// dir returns the directory of a name without symlinks, which count from the image's own root; it is made where it is not there.
func (u *unpacker) dir(name string) (string, error) {
	if known, ok := u.dirs[name]; ok {
		return known, nil
	}
	at, rest, links := ".", name, 0
	for rest != "" {
		part, more, _ := strings.Cut(rest, "/")
		next := path.Join(at, part)
		switch part {
		case "", ".":
			next = at
		case "..":
			next = path.Dir(at)
		}
		info, err := u.root.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = u.root.Mkdir(next, 0o755)
		case err == nil && info.Mode()&fs.ModeSymlink != 0:
			if links++; links > maxLinks {
				return "", errors.New("too many symlinks")
			}
			var target string
			if target, err = u.root.Readlink(next); err == nil {
				if path.IsAbs(target) {
					at = "."
				}
				next, more = at, path.Join(strings.TrimPrefix(target, "/"), more)
			}
		case err == nil && !info.IsDir():
			err = errors.New("a file is in the place of a directory")
		}
		if err != nil {
			return "", err
		}
		at, rest = next, more
	}
	u.dirs[name] = at
	return at, nil
}

// forget drops what is known of directories when something that may be one of them, or a symlink on the way, goes.
func (u *unpacker) forget(name string) {
	for known, at := range u.dirs {
		if known != "." && (within(known, name) || within(at, name)) {
			delete(u.dirs, known)
		}
	}
	for dir := range u.modes {
		if within(dir, name) {
			delete(u.modes, dir)
		}
	}
}

func within(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, dir) && name[len(dir)] == '/'
}

// Where a sandbox mounts its own over what the image has.
var (
	mountDirs  = []string{"proc", "dev", "tmp", "etc"}
	mountFiles = []string{"etc/hosts", "etc/resolv.conf", "etc/hostname"}
)

// mountPoints makes directories and files where a sandbox mounts; the image's own, links too, could not be seen anyhow.
func (u *unpacker) mountPoints() error {
	for _, dir := range mountDirs {
		if info, err := u.root.Lstat(dir); err == nil && !info.IsDir() {
			if err := u.root.Remove(dir); err != nil {
				return err
			}
		}
		if err := u.root.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for _, file := range mountFiles {
		if err := u.root.RemoveAll(file); err != nil {
			return err
		}
		if err := u.root.WriteFile(file, nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}
