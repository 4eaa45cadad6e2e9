package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLine is the longest log line handed on in one piece; Lambda's is 256 KB.
const maxLine = 256 << 10

// logPipe reads what the function's processes write and hands it on line by line, in order.
type logPipe struct {
	file *os.File
	raw  syscall.RawConn
	done chan struct{}

	mu      sync.Mutex // guards line and buf, and that reading and handing on are one step
	line    func([]byte)
	buf     []byte
	scratch []byte
}

// newLogPipe returns the pipe and its other end for the child. line is called with each line, without its end, and must not keep it.
func newLogPipe(line func([]byte)) (*logPipe, *os.File, error) {
	var fds [2]int
	// Both ends do not block here; the reading end must not, and the writing end is made blocking again for the function.
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, nil, fmt.Errorf("make log pipe: %w", err)
	}
	write := os.NewFile(uintptr(fds[1]), "log")
	read := os.NewFile(uintptr(fds[0]), "log")
	err := unix.SetNonblock(fds[1], false)
	raw, rawErr := read.SyscallConn()
	if err := errors.Join(err, rawErr); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("make log pipe: %w", err), read.Close(), write.Close())
	}
	return &logPipe{file: read, raw: raw, line: line, done: make(chan struct{}), scratch: make([]byte, 64<<10)}, write, nil
}

// run reads until every writer is gone or close is called.
func (p *logPipe) run() {
	defer close(p.done)
	_ = p.raw.Read(p.readAll) // its only error is that the pipe was closed, which is the end
}

// readAll reads what there is; false means that more may come.
func (p *logPipe) readAll(fd uintptr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		n, err := unix.Read(int(fd), p.scratch)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return false
		case err != nil || n == 0:
			return true
		}
		p.split(p.scratch[:n])
	}
}

func (p *logPipe) split(data []byte) {
	for {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			break
		}
		p.emit(data[:i])
		data = data[i+1:]
	}
	p.buf = append(p.buf, data...)
	if len(p.buf) >= maxLine {
		p.emit(nil)
	}
}

func (p *logPipe) emit(rest []byte) {
	if len(p.buf) == 0 {
		p.line(rest)
		return
	}
	p.line(append(p.buf, rest...))
	p.buf = p.buf[:0]
}

// drain hands on everything written until now, an unfinished line too.
func (p *logPipe) drain() {
	_ = p.raw.Control(func(fd uintptr) { p.readAll(fd) }) // closed: nothing to drain
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.buf) > 0 {
		p.emit(nil)
	}
}

// close is for when the writers are gone.
func (p *logPipe) close() error {
	p.drain()
	err := p.file.Close()
	<-p.done
	return err
}
