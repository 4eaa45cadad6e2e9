package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestAnswersCloseTheirConnectionsOnceTheProviderEnds(t *testing.T) {
	ending := make(chan struct{})
	server := httptest.NewServer(partingFrom(ending, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	defer server.Close()
	closes := func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return answer.Close
	}
	if closes() {
		t.Error("a connection is closed while the provider goes on")
	}
	close(ending)
	if !closes() {
		t.Error("a connection is kept although the provider ends")
	}
}

// TestIdleConnectionsAreLeftToTheirClients: a request on a connection that was
// idle until the server ended is answered, and the server ends with its last
// connection.
func TestIdleConnectionsAreLeftToTheirClients(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	served := make(chan error, 1)
	handler := partingFrom(ctx.Done(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	go func() {
		served <- serveHTTP(ctx, listener, handler, time.Minute, ending{grace: time.Hour, patient: true})
	}()
	address := listener.Addr().String()
	var connections [2]net.Conn
	post := func(i int, closes bool) {
		t.Helper()
		if _, err := io.WriteString(connections[i], "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(connections[i]), nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusOK || answer.Close != closes {
			t.Errorf("answered %d, close %t, want close %t", answer.StatusCode, answer.Close, closes)
		}
	}
	for i := range connections {
		if connections[i], err = net.Dial("tcp", address); err != nil {
			t.Fatal(err)
		}
		defer connections[i].Close()
		post(i, false)
	}
	end()
	for err == nil { // until the server takes no more
		var late net.Conn
		if late, err = net.Dial("tcp", address); err == nil {
			late.Close()
		}
	}
	post(0, true)
	select {
	case err := <-served:
		t.Fatalf("it ended while a connection was open: %v", err)
	default:
	}
	connections[1].Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// What a request does when it is cut off is waited for, but not for ever.
func TestRequestsThatAreCutOffEndFirst(t *testing.T) {
	var requests underway
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	begun, undone, release := make(chan struct{}), false, make(chan struct{})
	handler := requests.watch(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		<-release
		undone = true
	}))
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+listener.Addr().String(), nil)
		if err != nil {
			t.Error(err)
			return
		}
		if answer, err := http.DefaultClient.Do(req); err == nil {
			_ = answer.Body.Close()
			t.Error("it was answered")
		}
	}()
	go func() {
		<-begun
		stop()
	}()
	if err := serveHTTP(ctx, listener, handler, time.Minute, ending{}); err != nil {
		t.Fatal(err)
	}
	if requests.none() {
		t.Error("there is none under way")
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if requests.end(over) == nil {
		t.Error("it ended before it was released")
	}
	close(release)
	if err := requests.end(t.Context()); err != nil || !undone {
		t.Errorf("undone: %t, %v", undone, err)
	}
}

func TestLater(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	soon, cancelSoon := later(ctx, time.Millisecond)
	defer cancelSoon()
	notYet, cancel := later(ctx, time.Hour)
	stop()
	<-soon.Done()
	if notYet.Err() != nil {
		t.Error("it ended with what it follows")
	}
	cancel()
	<-notYet.Done()
}
