package aws

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/secrets"
)

// parametersExcept answers as Parameter Store that has every parameter but those
// called missing.
func parametersExcept(missing string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct{ ParameterFilters []struct{ Values []string } }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Header.Get("X-Amz-Target") != "AmazonSSM.DescribeParameters" {
			refuse(w, http.StatusBadRequest, "InvalidAction", "not here")
			return
		}
		name := in.ParameterFilters[0].Values[0]
		if strings.HasSuffix(name, "/"+missing) {
			_, _ = fmt.Fprint(w, `{"Parameters":[]}`)
			return
		}
		_, _ = fmt.Fprintf(w, `{"Parameters":[{"Name":%q,"KeyId":"alias/aws/ssm"}]}`, name)
	}
}

func TestVariablesOfSecrets(t *testing.T) {
	server := httptest.NewServer(parametersExcept("missing"))
	t.Cleanup(server.Close)
	b, err := Open(t.Context(), Options{
		MetricsFreshness: -1,
		Namespace:        "openfaas-fn", Role: "arn:aws:iam::000000000000:role/r", Arch: "amd64", Memory: 256, Timeout: time.Minute, CodeBucket: noBucket,
		DeployTimeout: time.Second, Endpoint: server.URL, Region: "us-east-1", AccessKey: "a", SecretKey: "s", SecretStore: secrets.ParameterStore,
	})
	if err != nil {
		t.Fatal(err)
	}
	vars, keys, err := b.secretVariables(t.Context(), "openfaas-fn", []string{"eins", "zwei"})
	if want := `{"eins":"ssm:/faas-lambda/openfaas-fn/eins","zwei":"ssm:/faas-lambda/openfaas-fn/zwei"}`; err != nil || vars[secretsVariable] != want || len(keys) != 0 {
		t.Errorf("variables %v, keys %v, %v", vars, keys, err)
	}
	if vars, _, err := b.secretVariables(t.Context(), "openfaas-fn", nil); err != nil || vars != nil {
		t.Errorf("without secrets: %v, %v", vars, err)
	}
	_, _, err = b.secretVariables(t.Context(), "openfaas-fn", []string{"ours", "missing"})
	if !errors.Is(err, backend.ErrInvalid) || errors.Is(err, backend.ErrNotFound) || !strings.Contains(err.Error(), `secret "missing" not found in namespace openfaas-fn`) {
		t.Errorf("a deployment with a missing secret: %v", err)
	}
}
