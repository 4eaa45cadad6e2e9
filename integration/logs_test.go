package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/logs"
	"github.com/openfaas/faas-provider/types"
)

// TestLogs reads what a function prints as faas-cli does: what there is, the end
// of it, and what comes.
func TestLogs(t *testing.T) {
	function := fresh("printing")
	deploy(t, types.FunctionDeployment{Service: function, Image: push(t, "functions/web:1", middleware(t, "web"))})
	read := func(query string) []logs.Message {
		t.Helper()
		answer := do(t, http.MethodGet, "/system/logs?name="+function+"&"+query, nil)
		if answer.Status != http.StatusOK || answer.Header.Get("Content-Type") != "application/x-ndjson" {
			t.Fatalf("%d %v %s", answer.Status, answer.Header, answer.Body)
		}
		var out []logs.Message
		for line := range strings.Lines(string(answer.Body)) {
			var m logs.Message
			decode(t, []byte(line), &m)
			out = append(out, m)
		}
		return out
	}
	for range 3 {
		do(t, http.MethodPost, "/function/"+function+"/", nil)
	}
	var all []logs.Message
	eventually(t, "the lines of three invocations", func() bool {
		all = read("tail=-1")
		n := 0
		for _, m := range all {
			if m.Text == "page for /" {
				n++
			}
		}
		return n == 3
	})
	for i, m := range all {
		if m.Name != function || m.Namespace != "openfaas-fn" || m.Instance == "" || time.Since(m.Timestamp).Abs() > time.Hour {
			t.Errorf("message %+v", m)
		}
		if i > 0 && m.Timestamp.Before(all[i-1].Timestamp) {
			t.Errorf("%+v after %+v", m, all[i-1])
		}
		if strings.Contains(m.Text, "RequestId: ") {
			t.Errorf("a line of Lambda's: %q", m.Text)
		}
	}
	if got := read("tail=1&since=10m"); len(got) != 1 || got[0].Text != all[len(all)-1].Text {
		t.Errorf("tail=1: %v", got)
	}
	if got := read("instance=" + all[0].Instance); len(got) == 0 {
		t.Error("no lines of the instance")
	}
	if got := read("instance=other"); len(got) != 0 {
		t.Errorf("lines of another instance: %v", got)
	}
	if got := read("platform=true"); len(got) <= len(all) {
		t.Errorf("%d lines with Lambda's own, %d without", len(got), len(all))
	}

	ctx, end := context.WithTimeout(t.Context(), 2*time.Minute)
	defer end()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, shared.up.URL+"/system/logs?follow=true&tail=1&name="+function, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(shared.up.User, shared.up.Password)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	if !lines.Scan() {
		t.Fatal("no last line")
	}
	for range 2 {
		do(t, http.MethodPost, "/function/"+function+"/followed", nil)
		var m logs.Message
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &m) != nil || m.Text != "page for /followed" {
			t.Fatalf("followed: %q, %v", lines.Text(), lines.Err())
		}
	}
}

// TestUsage has the embedded AWS count what is shown of a function.
func TestUsage(t *testing.T) {
	function := fresh("counted")
	deploy(t, types.FunctionDeployment{Service: function, Image: push(t, "functions/web:1", middleware(t, "web"))})
	for range 3 {
		do(t, http.MethodPost, "/function/"+function+"/", nil)
	}
	var status types.FunctionStatus
	eventually(t, "the count of three invocations", func() bool {
		decode(t, do(t, http.MethodGet, "/system/function/"+function+"?usage=true", nil).Body, &status)
		return status.InvocationCount == 3
	})
	if status.Replicas != 1 || status.AvailableReplicas != 1 || status.Usage == nil || status.Usage.TotalMemoryBytes != 256<<20 || status.Usage.CPU <= 0 {
		t.Errorf("status %+v, usage %+v", status, status.Usage)
	}
	var list []types.FunctionStatus
	decode(t, do(t, http.MethodGet, "/system/functions", nil).Body, &list)
	for _, f := range list {
		if f.Name == function && f.InvocationCount != 3 {
			t.Errorf("listed with %v invocations", f.InvocationCount)
		}
	}
}
