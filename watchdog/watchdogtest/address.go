// Package watchdogtest is what the tests of programs that are told where to
// listen have in common.
package watchdogtest

import (
	"fmt"
	"syscall"
	"testing"
)

// FreeAddr returns a loopback address, HOST:PORT, at which nothing listens and
// connections are refused, for a program to listen at. Until the test ends the
// kernel gives the port to nobody who asks for any: it is bound by a socket that
// does not listen, beside which one that names the port and has SO_REUSEADDR, as
// those of servers have, may (socket(7)). A port that was only found to be free
// can be another test's, or the end of a connection, by the time it is used.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatalf("reserve port: %v", err)
	}
	tb.Cleanup(func() {
		if err := syscall.Close(fd); err != nil {
			tb.Errorf("release port: %v", err)
		}
	})
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	if err != nil {
		tb.Fatalf("reserve port: %v", err)
	}
	addr, err := syscall.Getsockname(fd)
	if err != nil {
		tb.Fatalf("reserve port: %v", err)
	}
	return fmt.Sprintf("127.0.0.1:%d", addr.(*syscall.SockaddrInet4).Port)
}
