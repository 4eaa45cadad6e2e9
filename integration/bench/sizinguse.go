package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// used is what a process used for a while.
type used struct {
	took       time.Duration
	cpu        time.Duration
	processors float64 // cpu by took
	memory     int64   // most resident, bytes
}

// clockTick is the unit of the times in /proc/PID/stat: USER_HZ, which is 100 on
// Linux (proc(5), times(2)).
const clockTick = 10 * time.Millisecond

// processorTime is what a process has used in all, in user mode and in the
// kernel.
func processorTime(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field, the program's name, may hold blanks.
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	var sum time.Duration
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read /proc/%d/stat: %w", pid, err)
		}
		sum += time.Duration(n) * clockTick
	}
	return sum, nil
}

// watch measures a process while do runs: for lasting, after which the context
// of do ends, or as long as do takes by itself when lasting is 0.
func watch(ctx context.Context, pid int, lasting time.Duration, do func(context.Context) error) (used, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	before, err := processorTime(pid)
	if err != nil {
		return used{}, err
	}
	u, begin := used{memory: residentSet(pid)}, time.Now()
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for waiting := true; waiting; {
		select {
		case <-tick.C:
			u.memory = max(u.memory, residentSet(pid))
			if lasting > 0 && time.Since(begin) >= lasting {
				cancel()
			}
		case err = <-done:
			waiting = false
		}
	}
	if err != nil {
		return used{}, err
	}
	u.took = time.Since(begin)
	after, err := processorTime(pid)
	u.cpu = after - before
	u.processors = u.cpu.Seconds() / u.took.Seconds()
	return u, err
}
