package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrForbidden means that this machine does not let this program make sandboxes; its text says what they need.
var ErrForbidden = errors.New("sandboxes need root with CAP_SYS_ADMIN, or unprivileged user namespaces: " +
	"sysctl user.max_user_namespaces above 0, kernel.unprivileged_userns_clone=1 (Debian) and " +
	"kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), and no container runtime that forbids them")

// Host makes sandboxes on this machine. Its methods may be called at the same time.
type Host struct {
	dir    string
	user   bool // by an unprivileged user namespace
	groups hierarchy
}

// Open finds out how sandboxes can be made here and makes one to be sure. dir, which must exist, holds what sandboxes write; everything that
// earlier programs left in it is removed.
func Open(ctx context.Context, dir string) (*Host, error) {
	h := &Host{dir: dir, user: os.Geteuid() != 0}
	if err := h.sweep(); err != nil {
		return nil, err
	}
	if !h.user {
		groups, err := findHierarchy()
		if err != nil {
			return nil, err
		}
		h.groups = groups
	}
	if err := h.probe(ctx); err != nil {
		h.groups.close()
		return nil, err
	}
	return h, nil
}

// MemoryLimited reports whether a function's memory size is enforced, which needs root and a memory cgroup.
func (h *Host) MemoryLimited() bool { return h.groups.limited() }

// Close removes what Open made. Every sandbox must have been closed.
func (h *Host) Close() error {
	h.groups.close()
	return h.sweep()
}

func (h *Host) sweep() error {
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return fmt.Errorf("list sandboxes: %w", err)
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(h.dir, entry.Name())); err != nil {
			return fmt.Errorf("remove old sandbox: %w", err)
		}
	}
	return nil
}

// probeTimeout is how long making an empty sandbox may take.
const probeTimeout = 10 * time.Second

func (h *Host) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	task, err := os.MkdirTemp(h.dir, "probe-")
	if err != nil {
		return fmt.Errorf("probe sandbox: %w", err)
	}
	s, err := h.Start(ctx, Spec{Task: task, Function: Function{MemoryMB: 128}})
	if err == nil {
		err = s.Close()
	}
	return errors.Join(err, os.RemoveAll(task))
}

// attributes are the namespaces of a sandbox. In a user namespace the process holds every capability of that namespace until it starts
// bootstrap.
func (h *Host) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	if !h.user {
		return attr
	}
	attr.Cloneflags |= syscall.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: sandboxUID, HostID: os.Geteuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: sandboxGID, HostID: os.Getegid(), Size: 1}}
	last, err := lastCapability()
	if err != nil {
		return attr // the sandbox then fails to be built and says so
	}
	for c := range last + 1 {
		attr.AmbientCaps = append(attr.AmbientCaps, uintptr(c))
	}
	return attr
}

// explain adds to a refusal of the kernel what would be needed.
func explain(err error) error {
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EUSERS) {
		return fmt.Errorf("%w (%w)", err, ErrForbidden)
	}
	return err
}
