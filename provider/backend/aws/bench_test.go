package aws

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/invocation"
)

// wire answers every request with the same bytes, without a network.
type wire struct {
	header http.Header
	body   string
}

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	_ = r.Body.Close()
	return &http.Response{StatusCode: http.StatusOK, Header: w.header, Body: io.NopCloser(strings.NewReader(w.body))}, nil
}

// BenchmarkInvoke is what the provider itself does for one invocation: all but
// HTTP's connection.
func BenchmarkInvoke(b *testing.B) {
	f := newFakeLambda(b)
	if err := f.deploy(b.Context(), b, types.FunctionDeployment{}, "zip"); err != nil {
		b.Fatal(err)
	}
	answer := httptest.NewRecorder()
	streams(chunk(`{"statusCode":200,"headers":{"Content-Type":"text/plain"}}`+nul), chunk("hello"), end("{}"))(answer, httptest.NewRequest(http.MethodPost, "/", nil))
	f.home.sender = invocation.New(f.home.lambda.Options(), wire{answer.Header(), answer.Body.String()}, f.home.clock)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/path", strings.NewReader("body"))
		answer, err := f.Invoke(b.Context(), hello, r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			b.Fatal(err)
		}
		_ = answer.Body.Close()
	}
}
