package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The root of a container image is the image's directory itself, read-only, with the sandbox's own devices, /tmp, /proc and the files of /etc
// that name this host mounted over it. Its user is Lambda's, whom its passwd need not know.

func bindImage(l layout) error {
	if err := unix.Mount(l.Image, l.Root, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind image root: %w", err)
	}
	return setAttr(l.Root, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
}

func mountDev(l layout) error { return mountTmpfs(filepath.Join(l.Root, "dev")) }

// bindEtc writes the files where there is room for them, the new /dev, and binds them over the image's.
func bindEtc(l layout) error {
	for _, name := range []string{"hosts", "hostname", "resolv.conf"} {
		file := filepath.Join(l.Root, "dev", name)
		if err := os.WriteFile(file, []byte(etcFiles[name]), 0o644); err != nil {
			return fmt.Errorf("write sandbox file: %w", err)
		}
		err := unix.Mount(file, filepath.Join(l.Root, "etc", name), "", unix.MS_BIND, "")
		if err := errors.Join(err, os.Remove(file)); err != nil {
			return fmt.Errorf("bind sandbox file: %w", err)
		}
	}
	return nil
}
