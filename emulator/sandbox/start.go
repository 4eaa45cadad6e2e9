package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Spec describes a sandbox.
type Spec struct {
	Function Function
	Task     string       // the directory with the function's unpacked code; it may be shared and must not change
	Opt      string       // likewise, what layers have under /opt; empty for nothing
	Image    *Image       // instead of Task and Opt; nil for none
	Log      func([]byte) // called with each line that the function's processes write; it must not keep the slice. nil discards them
	API      http.Handler // the AWS API offered inside the sandbox; nil for none
	// Loopback is the address, 127.0.0.1:port, at which the API is found outside; empty for none. It is the same inside, so that URLs signed
	// outside lead there.
	Loopback string
}

// Image is a container image's root, and what runs in it.
type Image struct {
	// Root is the directory with the image's files; it may be shared and must not change. In it are the directories dev, proc and tmp, and the
	// files etc/hosts, etc/hostname and etc/resolv.conf, over which the sandbox mounts its own.
	Root string
	Args []string // program and arguments; a program without slash is looked for in PATH
	Dir  string   // working directory; / by default
	Env  []string // the image's own variables; Function's come over them
}

// Sandbox is one execution environment. One invocation at a time; other methods may be called at any time.
type Sandbox struct {
	spec    Spec
	dir     string
	group   *cgroup // without directories where there is no cgroup
	cmd     *exec.Cmd
	control *channel
	logs    *logPipe
	servers []*http.Server
	serving sync.WaitGroup // the servers' goroutines and the monitor
	freezer freezer
	started time.Time
	graces  graces

	state runtimeState

	runtimeEnded chan struct{} // closed when bootstrap has ended
	failed       chan struct{} // closed when bootstrap or an external extension has
	failOnce     sync.Once     // closes failed
	exited       chan struct{} // closed when every process of the sandbox is gone
	exit         Exit          // set before failed is closed
	fault        error         // set before failed is closed: the sandbox itself broke
	closeOnce    sync.Once
	closeErr     error

	freezeMu sync.Mutex // guards the fields below
	timer    *time.Timer
	frozen   bool
	awake    bool
}

// Exit says how bootstrap ended.
type Exit struct {
	Status string // "exit status 1", "signal: killed"
	Entry  string // why it could not even be started; then Status is empty
	NoDir  bool   // with Entry: the reason is the working directory
	OOM    bool   // the memory limit killed a process
}

// Start makes the sandbox. Bootstrap is not running yet: that is Boot's, so that its time is measured alone.
func (h *Host) Start(ctx context.Context, spec Spec) (*Sandbox, error) {
	s := &Sandbox{spec: spec, group: &cgroup{}, graces: graces{shutdownGrace, extensionsGrace}, runtimeEnded: make(chan struct{}), failed: make(chan struct{}), exited: make(chan struct{})}
	s.state.init()
	if spec.Log == nil {
		s.spec.Log = func([]byte) {}
	}
	listeners, err := h.build(ctx, s)
	if err != nil {
		return nil, errors.Join(explain(err), s.abandon())
	}
	if err := s.serve(listeners); err != nil {
		return nil, errors.Join(err, s.abandon())
	}
	s.serving.Add(1)
	go s.monitor()
	return s, nil
}

// build starts process 1 and waits until the sandbox stands around it.
func (h *Host) build(ctx context.Context, s *Sandbox) ([]*os.File, error) {
	dir, err := os.MkdirTemp(h.dir, "sandbox-")
	if err != nil {
		return nil, fmt.Errorf("make sandbox directory: %w", err)
	}
	s.dir = dir
	root, tmp := filepath.Join(dir, "root"), filepath.Join(dir, "tmp")
	if err := errors.Join(os.Mkdir(root, 0o755), os.Mkdir(tmp, 0o700)); err != nil {
		return nil, fmt.Errorf("make sandbox directory: %w", err)
	}
	if !h.user {
		if err := os.Chown(tmp, sandboxUID, sandboxGID); err != nil {
			return nil, fmt.Errorf("give sandbox /tmp to its user: %w", err)
		}
		if s.group, err = h.groups.makeCgroup(int64(s.spec.Function.MemoryMB) << 20); err != nil {
			s.group = &cgroup{}
			return nil, err
		}
	}
	l := layout{
		Root: root, Task: s.spec.Task, Opt: s.spec.Opt, Tmp: tmp, API: s.spec.apiAddresses(), Drop: !h.user, Dir: "/var/task",
		Unified: s.group.unified != "",
	}
	if i := s.spec.Image; i != nil {
		l.Image, l.Args, l.Dir = i.Root, i.Args, cmp.Or(i.Dir, "/")
		l.Env = imageEnviron(i.Env, s.spec.Function, s.spec.API != nil)
	} else {
		l.Env = environ(s.spec.Function, s.spec.API != nil)
	}
	if err := h.spawn(s, &l); err != nil {
		return nil, err
	}
	return s.await(ctx, l)
}

// apiAddresses are where the AWS API is offered inside.
func (s Spec) apiAddresses() []string {
	switch {
	case s.API == nil:
		return nil
	case s.Loopback == "":
		return []string{awsAddr}
	}
	return []string{awsAddr, s.Loopback}
}

// spawn executes this program again as process 1 of new namespaces.
func (h *Host) spawn(s *Sandbox, l *layout) (err error) {
	tasks, unified, err := s.group.open()
	files := tasks
	if unified != nil {
		files = append(files, unified)
	}
	defer func() {
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
	}()
	if err != nil {
		return err
	}
	l.Tasks = len(tasks)
	logs, logWrite, err := newLogPipe(s.spec.Log)
	if err != nil {
		return err
	}
	s.logs = logs
	go logs.run() // ends with the pipe
	files = append([]*os.File{logWrite}, files...)
	control, theirs, err := channelPair()
	if err != nil {
		return err
	}
	s.control = control
	files = append([]*os.File{theirs}, files...)
	s.freezer = signalFreezer{control}
	if s.group.unified != "" {
		s.freezer = cgroupFreezer(s.group.unified)
	}
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{initName}, Env: []string{"GOMAXPROCS=2"}, Dir: "/",
		ExtraFiles: files, SysProcAttr: h.attributes(),
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start sandbox: %w", err)
	}
	s.cmd = cmd
	return nil
}

// await sends the layout and waits until the sandbox stands. Cancelling ctx kills it, which ends the wait.
func (s *Sandbox) await(ctx context.Context, l layout) ([]*os.File, error) {
	stop := context.AfterFunc(ctx, func() { _ = s.cmd.Process.Kill() }) // already gone is as good
	defer stop()
	if err := s.control.send(l); err != nil {
		return nil, errors.Join(fmt.Errorf("start sandbox: %w", err), ctx.Err())
	}
	var n notice
	files, err := s.control.receive(&n)
	switch {
	case err != nil:
		return nil, errors.Join(fmt.Errorf("start sandbox: %w", err), ctx.Err())
	case n.Fault != "":
		return nil, faultError(n.Fault)
	case !n.Ready:
		return nil, errors.New("start sandbox: its process answered out of turn")
	}
	s.state.expect(n.Extensions)
	return files, nil
}

// faultError is for what process 1 could not do.
func faultError(fault string) error {
	if strings.Contains(fault, unix.EPERM.Error()) || strings.Contains(fault, unix.EACCES.Error()) {
		return fmt.Errorf("start sandbox: %s (%w)", fault, ErrForbidden)
	}
	return fmt.Errorf("start sandbox: %s", fault)
}

// serve answers the Runtime API, and the AWS API if there is one, on the sandbox's sockets.
func (s *Sandbox) serve(files []*os.File) error {
	handlers := []http.Handler{s.runtimeAPI()}
	for range s.spec.apiAddresses() {
		handlers = append(handlers, s.spec.API)
	}
	if len(files) != len(handlers) {
		return fmt.Errorf("start sandbox: %d listeners for %d services", len(files), len(handlers))
	}
	for i, f := range files {
		l, err := net.FileListener(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("serve sandbox: %w", err)
		}
		// No timeouts: a frozen function may be slow for hours. What a function does to its connections is not worth a line in our log.
		server := &http.Server{Handler: handlers[i], ErrorLog: log.New(io.Discard, "", 0)}
		s.servers = append(s.servers, server)
		s.serving.Add(1)
		go func() {
			defer s.serving.Done()
			_ = server.Serve(l) // ends by Close only
		}()
	}
	return nil
}

// monitor follows the notices of process 1 to the end of the sandbox.
func (s *Sandbox) monitor() {
	defer s.serving.Done()
	defer close(s.exited)
	s.exit.Status = "signal: killed"
	told := false // how bootstrap ended
	for {
		var n notice
		if _, err := s.control.receive(&n); err != nil {
			break
		}
		switch {
		case n.Extension != "":
			s.state.externalEnded(n)
			s.markFailed()
		case n.Exited, n.Entry != "":
			s.exit = Exit{Status: n.Status, Entry: n.Entry, NoDir: n.NoDir, OOM: s.group.oomKills() > 0}
			told = true
			close(s.runtimeEnded)
			if len(s.state.externals) > 0 { // without, all else ends by itself now
				s.markFailed()
			}
		case n.Fault != "":
			s.fault = errors.New(n.Fault)
		}
	}
	_ = s.cmd.Wait() // how process 1 itself ended says nothing more
	if !told {
		s.exit.OOM = s.group.oomKills() > 0
		close(s.runtimeEnded)
	}
	s.logs.drain()
	s.markFailed()
}

func (s *Sandbox) markFailed() { s.failOnce.Do(func() { close(s.failed) }) }
