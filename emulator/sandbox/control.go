package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// maxMessage bounds one control message; the largest carries the environment (4 KB of the function's variables and ours).
const maxMessage = 64 << 10

// maxSockets bounds the open files of a message: the listening sockets for the Runtime API and for the AWS API at two addresses.
const maxSockets = 3

// layout is the first message to a new sandbox process: what it builds and starts.
type layout struct {
	Root    string   // an empty directory on which the new root is mounted
	Task    string   // the function's code, shown at /var/task
	Opt     string   // the layers' files, shown at /opt; empty for none
	Image   string   // instead of both: the directory that is the root; empty for none
	Args    []string // what to start; empty for Lambda's bootstrap
	Dir     string   // where it starts
	Tmp     string   // the directory shown at /tmp
	Env     []string // the whole environment of bootstrap
	API     []string // where to listen for the AWS API; empty for none
	Drop    bool     // change to uid 993 before bootstrap; false in a user namespace, where the process is that user from the start
	Tasks   int      // how many open cgroup v1 tasks files follow the log pipe; bootstrap's thread joins each
	Unified bool     // the last file passed is a cgroup v2 directory that bootstrap is born in
}

// order is a message to a running sandbox process.
type order struct {
	Extend bool        `json:",omitempty"` // start the external extensions
	Start  bool        `json:",omitempty"` // start bootstrap
	Signal unix.Signal `json:",omitempty"` // send to bootstrap, or with All to every process
	All    bool        `json:",omitempty"`
}

// notice is a message from the sandbox process. The one with Ready carries the listening sockets.
type notice struct {
	Ready   bool   `json:",omitempty"`
	Started bool   `json:",omitempty"`
	Exited  bool   `json:",omitempty"`
	Status  string `json:",omitempty"` // with Exited: "exit status 1", "signal: killed"
	Fault   string `json:",omitempty"` // the sandbox could not be made: the host's fault
	Entry   string `json:",omitempty"` // bootstrap could not be started: the function's fault
	NoDir   bool   `json:",omitempty"` // with Entry: for want of its working directory
	Signal  bool   `json:",omitempty"` // an order with Signal has been carried out

	Extensions []string `json:",omitempty"` // with Ready: the names of the external extensions
	Extension  string   `json:",omitempty"` // with Exited or Entry: it is not bootstrap that ended or could not be started, but this
}

// channel exchanges JSON messages and open files over a socket pair that keeps message borders. Any goroutine may send, one receives.
type channel struct {
	conn *net.UnixConn
	buf  []byte
}

// channelPair returns the two ends: ours, and a file for the child.
func channelPair() (*channel, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make control socket: %w", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "control")
	ours, err := channelOf(os.NewFile(uintptr(fds[0]), "control"))
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return ours, theirs, nil
}

// channelOf takes over the file.
func channelOf(f *os.File) (*channel, error) {
	conn, err := net.FileConn(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(errors.New("open control socket: not a unix socket"), conn.Close())
	}
	return &channel{conn: unixConn, buf: make([]byte, maxMessage)}, nil
}

func (c *channel) send(message any, files ...*os.File) error {
	data, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode control message: %w", err)
	}
	if len(data) > maxMessage {
		return fmt.Errorf("send control message: %d bytes are more than %d", len(data), maxMessage)
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	if _, _, err := c.conn.WriteMsgUnix(data, rights, nil); err != nil {
		return fmt.Errorf("send control message: %w", err)
	}
	return nil
}

// receive fills message and returns the files that came with it, which are the caller's to close. io.EOF means that the other end is gone.
func (c *channel) receive(message any) ([]*os.File, error) {
	oob := make([]byte, unix.CmsgSpace(maxSockets*4))
	n, oobn, _, _, err := c.conn.ReadMsgUnix(c.buf, oob)
	if err != nil {
		return nil, fmt.Errorf("receive control message: %w", err)
	}
	if n == 0 {
		return nil, io.EOF
	}
	files, err := receivedFiles(oob[:oobn])
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(c.buf[:n], message); err != nil {
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
		return nil, fmt.Errorf("decode control message: %w", err)
	}
	return files, nil
}

func receivedFiles(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("parse control message: %w", err)
	}
	var files []*os.File
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return nil, fmt.Errorf("parse passed files: %w", err)
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "listener"))
		}
	}
	return files, nil
}

func (c *channel) close() error { return c.conn.Close() }
