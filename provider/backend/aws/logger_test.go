package aws

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	openfaas "github.com/openfaas/faas-provider/logs"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

func TestLogsAreReadFromTheFunctionsGroup(t *testing.T) {
	for name, c := range map[string]struct {
		logging any // LoggingConfig of the function
		group   string
	}{
		"Lambda's own": {nil, "/aws/lambda/hello"},
		"without name": {map[string]string{"LogFormat": "JSON"}, "/aws/lambda/hello"},
		"a shared one": {map[string]string{"LogGroup": "all"}, "all"},
	} {
		t.Run(name, func(t *testing.T) {
			f := deployedFake(t, nil)
			f.functions["hello"].config["LoggingConfig"] = c.logging
			f.functions["hello"].versions[0]["LoggingConfig"] = c.logging
			f.each = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Header.Get("X-Amz-Target") != "Logs_20140328.FilterLogEvents" {
					return false
				}
				var in struct{ LogGroupName string }
				_ = json.NewDecoder(r.Body).Decode(&in)
				_ = json.NewEncoder(w).Encode(map[string]any{"events": []any{map[string]any{"eventId": "1", "logStreamName": "s", "message": in.LogGroupName, "timestamp": 1}}})
				return true
			}
			lines, err := f.Query(t.Context(), openfaas.Request{Name: "hello", Namespace: "openfaas-fn"})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for line := range lines {
				n++
				if line.Text != c.group || line.Name != "hello" || line.Namespace != "openfaas-fn" {
					t.Errorf("read %+v, want group %s", line, c.group)
				}
			}
			if n != 1 {
				t.Errorf("%d lines", n)
			}
		})
	}
}

func TestLogsOfAFunctionThatDoesNotExist(t *testing.T) {
	f := newFakeLambda(t)
	if _, err := f.Query(t.Context(), openfaas.Request{Name: "nobody", Namespace: "openfaas-fn"}); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("%v", err)
	}
}
