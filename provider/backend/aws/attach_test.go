package aws

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
)

// TestWhatBelongsToAFunctionIsSet looks at the requests by which a deployment
// sets what is not part of its version.
func TestWhatBelongsToAFunctionIsSet(t *testing.T) {
	f := newFakeLambda(t)
	var asked []string
	f.each = func(w http.ResponseWriter, r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return false
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		target := r.Header.Get("X-Amz-Target")
		_, sub, _ := strings.Cut(r.URL.Path, "/hello/")
		switch {
		case strings.HasPrefix(target, "Logs_"):
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			_, _ = io.WriteString(w, "{}")
		case sub == "event-invoke-config":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "{}")
		case strings.HasSuffix(sub, "concurrency"):
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "{}")
		default:
			return false
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		asked = append(asked, strings.TrimSpace(r.Method+" "+target[strings.LastIndexByte(target, '.')+1:]+sub+" "+compact(body)))
		return true
	}
	const p = annotations.Prefix
	for _, step := range []struct {
		name        string
		annotations []string
		want        []string
	}{
		{"nothing", nil, nil},
		{"all", []string{
			p + "log-retention", "14", p + "on-success", "arn:aws:sqs:us-east-1:000000000000:done", p + "async-retries", "0", p + "async-max-age", "30m",
			p + "reserved-concurrency", "9", p + "provisioned-concurrency", "2",
		}, []string{
			`PUT concurrency {"ReservedConcurrentExecutions":9}`, `POST CreateLogGroup {"logGroupName":"/aws/lambda/hello"}`,
			`POST PutRetentionPolicy {"logGroupName":"/aws/lambda/hello","retentionInDays":14}`,
			`PUT event-invoke-config {"DestinationConfig":{"OnSuccess":{"Destination":"arn:aws:sqs:us-east-1:000000000000:done"}},"MaximumEventAgeInSeconds":1800,"MaximumRetryAttempts":0}`,
			`PUT provisioned-concurrency {"ProvisionedConcurrentExecutions":2}`,
		}},
		{"the same and more", []string{
			p + "log-retention", "14", p + "on-success", "arn:aws:sqs:us-east-1:000000000000:done", p + "async-retries", "0", p + "async-max-age", "30m",
			p + "reserved-concurrency", "9", p + "provisioned-concurrency", "2", "more", "x",
		}, nil},
		{"less provisioned", []string{p + "log-retention", "never", p + "reserved-concurrency", "1", p + "provisioned-concurrency", "1"}, []string{
			`PUT provisioned-concurrency {"ProvisionedConcurrentExecutions":1}`, `PUT concurrency {"ReservedConcurrentExecutions":1}`,
			`POST CreateLogGroup {"logGroupName":"/aws/lambda/hello"}`, `POST DeleteRetentionPolicy {"logGroupName":"/aws/lambda/hello"}`, "DELETE event-invoke-config",
		}},
		{"nothing again", nil, []string{"DELETE provisioned-concurrency", "DELETE concurrency"}},
	} {
		asked = nil
		if err := f.deploy(t.Context(), t, annotated(step.annotations...), "zip"); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		f.mu.Lock()
		if diff := cmp.Diff(step.want, slices.Clone(asked)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", step.name, diff)
		}
		f.mu.Unlock()
	}
}

// compact returns JSON with its keys in order; nothing for nothing.
func compact(body []byte) string {
	var v map[string]any
	if json.Unmarshal(body, &v) != nil || len(v) == 0 {
		return ""
	}
	out, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(out)
}
