package invocation

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/clock"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/invocation/invocationtest"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/payload"
)

const nul = invocationtest.NUL

var (
	streams, chunk, end, refuse = invocationtest.Streams, invocationtest.Chunk, invocationtest.End, invocationtest.Refuse

	hello = Target{Name: backend.Name{Namespace: "openfaas-fn", Function: "hello"}, Function: "hello", Qualifier: "live", Group: "/aws/lambda/hello"}
)

// newSender returns a sender to a Lambda whose answers are h's.
func newSender(t *testing.T, h http.HandlerFunc) *Sender {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return New(options(server.URL), server.Client().Transport, &clock.Clock{})
}

func options(endpoint string) lambda.Options {
	return lambda.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, EndpointResolverV2: lambda.NewDefaultEndpointResolverV2(),
		Credentials: credentials.NewStaticCredentialsProvider("a", "s", ""),
	}
}

// call invokes hello and reads the answer of our bootstrap there.
func call(t *testing.T, s *Sender) (*http.Response, string, error) {
	t.Helper()
	sent := payload.New([]byte("{}"), nil)
	defer sent.Release()
	got, err := s.Send(t.Context(), Call{Target: hello, Payload: sent}, 0)
	if err != nil {
		return nil, "", err
	}
	ends := 0
	stream := NewStream(hello, got, func() { ends++ })
	defer func() {
		if ends != 1 {
			t.Errorf("its end was told %d times", ends)
		}
	}()
	m, err := stream.Metadata()
	if err != nil {
		return nil, "", err
	}
	answer := m.Response(stream)
	body, err := io.ReadAll(answer.Body)
	return answer, string(body), errors.Join(err, answer.Body.Close())
}

// failing fails with each of its errors in turn, then answers 200.
type failing struct {
	errs     []error
	attempts int
}

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	_ = r.Body.Close()
	f.attempts++
	if f.attempts <= len(f.errs) {
		return nil, f.errs[f.attempts-1]
	}
	return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
}

func TestOnlyWhatWasNotSentIsSentAgain(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for _, c := range []struct {
		name     string
		errs     []error
		attempts int
		fails    bool
	}{
		{"no connection at first", []error{dial, dial}, 3, false},
		{"no connection at all", []error{dial, dial, dial, dial}, 3, true},
		{"the answer is lost", []error{io.EOF}, 1, true},
		{"the answer is cut", []error{io.ErrUnexpectedEOF}, 1, true},
		{"connection reset", []error{&net.OpError{Op: "read", Err: errors.New("connection reset")}}, 1, true},
		{"too late", []error{context.DeadlineExceeded}, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			wire := &failing{errs: c.errs}
			s := New(options("http://lambda.test"), wire, &clock.Clock{})
			freed := false
			p := payload.New([]byte("{}"), func() { freed = true })
			_, err := s.Send(t.Context(), Call{Target: hello, Payload: p}, 0)
			if (err != nil) != c.fails || wire.attempts != c.attempts {
				t.Errorf("%d attempts, %v", wire.attempts, err)
			}
			if p.Release(); !freed {
				t.Error("the payload is still held")
			}
		})
	}
}

func TestInvocationsWithAClockThatIsOff(t *testing.T) {
	for name, off := range map[string]time.Duration{"behind": 20 * time.Minute, "ahead": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			cloud := &invocationtest.OffClock{Off: off, Code: "InvalidSignatureException", Then: streams(chunk(`{"statusCode":200}`+nul+"hello"), end(`{}`))}
			s := newSender(t, cloud.ServeHTTP)
			for range 3 {
				if _, body, err := call(t, s); err != nil || body != "hello" {
					t.Errorf("%q, %v", body, err)
				}
			}
			if n := cloud.Asked.Load(); n != 4 {
				t.Errorf("asked %d times, want one more than there were invocations", n)
			}
		})
	}
}

// TestARefusalIsNotPutDownToTheClock is about signatures that are wrong for
// another reason: the invocation is not sent again.
func TestARefusalIsNotPutDownToTheClock(t *testing.T) {
	for name, cloud := range map[string]*invocationtest.OffClock{
		"the clocks agree": {Code: "InvalidSignatureException"},
		"another code":     {Off: time.Hour, Code: "UnrecognizedClientException"},
	} {
		t.Run(name, func(t *testing.T) {
			refused := cloud.Code
			cloud.Then = func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusForbidden, refused, "who are you") }
			s := newSender(t, cloud.ServeHTTP)
			if _, body, err := call(t, s); err == nil {
				t.Errorf("it answers %q", body)
			}
			if n := cloud.Asked.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}
