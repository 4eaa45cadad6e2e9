package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ownCgroups returns the directory of this program's cgroup for each v1 controller and, under "", for v2.
func ownCgroups() (map[string]string, error) {
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("read own cgroups: %w", err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	return cgroupDirs(string(membership), string(mounts)), nil
}

// cgroupDirs joins /proc/self/cgroup ("4:memory:/path", v2 "0::/path") with /proc/self/mountinfo, whose fourth field says which part of the
// hierarchy a mount shows (proc_pid_mountinfo(5)).
func cgroupDirs(membership, mounts string) map[string]string {
	paths := map[string]string{}
	for line := range strings.Lines(membership) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for _, controller := range strings.Split(parts[1], ",") {
			paths[controller] = parts[2]
		}
	}
	dirs := map[string]string{}
	for line := range strings.Lines(mounts) {
		before, after, found := strings.Cut(strings.TrimSpace(line), " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !found || len(fields) < 5 || len(kind) < 3 {
			continue
		}
		var controllers []string
		switch kind[0] {
		case "cgroup":
			controllers = strings.Split(kind[2], ",")
		case "cgroup2":
			controllers = []string{""}
		}
		for _, controller := range controllers {
			if path, member := paths[controller]; member {
				dirs[controller] = showsAt(path, fields[3], fields[4])
			}
		}
	}
	return dirs
}

// showsAt is where path of a hierarchy lies when the part under root of it is mounted at target.
func showsAt(path, root, target string) string {
	below, err := filepath.Rel(root, path)
	if err != nil || strings.HasPrefix(below, "..") {
		return target
	}
	return filepath.Join(target, below)
}
