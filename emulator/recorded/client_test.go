package recorded

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator"
	"github.com/faas-lambda/faas-lambda/emulator/faults"
)

const (
	account     = "111111111111" // as recorded
	region      = "us-east-1"
	wrongRegion = "eu-central-1"
	role        = "arn:aws:iam::" + account + ":role/lambda-role"
	arnPrefix   = "arn:aws:lambda:" + region + ":" + account + ":"
)

// m is a request or an answer.
type m = map[string]any

// replay takes an emulator of its own through the steps of a case.
type replay struct {
	t        testing.TB
	server   *emulator.Server
	url      string
	recorded m // by step
	seen     map[string]bool
	match    matcher
	problems []string
}

func newReplay(t testing.TB, recorded m, at time.Time) *replay {
	t.Helper()
	server, err := emulator.New(emulator.Options{Account: account, Region: region})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	return &replay{t: t, server: server, url: web.URL, recorded: recorded, seen: map[string]bool{}, match: matcher{bound: map[string]string{}, recorded: at}}
}

// check compares an answer with the step's recorded one.
func (r *replay) check(step string, got any) {
	r.t.Helper()
	want, ok := r.recorded[step]
	if !ok {
		r.t.Errorf("nothing was recorded of step %q", step)
		return
	}
	r.seen[step] = true
	data, err := json.Marshal(got) // as JSON has it: numbers are float64
	if err == nil {
		err = json.Unmarshal(data, &got)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.problems = append(r.problems, r.match.compare(step, want, got)...)
}

// do makes a call and compares its answer with the recorded one of the step; without a step the call must succeed.
func (r *replay) do(step, operation string, in m) m {
	r.t.Helper()
	out := r.call(operation, in)
	if step != "" {
		r.check(step, out)
	} else if e := out["Error"]; e != nil {
		r.problems = append(r.problems, fmt.Sprintf("%s %s: %s", operation, short(in["FunctionName"]), short(e)))
	}
	return out
}

// unmodelled are errors whose members botocore does not know: of these only code and message were recorded.
var unmodelled = map[string]bool{"ValidationException": true, "AccessDeniedException": true, "RequestEntityTooLargeException": true}

// call makes a call and returns its answer as boto3 does.
func (r *replay) call(operation string, in m) m {
	r.t.Helper()
	resp, err := http.DefaultClient.Do(r.request(operation, in))
	if err != nil {
		r.t.Fatal(err)
	}
	data, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		r.t.Fatal(err)
	}
	body := m{}
	if len(data) > 0 && operation != "Invoke" || resp.StatusCode >= 300 {
		if err := json.Unmarshal(data, &body); err != nil {
			r.t.Fatalf("%s: %v: %s", operation, err, data)
		}
	}
	out := body
	if resp.StatusCode >= 300 {
		out = refusal(resp.Header.Get("X-Amzn-ErrorType"), body)
	}
	if operation == "DeleteFunction" && resp.StatusCode < 300 {
		out["StatusCode"] = resp.StatusCode // a member of the answer
	}
	out["ResponseMetadata"] = m{"HTTPHeaders": m{}, "HTTPStatusCode": resp.StatusCode}
	return out
}

// refusal is an error as boto3 tells it.
func refusal(code string, body m) m {
	message := body["message"]
	if message == nil {
		message = body["Message"]
	}
	said := m{"Code": code, "Message": message}
	if unmodelled[code] {
		return m{"Error": said}
	}
	body["Error"] = said
	return body
}

func (r *replay) request(operation string, in m) *http.Request {
	r.t.Helper()
	shape, ok := operations[operation]
	if !ok {
		r.t.Fatalf("no such operation: %s", operation)
	}
	path, query, body := shape.path, url.Values{}, m{}
	for name, value := range in {
		if strings.Contains(path, "{"+name+"}") {
			path = strings.Replace(path, "{"+name+"}", url.PathEscape(fmt.Sprint(value)), 1)
		} else if as := shape.query[name]; as != "" {
			if list, ok := value.([]string); ok {
				query[as] = list
			} else {
				query.Set(as, fmt.Sprint(value))
			}
		} else {
			body[name] = value
		}
	}
	target := r.url + path
	if len(query) > 0 {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		target += separator + query.Encode()
	}
	data, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	if shape.method == http.MethodGet || shape.method == http.MethodDelete {
		data = nil
	}
	req, err := http.NewRequestWithContext(r.t.Context(), shape.method, target, bytes.NewReader(data))
	if err != nil {
		r.t.Fatal(err)
	}
	return req
}

// put stores an object in S3.
func (r *replay) put(bucket, key string, data []byte) {
	r.t.Helper()
	for _, target := range []struct {
		path string
		data []byte
	}{{"/" + bucket, nil}, {"/" + bucket + "/" + key, data}} {
		req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPut, r.url+target.path, bytes.NewReader(target.data))
		if err != nil {
			r.t.Fatal(err)
		}
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=id/20260101/"+region+"/s3/aws4_request, SignedHeaders=host, Signature=0")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			r.t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode >= 300 && resp.StatusCode != http.StatusConflict {
			r.t.Fatalf("PUT %s: %s", target.path, resp.Status)
		}
	}
}

// settle waits until a function's creation or update has ended.
func (r *replay) settle(name string) {
	r.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for tick := time.NewTicker(2 * time.Millisecond); ; <-tick.C {
		out := r.call("GetFunctionConfiguration", m{"FunctionName": name})
		if out["State"] != "Pending" && out["LastUpdateStatus"] != "InProgress" {
			tick.Stop()
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("function %s is not ready: %v", name, out)
		}
	}
}

// hold keeps updates of functions in progress until the returned function is called.
func (r *replay) hold() (release func()) {
	r.t.Helper()
	id, err := r.server.Faults().Add(faults.Fault{Kind: faults.Pending})
	if err != nil {
		r.t.Fatal(err)
	}
	return func() { r.server.Faults().Remove(id) }
}
