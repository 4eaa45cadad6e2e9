package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// processMemory is for sandboxes without a cgroup: the sum of the peak resident sizes of all processes below process 1. What processes share
// is counted for each, and processes that are gone not at all.
func processMemory(init int) int64 {
	var sum int64
	for _, pid := range childrenOf(init) {
		sum += peakResident(pid) + processMemory(pid)
	}
	return sum
}

func childrenOf(pid int) []int {
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	var children []int
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // a thread that has just ended
		}
		for _, field := range strings.Fields(string(data)) {
			if child, err := strconv.Atoi(field); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

func peakResident(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}
