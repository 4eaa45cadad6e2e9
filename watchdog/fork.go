package watchdog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// forker starts a process per request; the fork modes differ in what they make
// of its output.
type forker struct {
	cfg  Config
	env  environment
	logs logs
	log  *slog.Logger

	variables func(*http.Request) []string // more of them; may be nil

	running sync.WaitGroup
}

func (*forker) start(context.Context) error { return nil }
func (*forker) done() <-chan struct{}       { return nil }

// close waits for the processes that still serve requests.
func (f *forker) close(ctx context.Context) error {
	idle := make(chan struct{})
	go func() { f.running.Wait(); close(idle) }() // ends with the last request
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for running requests: %w", ctx.Err())
	}
}

// process is a forked process: what it prints to stdout is read from stdout,
// its stderr is being logged or goes to stdout too.
type process struct {
	cmd    *exec.Cmd
	stdout *os.File

	input   *os.File      // our end of stdin
	fed     chan struct{} // closed when the input is written or given up
	readErr error         // of the input's source; set before fed is closed
	logged  []<-chan struct{}
	unwatch func() bool
}

// fork starts the function's command with vars added to its environment and body
// (of length bytes, -1 when unknown) as its stdin. It and all that it starts is
// killed when ctx ends. combined sends its stderr the way of its stdout. The
// caller reads stdout to its end and calls wait.
func (f *forker) fork(ctx context.Context, vars []string, body io.Reader, length int64, combined bool) (*process, error) {
	cmd, err := f.env.command(f.cfg.Command, vars)
	if err != nil {
		return nil, err
	}
	var pipes [3]struct{ r, w *os.File } // stdin, stdout, stderr
	for i := range pipes {
		if i == 2 && combined {
			break
		}
		if pipes[i].r, pipes[i].w, err = os.Pipe(); err != nil {
			break
		}
	}
	stdin, stdout, stderr := pipes[0], pipes[1], pipes[2]
	if err == nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin.r, stdout.w, stderr.w
		if combined {
			cmd.Stderr = stdout.w
		}
		err = cmd.Start()
	}
	closeFiles(stdin.r, stdout.w, stderr.w)
	if err != nil {
		closeFiles(stdin.w, stdout.r, stderr.r)
		return nil, err
	}
	p := &process{cmd: cmd, stdout: stdout.r, input: stdin.w, fed: make(chan struct{})}
	if !combined {
		p.logged = []<-chan struct{}{f.logs.stderr.follow(stderr.r)}
	}
	p.unwatch = context.AfterFunc(ctx, p.end)
	if length == 0 || body == nil {
		p.feed(nil)
	} else {
		go p.feed(body) // ends with the body or with the process
	}
	return p, nil
}

// closeFiles closes ends of pipes, in which nothing of ours is buffered.
func closeFiles(files ...*os.File) {
	for _, file := range files {
		if file != nil {
			_ = file.Close()
		}
	}
}

// end kills the process and all that it started. One that left the process
// group and holds stdout is not waited for.
func (p *process) end() {
	// The error would be that it has ended by itself, or that it became another
	// user's: then the deadline is all we have.
	_ = kill(p.cmd, syscall.SIGKILL)
	_ = p.stdout.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
}

// feed writes the body to stdin. That the function does not want all of it is
// no error: what it answers counts.
func (p *process) feed(body io.Reader) {
	defer close(p.fed)
	defer closeFiles(p.input)
	if body == nil {
		return
	}
	bp := buffers.Get().(*[]byte)
	defer buffers.Put(bp)
	for {
		n, err := body.Read(*bp)
		if n > 0 {
			if _, err := p.input.Write((*bp)[:n]); err != nil {
				return
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			p.readErr = fmt.Errorf("read request body: %w", err)
			return
		}
	}
}

// wait waits for the process after its stdout has been read to its end.
func (p *process) wait() error {
	closeFiles(p.stdout)
	err := p.cmd.Wait()
	p.unwatch()
	drain(p.logged...)
	return err
}

// release waits for the input of a process that has ended: what is still to be
// written to it is for nobody.
func (p *process) release(unblock func()) {
	_ = p.input.SetWriteDeadline(time.Unix(1, 0)) // fails when the input is closed, as it should be
	await(p.fed, unblock)
}

// cgi returns the variables that describe the request (the process's own
// environment is added by fork).
func cgi(r *http.Request, classic bool) []string {
	vars := make([]string, 0, len(r.Header)+8)
	add := func(name, value string) {
		// A NUL cannot stand in an environment; it would make the start fail.
		if strings.IndexByte(value, 0) < 0 {
			vars = append(vars, "Http_"+name+"="+value)
		}
	}
	for name, values := range r.Header {
		if len(values) > 0 {
			add(strings.ReplaceAll(name, "-", "_"), values[0])
		}
	}
	add("Method", r.Method)
	if classic {
		length := strconv.FormatInt(r.ContentLength, 10)
		add("ContentLength", length)
		add("Content_Length", length)
	}
	if len(r.TransferEncoding) > 0 {
		add("Transfer_Encoding", r.TransferEncoding[0])
	}
	if r.URL.RawQuery != "" {
		add("Query", r.URL.RawQuery)
	}
	if r.URL.Path != "" {
		add("Path", r.URL.Path)
	}
	if classic && r.Host != "" {
		add("Host", r.Host)
	}
	return vars
}
