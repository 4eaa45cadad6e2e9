package integration

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// How a kubelet looks at pods, faster: a replica that five looks in a row find
// not ready gets no new connections, one look that finds it ready gives it some.
// A replica that AWS did not answer in a second says so for another one: that, on
// a machine that is busy, is fewer looks than it takes.
const (
	probePeriod   = 500 * time.Millisecond
	probeTimeout  = 2 * time.Second
	probeFailures = 5
)

// balancer is one address for several replicas, as a Service of Kubernetes is:
// it hands connections, of which it knows nothing, to the replicas that are
// ready, in turns. What is open stays open when a replica is not ready any more.
type balancer struct {
	URL      string
	listener net.Listener
	running  sync.WaitGroup

	mu        sync.Mutex // guards the rest
	replicas  map[string]*endpoint
	connected map[net.Conn]bool
	changed   chan struct{} // closed and replaced when a replica becomes ready, or ceases to be
}

// endpoint is one replica.
type endpoint struct {
	address     string
	ready       bool
	failures    int // in a row
	connections int // handed to it so far
	stop        context.CancelFunc
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{
		URL: "http://" + listener.Addr().String(), listener: listener,
		replicas: map[string]*endpoint{}, connected: map[net.Conn]bool{}, changed: make(chan struct{}),
	}
	b.running.Go(b.accept)
	t.Cleanup(b.close)
	return b
}

func (b *balancer) close() {
	_ = b.listener.Close()
	b.mu.Lock()
	for _, e := range b.replicas {
		e.stop()
	}
	for c := range b.connected {
		_ = c.Close()
	}
	b.mu.Unlock()
	b.running.Wait()
}

// add begins to look at the replica at url.
func (b *balancer) add(ctx context.Context, url string) {
	e := &endpoint{address: strings.TrimPrefix(url, "http://")}
	ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	b.mu.Lock()
	b.replicas[url] = e
	b.mu.Unlock()
	b.running.Go(func() { b.probe(ctx, e) })
}

// remove forgets a replica that has ended.
func (b *balancer) remove(url string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.replicas[url].stop()
	delete(b.replicas, url)
}

func (b *balancer) probe(ctx context.Context, e *endpoint) {
	client := &http.Client{Timeout: probeTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(probePeriod)
	defer tick.Stop()
	for {
		ok := false
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.address+"/readyz", nil)
		if err == nil {
			if answer, err := client.Do(req); err == nil {
				ok = answer.StatusCode == http.StatusOK
				_ = answer.Body.Close()
			}
		}
		b.seen(e, ok)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (b *balancer) seen(e *endpoint, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.failures++; ok {
		e.failures = 0
	}
	if ready := ok || e.ready && e.failures < probeFailures; ready != e.ready {
		e.ready = ready
		close(b.changed)
		b.changed = make(chan struct{})
	}
}

// until waits until the replica at url is ready, or is not.
func (b *balancer) until(t *testing.T, url string, ready bool) {
	t.Helper()
	for {
		b.mu.Lock()
		is, changed := b.replicas[url].ready, b.changed
		b.mu.Unlock()
		if is == ready {
			return
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatalf("the replica at %s never got ready=%t", url, ready)
		}
	}
}

// connections is how many the replica at url has got.
func (b *balancer) connections(url string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.replicas[url].connections
}

func (b *balancer) accept() {
	for {
		client, err := b.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			b.running.Go(func() { b.carry(client) })
		}
	}
}

// next picks a replica; empty when none is ready.
func (b *balancer) next() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var best *endpoint
	for _, e := range b.replicas {
		if e.ready && (best == nil || e.connections < best.connections) {
			best = e
		}
	}
	if best == nil {
		return ""
	}
	best.connections++
	return best.address
}

// hold takes note of connections, and says how to end them.
func (b *balancer) hold(connections ...net.Conn) (release func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range connections {
		b.connected[c] = true
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, c := range connections {
			_ = c.Close()
			delete(b.connected, c)
		}
	}
}

// carry hands a connection to a replica. One that cannot be had is cut, as it
// would be refused.
func (b *balancer) carry(client net.Conn) {
	address := b.next()
	server, err := net.DialTimeout("tcp", address, 5*time.Second)
	if address == "" || err != nil {
		_ = client.Close()
		return
	}
	defer b.hold(client, server)()
	var there sync.WaitGroup
	there.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(client, server)
	_ = client.Close()
	there.Wait()
}
