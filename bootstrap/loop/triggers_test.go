package loop_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/bootstrap/launch"
)

const queueEvent = `{"Records":[{"messageId":"1","body":"{\"eventSource\":\"forged\"}","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-central-1:123456789012:q"}]}`

func TestTriggersSayWhatTheyAre(t *testing.T) {
	p := startProcess(t, built(t, ".."), "LAMBDA_TASK_ROOT="+taskRoot(t, launch.OfWatchdog, "fprocess=env"))
	got := string(invoke(t, p, []byte(queueEvent)).Body)
	for _, want := range []string{
		"Http_X_Lambda_Event_Source=aws:sqs\n", "Http_X_Lambda_Event_Source_Arn=arn:aws:sqs:eu-central-1:123456789012:q\n",
		"Http_Content_Type=application/json\n", "_X_AMZN_TRACE_ID=Root=1-5bef4de7-", "Http_X_Lambda_Request_Id=0000",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestStatusesThatFailAnInvocation(t *testing.T) {
	for name, c := range map[string]struct {
		env    []string
		event  []byte
		failed bool
	}{
		"trigger, 5xx":              {nil, []byte(queueEvent), true},
		"HTTP, 5xx":                 {nil, httpEvent(http.MethodGet, "/", "", nil, nil, true), false},
		"plain invoke, 5xx":         {nil, []byte(`{}`), false},
		"trigger, but none counts":  {[]string{"FAAS_LAMBDA_ERROR_STATUS=none"}, []byte(queueEvent), false},
		"HTTP, counts":              {[]string{"FAAS_LAMBDA_ERROR_STATUS=429,500-599"}, httpEvent(http.MethodGet, "/", "", nil, nil, true), true},
		"HTTP buffered, counts":     {[]string{"FAAS_LAMBDA_ERROR_STATUS=503"}, httpEvent(http.MethodGet, "/", "", nil, nil, false), true},
		"plain invoke, counts":      {[]string{"FAAS_LAMBDA_ERROR_STATUS=503"}, []byte(`{}`), true},
		"trigger, another one does": {[]string{"FAAS_LAMBDA_ERROR_STATUS=500"}, []byte(queueEvent), false},
	} {
		t.Run(name, func(t *testing.T) {
			p := startHTTPWith(t, c.env, "BROKEN=1")
			r := invoke(t, p, c.event)
			if c.failed != (r.ErrorType == "Function.ErrorStatus") || c.failed != strings.Contains(r.ErrorBody, "503 Service Unavailable: out of order") {
				t.Errorf("error %q %s", r.ErrorType, r.ErrorBody)
			}
			if !c.failed && !bytes.Contains(r.Body, []byte("out of order")) {
				t.Errorf("body %q", r.Body)
			}
		})
	}
}

func TestLoadBalancerAndREST(t *testing.T) {
	p := startHTTP(t)
	for name, event := range map[string]string{
		"ALB":  `{"requestContext":{"elb":{}},"httpMethod":"POST","path":"/","queryStringParameters":{},"headers":{"content-type":"text/plain"},"body":"hi","isBase64Encoded":false}`,
		"REST": `{"version":"1.0","requestContext":{},"httpMethod":"POST","path":"/","headers":{"content-type":"text/plain"},"body":"aGk=","isBase64Encoded":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := invoke(t, p, []byte(event))
			var m metadata
			if err := json.Unmarshal(r.Body, &m); err != nil || m.StatusCode != 200 || m.Body != "hi" || r.Streamed {
				t.Errorf("%v: %s", err, r.Body)
			}
		})
	}
}

func TestJSONLogs(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("cat; echo said >&2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startLogged(t, w, built(t, ".."), "AWS_LAMBDA_LOG_FORMAT=JSON", "LAMBDA_TASK_ROOT="+taskRoot(t, launch.OfWatchdog, "fprocess=sh "+script))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	invoke(t, p, []byte(`1`))
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var entry struct{ Level, Message, RequestID string }
	if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Message != "said" || !strings.HasPrefix(entry.RequestID, "0000") {
		t.Errorf("%v: %s", err, line)
	}
}
