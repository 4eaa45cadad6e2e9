package sandbox

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cgroupPrefix begins the name of the directory, below this program's own cgroup, that holds one directory a sandbox; PID-RANDOM follows.
// Programs share none: one could remove it when another is about to use it.
const cgroupPrefix = "faas-lambda-"

// maxProcesses bounds processes and threads of one sandbox. Lambda's limit is RLIMIT_NPROC 742, which would count all sandboxes together.
const maxProcesses = 742

// hierarchy is where this machine's cgroups allow sandboxes to be made. A field is empty where the machine has no such controller for us.
type hierarchy struct {
	memory  string // v1 memory controller
	pids    string // v1 pids controller
	unified string // v2, for cgroup.freeze, and with v2Limits for memory and processes
	limits  bool   // unified carries the memory and pids controllers
}

// findHierarchy detects and prepares; what the machine refuses is left out. Directories of programs that are gone are removed.
func findHierarchy() (hierarchy, error) {
	dirs, err := ownCgroups()
	if err != nil {
		return hierarchy{}, err
	}
	name, err := randomName(cgroupPrefix + strconv.Itoa(os.Getpid()) + "-")
	if err != nil {
		return hierarchy{}, err
	}
	var h hierarchy
	for controller, parent := range map[string]*string{"memory": &h.memory, "pids": &h.pids, "": &h.unified} {
		if own := dirs[controller]; own != "" {
			sweepCgroups(own)
			*parent = makeParent(own, name)
		}
	}
	if h.unified != "" && h.memory == "" {
		h.limits = delegate(filepath.Dir(h.unified)) && delegate(h.unified)
	}
	return h, nil
}

func randomName(prefix string) (string, error) {
	random := make([]byte, 6)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("name cgroup: %w", err)
	}
	return prefix + hex.EncodeToString(random), nil
}

func (h hierarchy) dirs() []string {
	var dirs []string
	for _, dir := range []string{h.memory, h.pids, h.unified} {
		if dir != "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// limited reports whether a sandbox's memory can be limited.
func (h hierarchy) limited() bool { return h.memory != "" || h.limits }

// makeParent returns "" where no directory can be made: the controller then goes unused.
func makeParent(own, name string) string {
	dir := filepath.Join(own, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return ""
	}
	return dir
}

// delegate lets children of a v2 cgroup have memory and pids limits. Below the root of all cgroups the kernel allows it only where the cgroup
// itself holds no process (cgroups(7), "no internal processes").
func delegate(dir string) bool {
	return os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+memory +pids"), 0o644) == nil
}

// sweepCgroups removes what killed programs left. A directory still in use cannot be removed, so errors need no care.
func sweepCgroups(own string) {
	entries, err := os.ReadDir(own)
	if err != nil {
		return
	}
	for _, entry := range entries {
		rest, ours := strings.CutPrefix(entry.Name(), cgroupPrefix)
		pid, _, named := strings.Cut(rest, "-")
		if !ours || !named {
			continue
		}
		if _, err := os.Stat("/proc/" + pid); errors.Is(err, fs.ErrNotExist) {
			removeTree(filepath.Join(own, entry.Name()))
		}
	}
}

// removeTree removes a directory of cgroups, whose files need not and cannot be removed.
func removeTree(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if entry.IsDir() {
			_ = os.Remove(filepath.Join(dir, entry.Name())) // in use after all
		}
	}
	_ = os.Remove(dir) // in use after all
}

// close removes the parents.
func (h hierarchy) close() {
	for _, dir := range h.dirs() {
		removeTree(dir)
	}
}

// cgroup holds the directories of one sandbox.
type cgroup struct {
	hierarchy
	peakSeen, peakUsed int64 // the last peak read and what it came to; see used
}

// makeCgroup makes and limits the cgroups of one sandbox.
func (h hierarchy) makeCgroup(memory int64) (*cgroup, error) {
	name, err := randomName("")
	if err != nil {
		return nil, err
	}
	c := &cgroup{hierarchy: hierarchy{limits: h.limits}}
	for _, dir := range []struct {
		parent string
		own    *string
	}{{h.memory, &c.memory}, {h.pids, &c.pids}, {h.unified, &c.unified}} {
		if dir.parent == "" {
			continue
		}
		path := filepath.Join(dir.parent, name)
		if err := os.Mkdir(path, 0o755); err != nil {
			return nil, errors.Join(fmt.Errorf("make cgroup: %w", err), c.remove())
		}
		*dir.own = path
	}
	if err := c.limit(memory); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	return c, nil
}

func (c *cgroup) limit(memory int64) error {
	bytes, tasks := strconv.FormatInt(memory, 10), strconv.Itoa(maxProcesses)
	var err error
	if c.memory != "" {
		err = errors.Join(err, c.write(c.memory, "memory.limit_in_bytes", bytes))
		_ = c.write(c.memory, "memory.memsw.limit_in_bytes", bytes) // absent where swap is not accounted
	}
	if c.pids != "" {
		err = errors.Join(err, c.write(c.pids, "pids.max", tasks))
	}
	if c.limits {
		err = errors.Join(err, c.write(c.unified, "memory.max", bytes), c.write(c.unified, "pids.max", tasks))
		_ = c.write(c.unified, "memory.swap.max", "0") // absent where there is no swap
	}
	return err
}

func (c *cgroup) write(dir, name, value string) error {
	if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o644); err != nil {
		return fmt.Errorf("set cgroup: %w", err)
	}
	return nil
}

// open returns the files by which a thread joins: v1 tasks files and, last, the v2 directory, if any.
func (c *cgroup) open() (tasks []*os.File, unified *os.File, err error) {
	for _, dir := range []string{c.memory, c.pids} {
		if dir == "" {
			continue
		}
		f, openErr := os.OpenFile(filepath.Join(dir, "tasks"), os.O_WRONLY, 0)
		if openErr != nil {
			return tasks, nil, fmt.Errorf("open cgroup: %w", openErr)
		}
		tasks = append(tasks, f)
	}
	if c.unified != "" {
		if unified, err = os.Open(c.unified); err != nil {
			return tasks, nil, fmt.Errorf("open cgroup: %w", err)
		}
	}
	return tasks, unified, nil
}

// used is the most memory that the sandbox has used, in bytes, without what the page cache holds of it but for mapped programs: files that
// the function wrote or read are no use of its memory. 0 means unknown.
func (c *cgroup) used() int64 {
	dir, peakFile, cacheKey, mappedKey := c.memory, "memory.max_usage_in_bytes", "total_cache", "total_mapped_file"
	if c.limits {
		dir, peakFile, cacheKey, mappedKey = c.unified, "memory.peak", "file", "file_mapped"
	}
	if dir == "" {
		return 0
	}
	data, err := os.ReadFile(filepath.Join(dir, peakFile))
	if err != nil {
		return c.peakUsed
	}
	peak, err := strconv.ParseInt(string(bytes.TrimSpace(data)), 10, 64)
	if err != nil || peak == c.peakSeen {
		return c.peakUsed
	}
	c.peakSeen = peak
	cache := stat(dir, "memory.stat", cacheKey) - stat(dir, "memory.stat", mappedKey)
	c.peakUsed = max(c.peakUsed, peak-max(0, cache))
	return c.peakUsed
}

// oomKills counts the processes that the memory limit has killed.
func (c *cgroup) oomKills() int64 {
	if c.limits {
		return stat(c.unified, "memory.events", "oom_kill")
	}
	if c.memory == "" {
		return 0
	}
	return stat(c.memory, "memory.oom_control", "oom_kill")
}

// stat reads one number of a file of "key value" lines; 0 if it is not there.
func stat(dir, name, key string) int64 {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if k, v, _ := strings.Cut(strings.TrimSpace(line), " "); k == key {
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// remove is for a sandbox without processes.
func (c *cgroup) remove() error {
	var err error
	for _, dir := range c.dirs() {
		if removeErr := os.Remove(dir); removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("remove cgroup: %w", removeErr))
		}
	}
	return err
}
