package watchdogtest

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

func TestFreeAddrIsKeptForWhoNamesIt(t *testing.T) {
	addr := FreeAddr(t)
	var d net.Dialer
	if _, err := d.DialContext(t.Context(), "tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("before anybody listens: %v", err)
	}
	for range 2 { // a server may be started again
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := d.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(conn.Close(), l.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if l.Addr().String() == addr {
			t.Errorf("%s was given to somebody else", addr)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
