package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// The Runtime API's address inside a sandbox is the real Lambda's.
const (
	runtimeHost = "169.254.100.1"
	runtimeAddr = runtimeHost + ":9001"
	awsAddr     = runtimeHost + ":9002"
)

// openNetwork brings up the loopback of this network namespace with the Runtime API's address on it and returns sockets that listen there,
// for the parent to serve: a socket stays in the namespace it was made in, whoever accepts from it.
func openNetwork(api []string) ([]*os.File, error) {
	if err := raiseLoopback(); err != nil {
		return nil, err
	}
	var files []*os.File
	for _, addr := range append([]string{runtimeAddr}, api...) {
		f, err := listenFile(addr)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func listenFile(addr string) (*os.File, error) {
	l, err := net.Listen("tcp4", addr)
	if err != nil {
		return nil, fmt.Errorf("listen in sandbox: %w", err)
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(errors.New("listen in sandbox: not a TCP listener"), l.Close())
	}
	f, err := tcp.File()
	if err := errors.Join(err, l.Close()); err != nil {
		return nil, fmt.Errorf("take sandbox listener: %w", err)
	}
	return f, nil
}

// raiseLoopback does what `ip link set lo up; ip addr add 169.254.100.1/32 dev lo` would.
func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open network socket: %w", err)
	}
	err = errors.Join(raise(fd, "lo"), addAddress(fd, "lo:0", runtimeHost))
	return errors.Join(err, unix.Close(fd))
}

func raise(fd int, name string) error {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return fmt.Errorf("name interface %s: %w", name, err)
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("bring up interface %s: %w", name, err)
	}
	return nil
}

func addAddress(fd int, name, addr string) error {
	for _, set := range []struct {
		request uint
		value   string
	}{{unix.SIOCSIFADDR, addr}, {unix.SIOCSIFNETMASK, "255.255.255.255"}} {
		ifr, err := unix.NewIfreq(name)
		if err != nil {
			return fmt.Errorf("name interface %s: %w", name, err)
		}
		if err := ifr.SetInet4Addr(net.ParseIP(set.value).To4()); err != nil {
			return fmt.Errorf("set address of interface %s: %w", name, err)
		}
		if err := unix.IoctlIfreq(fd, set.request, ifr); err != nil {
			return fmt.Errorf("set address of interface %s: %w", name, err)
		}
	}
	return nil
}
