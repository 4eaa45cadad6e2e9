package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// initName is argv[0] of the sandbox process, by which Init knows itself.
const initName = "faas-lambda-sandbox"

// Files of the sandbox process after stdin, stdout and stderr.
const (
	fdControl = 3 + iota
	fdLog
	fdCgroups
)

// Init must be the first statement of main in every program that starts sandboxes: they are started by executing the program again, and there
// Init becomes process 1 of the sandbox and never returns. Elsewhere it does nothing.
func Init() {
	if filepath.Base(os.Args[0]) != initName {
		return
	}
	unix.Exit(initMain()) // nothing is to be flushed or told: not os.Exit, which the race detector holds up for a second
}

// initMain runs as process 1 of the new namespaces. It lives outside the sandbox's cgroups and is never frozen, so that killing it, or its
// parent, always ends the sandbox: the kernel kills the whole pid namespace with it.
func initMain() int {
	runtime.LockOSThread() // the main thread stays the leader: bootstrap is started from another one, which may join cgroups and drop rights
	control, err := channelOf(os.NewFile(fdControl, "control"))
	if err != nil {
		return 2
	}
	process, err := prepare(control)
	if err != nil {
		if err := control.send(notice{Fault: err.Error()}); err != nil {
			return 3
		}
		return 1
	}
	orders := make(chan order)
	go receiveOrders(control, orders)
	return process.serve(control, orders)
}

// receiveOrders hands on the parent's orders and ends the sandbox when the parent is gone. It ends with the process.
func receiveOrders(control *channel, orders chan<- order) {
	for {
		var o order
		if _, err := control.receive(&o); err != nil {
			unix.Exit(0)
		}
		orders <- o
	}
}

// prepare builds the sandbox around this process and tells the parent that it stands.
func prepare(control *channel) (*initProcess, error) {
	var l layout
	if _, err := control.receive(&l); err != nil {
		return nil, err
	}
	for fd := fdControl; fd < fdCgroups+l.Tasks+1; fd++ {
		unix.CloseOnExec(fd)
	}
	// Not dumpable: bootstrap may not look into this process, even where both have the same uid.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("clear dumpable: %w", err)
	}
	name, err := unix.BytePtrFromString("faas-sandbox") // what ps shows instead of "exe"
	if err == nil {
		err = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(name)), 0, 0, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("name process: %w", err)
	}
	unix.Umask(0)
	if err := enterRoot(l); err != nil {
		return nil, err
	}
	if err := unix.Sethostname([]byte(runtimeHost)); err != nil {
		return nil, fmt.Errorf("set host name: %w", err)
	}
	listeners, err := openNetwork(l.API)
	if err != nil {
		return nil, err
	}
	extensions, err := findExtensions()
	if err != nil {
		return nil, err
	}
	err = control.send(notice{Ready: true, Extensions: extensions}, listeners...)
	for _, f := range listeners {
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return nil, err
	}
	unix.Umask(0o022)
	return &initProcess{layout: l, extensions: extensions, running: map[int]string{}}, nil
}
