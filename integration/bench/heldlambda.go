package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// heldLambda is the embedded AWS but for invocations, which it answers by
// itself, a second after they came: a thousand sandboxes do not fit on a machine
// that is to measure something else.
type heldLambda struct {
	url    string
	server *http.Server
	answer []byte // what the function says; set before invocations are sent
}

// heldFor is how long an invocation lasts.
const heldFor = time.Second

func newHeldLambda(aws string) (*heldLambda, error) {
	to, err := url.Parse(aws)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // close ends it
	if err != nil {
		return nil, err
	}
	l := &heldLambda{url: "http://" + listener.Addr().String()}
	proxy := httputil.NewSingleHostReverseProxy(to)
	l.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/response-streaming-invocations") {
			if err := fixture.TakeBody(r); err == nil {
				proxy.ServeHTTP(w, r)
			}
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		timer := time.NewTimer(heldFor)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		_, _ = w.Write(l.answer)
	})}
	go func() { _ = l.server.Serve(listener) }()
	return l, nil
}

func (l *heldLambda) close() { _ = l.server.Close() }

// crowd has so many clients invoke a function at a time, sizingCalls times each,
// with bodies and answers of a size. It returns how many invocations there were.
func (l *heldLambda) crowd(ctx context.Context, function string, clients, size int) (int, error) {
	body := bytes.Repeat([]byte("x"), size)
	answer, err := streamOf(body)
	if err != nil {
		return 0, err
	}
	l.answer = answer
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	errs := make(chan error, clients)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range sizingCalls {
				if err := callOnce(ctx, client, function, body); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(errs)
	if len(errs) > 0 {
		return 0, fmt.Errorf("%d of %d clients failed: %w", len(errs), clients, <-errs)
	}
	return clients * sizingCalls, nil
}

func callOnce(ctx context.Context, client *http.Client, function string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, function, bytes.NewReader(body))
	if err != nil {
		return err
	}
	answer, err := client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || n != int64(len(body))) {
		err = fmt.Errorf("answered %d with %d bytes", answer.StatusCode, n)
	}
	return err
}

// streamOf is the answer of a function as Lambda streams it: metadata, eight
// NULs, the body, in one chunk of 64 KB at a time, and the end.
func streamOf(body []byte) ([]byte, error) {
	metadata, err := json.Marshal(map[string]int{"statusCode": http.StatusOK})
	if err != nil {
		return nil, err
	}
	rest := append(append(metadata, make([]byte, 8)...), body...)
	var out bytes.Buffer
	encoder := eventstream.NewEncoder()
	send := func(event, kind string, payload []byte) error {
		message := eventstream.Message{Payload: payload}
		message.Headers.Set(":message-type", eventstream.StringValue("event"))
		message.Headers.Set(":event-type", eventstream.StringValue(event))
		message.Headers.Set(":content-type", eventstream.StringValue(kind))
		return encoder.Encode(&out, message)
	}
	for len(rest) > 0 {
		n := min(len(rest), 64<<10)
		if err := send("PayloadChunk", "application/octet-stream", rest[:n]); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	err = send("InvokeComplete", "application/json", []byte("{}"))
	return out.Bytes(), err
}

// smallImage puts the image of a small function into a registry, which the
// caller closes.
func smallImage(ctx context.Context) (*fixture.Registry, string, error) {
	root, err := fixture.Root()
	if err != nil {
		return nil, "", err
	}
	var programs [2][]byte
	for i, name := range []string{"cat", "watchdog"} {
		if programs[i], err = fixture.Build(ctx, filepath.Join(root, "integration", "functions", name), ".", runtime.GOARCH); err != nil {
			return nil, "", err
		}
	}
	image, err := fixture.Classic(runtime.GOARCH, programs[0], programs[1])
	if err != nil {
		return nil, "", err
	}
	registry, err := fixture.StartRegistry()
	if err != nil {
		return nil, "", err
	}
	ref, err := registry.Push(ctx, "functions/small:1", image)
	if err != nil {
		return nil, "", errors.Join(err, registry.Close())
	}
	return registry, ref, nil
}
