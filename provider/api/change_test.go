package api

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/memory"
)

// patient is a backend whose changes last until their contexts end.
type patient struct {
	backend.Backend
	begun chan struct{}
}

func (p patient) Deploy(ctx context.Context, _ types.FunctionDeployment) error {
	p.begun <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func (p patient) Delete(ctx context.Context, _ backend.Name) error {
	return p.Deploy(ctx, types.FunctionDeployment{})
}

// Changes go on when their clients go, and end with the program.
func TestChangesEndWithTheServer(t *testing.T) {
	for method, body := range map[string]string{http.MethodPost: hello, http.MethodDelete: `{"functionName":"hello"}`} {
		t.Run(method, func(t *testing.T) {
			b := patient{begun: make(chan struct{})}
			ending := make(chan struct{})
			url := start(t, b, func(o *Options) { o.Ending = ending })
			go func() {
				<-b.begun
				close(ending)
			}()
			if a := send(t, method, url+"/system/functions", body); a.code != http.StatusInternalServerError {
				t.Errorf("it answered %d %s", a.code, a.body)
			}
		})
	}
}

// The log and the answer of a request to /system have its id, or one that is made
// for it.
func TestCallsOfSystemAreLogged(t *testing.T) {
	var log bytes.Buffer
	url := start(t, memory.New(), func(o *Options) { o.Logger = slog.New(slog.NewJSONHandler(&log, nil)) })
	given := send(t, http.MethodPost, url+"/system/functions", hello, callHeader, "call-1")
	made := send(t, http.MethodPost, url+"/system/functions", hello)
	var calls []string
	for line := range strings.SplitSeq(strings.TrimSpace(log.String()), "\n") {
		var entry struct{ Call string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, entry.Call)
	}
	if id := made.header.Get(callHeader); given.header.Get(callHeader) != "call-1" || id == "" || len(calls) != 2 || calls[0] != "call-1" || calls[1] != id {
		t.Errorf("answers %q and %q, log %q", given.header.Get(callHeader), id, calls)
	}
}
