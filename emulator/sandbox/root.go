package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// hostDirs are the host's directories that stand in for Amazon Linux's; each is bound read-only, or copied where it is a symlink.
var hostDirs = []string{"usr", "bin", "sbin", "lib", "lib64", "lib32", "libx32"}

// hostFiles of /etc are bound where the host has them: the loader's cache, certificates, time zone.
var hostFiles = []string{"ssl", "pki", "ca-certificates", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "crypto-policies"}

// emptyDirs exist on Lambda and hold nothing of ours.
var emptyDirs = []string{"dev", "etc", "opt", "proc", "tmp", "var/task", "var/runtime", "var/lang", "var/tmp", "run", "mnt", "root", "home"}

// etcFiles are written into the sandbox. The uid and its name are Lambda's; no name server answers, and asking the closed port fails at once.
var etcFiles = map[string]string{
	"passwd": "root:x:0:0:root:/root:/sbin/nologin\n" +
		"sbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n" +
		"nobody:x:65534:65534::/nonexistent:/sbin/nologin\n",
	"group":         "root:x:0:\nsbx_user1051:x:990:\nnogroup:x:65534:\n",
	"hosts":         "127.0.0.1 localhost\n::1 localhost\n" + runtimeHost + " " + runtimeHost + "\n",
	"hostname":      runtimeHost + "\n",
	"resolv.conf":   "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
	"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n",
	"os-release":    "NAME=\"faas-lambda sandbox\"\nID=faas-lambda\nPRETTY_NAME=\"faas-lambda sandbox\"\n",
}

var devices = []string{"null", "zero", "full", "random", "urandom"}

// enterRoot builds the root of the sandbox on l.Root and moves this process into it. Nothing but /tmp (and /proc, by its own rules) can be
// written afterwards, by anybody.
func enterRoot(l layout) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	steps := []func(layout) error{mountRoot, makeDirs, bindHost, writeEtc, makeDev, bindCode}
	if l.Image != "" {
		steps = []func(layout) error{bindImage, mountDev, makeDev, bindEtc}
	}
	for _, build := range steps {
		if err := build(l); err != nil {
			return err
		}
	}
	// Recursive, so that a mount below /usr of the host cannot be written either. What is mounted after this is not covered.
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID}
	if err := unix.MountSetattr(unix.AT_FDCWD, l.Root, unix.AT_RECURSIVE, attr); err != nil {
		return fmt.Errorf("make sandbox root read-only (needs Linux 5.12): %w", err)
	}
	if err := mountWritable(l); err != nil {
		return err
	}
	return pivot(l.Root)
}

func mountRoot(l layout) error { return mountTmpfs(l.Root) }

func mountTmpfs(target string) error {
	if err := unix.Mount("tmpfs", target, "tmpfs", unix.MS_NOSUID, "mode=0755,size=1m"); err != nil {
		return fmt.Errorf("mount sandbox root: %w", err)
	}
	return nil
}

func makeDirs(l layout) error {
	for _, dir := range emptyDirs {
		if err := os.MkdirAll(filepath.Join(l.Root, dir), 0o755); err != nil {
			return fmt.Errorf("make sandbox directory: %w", err)
		}
	}
	return nil
}

func bindHost(l layout) error {
	for _, dir := range hostDirs {
		if err := mirror("/"+dir, filepath.Join(l.Root, dir)); err != nil {
			return err
		}
	}
	for _, name := range hostFiles {
		if err := mirror("/etc/"+name, filepath.Join(l.Root, "etc", name)); err != nil {
			return err
		}
	}
	return nil
}

// mirror shows what the host has at source: symlinks are copied, files and directories bound, absent ones left out.
func mirror(source, target string) error {
	info, err := os.Lstat(source)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at host file: %w", err)
	}
	if info.Mode()&fs.ModeSymlink == 0 {
		return bind(source, target, info.IsDir())
	}
	link, err := os.Readlink(source)
	if err != nil {
		return fmt.Errorf("read host symlink: %w", err)
	}
	if err := os.Symlink(link, target); err != nil {
		return fmt.Errorf("copy host symlink: %w", err)
	}
	return nil
}

func bind(source, target string, dir bool) error {
	var err error
	if dir {
		err = os.MkdirAll(target, 0o755)
	} else {
		err = os.WriteFile(target, nil, 0o644)
	}
	if err != nil {
		return fmt.Errorf("make mount point: %w", err)
	}
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s: %w", source, err)
	}
	return nil
}

func writeEtc(l layout) error {
	for name, text := range etcFiles {
		if err := os.WriteFile(filepath.Join(l.Root, "etc", name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("write sandbox file: %w", err)
		}
	}
	return nil
}

func makeDev(l layout) error {
	for _, name := range devices {
		if err := bind("/dev/"+name, filepath.Join(l.Root, "dev", name), false); err != nil {
			return err
		}
	}
	links := map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
	for name, to := range links {
		if err := os.Symlink(to, filepath.Join(l.Root, "dev", name)); err != nil {
			return fmt.Errorf("make device link: %w", err)
		}
	}
	return nil
}

func bindCode(l layout) error {
	for target, source := range map[string]string{"var/task": l.Task, "opt": l.Opt} {
		if source == "" {
			continue
		}
		target = filepath.Join(l.Root, target)
		if err := bind(source, target, true); err != nil {
			return err
		}
		if err := setAttr(target, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV); err != nil {
			return err
		}
	}
	return nil
}

func mountWritable(l layout) error {
	tmp := filepath.Join(l.Root, "tmp")
	if err := unix.Mount(l.Tmp, tmp, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind sandbox /tmp: %w", err)
	}
	if err := setAttr(tmp, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV); err != nil {
		return err
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if err := unix.Mount("proc", filepath.Join(l.Root, "proc"), "proc", flags, ""); err != nil {
		return fmt.Errorf("mount sandbox /proc: %w", err)
	}
	return nil
}

func setAttr(target string, attrs uint64) error {
	if err := unix.MountSetattr(unix.AT_FDCWD, target, 0, &unix.MountAttr{Attr_set: attrs}); err != nil {
		return fmt.Errorf("set mount attributes of %s: %w", target, err)
	}
	return nil
}

// pivot makes root the process's root and lets go of the old one. Pivoting onto the same directory stacks the old root over the new one, from
// where it is detached (pivot_root(2), "pivot_root(".", ".")").
func pivot(root string) error {
	if err := os.Chdir(root); err != nil {
		return fmt.Errorf("enter sandbox root: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot into sandbox root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave host root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("enter sandbox root: %w", err)
	}
	return nil
}
