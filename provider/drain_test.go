package main

import (
	"context"
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
