package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRunViewTellsColdFromWarm(t *testing.T) {
	var out bytes.Buffer
	v := newRunView(&out)
	for _, line := range []string{
		"fn: START RequestId: 1 Version: $LATEST",
		"fn: hello: world",
		"fn: END RequestId: 1",
		"fn: REPORT RequestId: 1\tDuration: 2.50 ms\tBilled Duration: 23 ms\tMemory Size: 128 MB\tMax Memory Used: 12 MB\tInit Duration: 20.00 ms\t",
		"fn: REPORT RequestId: 2\tDuration: 1.25 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 12 MB\t",
		"fn: REPORT RequestId: 3\tDuration: 1000.00 ms\tBilled Duration: 1000 ms\tMemory Size: 128 MB\tMax Memory Used: 12 MB\tStatus: timeout\t",
	} {
		if _, err := v.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	v.summary()
	want := `hello: world
  lambda: cold, init 20.0 ms and 2.5 ms, 12 of 128 MB
  lambda: warm, 1.2 ms, 12 of 128 MB
  lambda: warm, 1000.0 ms, timeout, 12 of 128 MB
cold: 1, init 20.0 ms and invocation 2.5 ms in the median
warm: 2, invocation 1000.0 ms in the median
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
}

func TestRunRefusesBadFlags(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"nothing":               {nil, "an image, a zip or a folder"},
		"unknown sample":        {[]string{"--sample", "pigeon"}, "sqs"},
		"two events":            {[]string{"x", "--sample", "sqs", "--event", "x.json"}, "two events"},
		"no event file":         {[]string{"x", "--event", "/nowhere/x.json"}, "/nowhere/x.json"},
		"never":                 {[]string{"x", "--sample", "sqs", "--times", "0"}, "--times 0"},
		"little memory":         {[]string{"oci:/nowhere", "--sample", "sqs", "--memory", "64"}, "--memory 64"},
		"long timeout":          {[]string{"oci:/nowhere", "--sample", "sqs", "--timeout", "1h"}, "--timeout 1h"},
		"variable":              {[]string{"oci:/nowhere", "--sample", "sqs", "--env", "A"}, `--env "A"`},
		"secret without a file": {[]string{"oci:/nowhere", "--sample", "sqs", "--secret", "key"}, "secret key: there is no file .secrets/key"},
		"no such image":         {[]string{"oci:/nowhere", "--sample", "sqs"}, "/nowhere"},
		"no such folder":        {[]string{"./nowhere", "--sample", "sqs"}, "run ./nowhere: stat ./nowhere: no such file"},
		"no such zip":           {[]string{"nowhere.zip", "--sample", "sqs"}, "run nowhere.zip: stat nowhere.zip: no such file"},
		"not a zip":             {[]string{"run_test.go", "--sample", "sqs"}, "neither a folder nor a .zip"},
		"not a function":        {[]string{"testdata", "--sample", "sqs"}, "no stack.yaml"},
		"too many targets":      {[]string{"a", "b"}, "accepts at most 1"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command()
			cmd.SetArgs(append([]string{"run"}, c.args...))
			cmd.SetOut(&bytes.Buffer{})
			if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q in it", err, c.says)
			}
		})
	}
}

func TestRunPrintsSample(t *testing.T) {
	var out bytes.Buffer
	cmd := command()
	cmd.SetArgs([]string{"run", "--sample", "sqs"})
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); err != nil || !json.Valid(out.Bytes()) || !strings.Contains(out.String(), "aws:sqs") {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestURLEvent(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/a%20b?x=1&x=2&y=", nil)
	r.Header["X-A"] = []string{"1", "2"}
	r.Header["Cookie"] = []string{"a=1; b=2"}
	e := urlEvent(r, []byte{0xff}, time.Unix(0, 0))
	for name, want := range map[string]any{
		"rawPath": "/a%20b", "rawQueryString": "x=1&x=2&y=", "body": "/w==", "isBase64Encoded": true,
		"headers": map[string]string{"host": "example.com", "x-a": "1,2"}, "cookies": []string{"a=1", "b=2"},
		"queryStringParameters": map[string]string{"x": "1,2", "y": ""},
	} {
		if d := cmp.Diff(want, e[name]); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestURLAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		answer, body, kind string
		status             int
	}{
		"response":      {`{"statusCode":201,"headers":{"content-type":"text/x"},"body":"hi"}`, "hi", "text/x", 201},
		"binary":        {`{"statusCode":200,"headers":{"content-type":"image/x"},"body":"/w==","isBase64Encoded":true}`, "\xff", "image/x", 200},
		"bad base64":    {`{"statusCode":200,"body":"!","isBase64Encoded":true}`, "the function's body is not base64", "text/plain; charset=utf-8", 502},
		"any document":  {`{"a":1}`, `{"a":1}`, "application/json", 200},
		"no document":   {`hello`, `hello`, "application/json", 200},
		"odd status":    {`{"statusCode":42}`, `{"statusCode":42}`, "application/json", 200},
		"empty headers": {`{"statusCode":204}`, "", "", 204},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			writeURLAnswer(w, []byte(c.answer))
			if w.Code != c.status || !strings.HasPrefix(w.Body.String(), c.body) || w.Header().Get("Content-Type") != c.kind {
				t.Errorf("%d %q %q", w.Code, w.Header().Get("Content-Type"), w.Body)
			}
		})
	}
}

func TestNameFrom(t *testing.T) {
	for target, want := range map[string]string{
		"registry.example.com/team/Hello_World:1.2": "hello-world",
		"oci:build/oci/hello":                       "hello",
		"x/y@sha256:abc":                            "y",
		"./functions/pay.zip":                       "pay",
		".":                                         "function",
		"/":                                         "function",
	} {
		if got := nameFrom(target); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}
