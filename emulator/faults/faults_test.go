package faults

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault Fault
		want  string
	}{
		{"throttle", Fault{Kind: Throttle, After: true}, ""},
		{"error", Fault{Kind: Failure, Status: 403, Code: "AccessDenied", Message: "no"}, ""},
		{"pending", Fault{Kind: Pending, Function: "f", Service: "lambda", Skip: 1, Count: 2}, ""},
		{"slow", Fault{Kind: Slow, Delay: 1}, ""},
		{"no kind", Fault{}, `kind ""`},
		{"negative", Fault{Kind: Cut, Count: -1}, "count -1"},
		{"slow at once", Fault{Kind: Slow}, "delay 0s"},
		{"slow after", Fault{Kind: Slow, Delay: 1, After: true}, "after"},
		{"delay of a cut", Fault{Kind: Cut, Delay: 1}, "delay 1ns"},
		{"status of a throttle", Fault{Kind: Throttle, Status: 500}, "status and code"},
		{"status that is no error", Fault{Kind: Failure, Status: 200}, "status 200"},
		{"message of a cut", Fault{Kind: Cut, Message: "m"}, "message"},
		{"pending calls", Fault{Kind: Pending, Operation: "GetFunction"}, "only function"},
	} {
		_, err := new(Set).Add(c.fault)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// Which calls a fault strikes: those that fit, after the skipped ones, as often as it says; the first fault that still strikes.
func TestStrike(t *testing.T) {
	var s Set
	for _, f := range []Fault{
		{Kind: Failure, Code: "one", Operation: "Get", Skip: 1, Count: 1},
		{Kind: Failure, Code: "two", Service: "lambda", Function: "f", AccessKey: "k"},
		{Kind: Pending},
	} {
		if _, err := s.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	get, put := Call{Service: "s3", Operation: "Get"}, Call{Service: "lambda", Operation: "Put", Function: "f", AccessKey: "k"}
	var got []string
	for _, c := range []Call{get, put, get, get, {Service: "lambda", Operation: "Put", Function: "g", AccessKey: "k"}} {
		code := "-"
		if f := s.strike(c, false); f != nil {
			code = f.Code
		}
		got = append(got, code)
	}
	if strings.Join(got, " ") != "- two one - -" {
		t.Errorf("struck: %v", got)
	}
	if list := s.List(); list[0].Seen != 3 || list[0].Struck != 1 || list[1].Struck != 1 {
		t.Errorf("counted: %+v", list)
	}
	if !s.Remove("2") || s.Remove("2") || s.strike(put, false) != nil {
		t.Error("a fault was not removed, or twice")
	}
}

func TestAdmin(t *testing.T) {
	var s Set
	admin := s.Admin()
	for _, c := range []struct {
		name, method, path, kind, body string
		status                         int
		want                           string
	}{
		{"add", "POST", Path, "application/json", `{"kind":"slow","delay":"1.5s","operation":"GetFunction","count":2}`, 201, `{"id":"1"}`},
		{"list", "GET", Path, "", "", 200, `{"id":"1","operation":"GetFunction","kind":"slow","count":2,"delay":"1.5s","seen":0,"struck":0}`},
		{"form of a page", "POST", Path, "text/plain", `{"kind":"cut"}`, 415, "application/json"},
		{"unknown member", "POST", Path, "application/json", `{"kind":"cut","operatoin":"x"}`, 400, "operatoin"},
		{"bad delay", "POST", Path, "application/json", `{"kind":"slow","delay":"soon"}`, 400, "soon"},
		{"delay as number", "POST", Path, "application/json", `{"kind":"slow","delay":5}`, 400, "want a duration"},
		{"bad kind", "POST", Path, "application/json", `{"kind":"explode"}`, 400, "explode"},
		{"remove", "DELETE", Path + "/1", "", "", 204, ""},
		{"remove again", "DELETE", Path + "/1", "", "", 404, "no fault 1"},
		{"clear", "DELETE", Path, "", "", 204, ""},
		{"list of none", "GET", Path, "", "", 200, `{"faults":[]}`},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.kind)
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %s, want %d %s", c.name, w.Code, w.Body, c.status, c.want)
		}
	}
}

// What a cut call has done is done, and its client hears nothing.
func TestServe(t *testing.T) {
	for _, c := range []struct {
		fault        Fault
		done, answer bool
	}{
		{Fault{Kind: Cut}, false, false}, {Fault{Kind: Cut, After: true}, true, false}, {Fault{Kind: Throttle}, false, true},
		{Fault{Kind: Failure, After: true}, true, true}, {Fault{Kind: Slow, Delay: 1}, true, true},
	} {
		var s Set
		then, done := 0, false
		c.fault.Then = func() { then++ }
		if _, err := s.Add(c.fault); err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { done = true })
			s.Serve(w, r, Call{}, next, func(w http.ResponseWriter, _ *http.Request, _ Call, _ Refusal) { w.WriteHeader(418) })
		}))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		server.Close()
		if done != c.done || (err == nil) != c.answer || then != 1 {
			t.Errorf("%+v: done %v, answer %v (%v), then %d times", c.fault, done, resp, err, then)
		}
	}
}
