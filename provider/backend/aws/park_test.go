package aws

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/invocation"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/invocation/invocationtest"
)

// fakeS3 is as much of S3 as large bodies need.
type fakeS3 struct {
	mu        sync.Mutex // guards everything below
	objects   map[string][]byte
	parts     map[string]map[int][]byte
	deleted   []string
	lifecycle string
	refuse    string // an error code for every upload
}

func (s *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	data, _ := io.ReadAll(r.Body)
	switch {
	case q.Has("lifecycle") && r.Method == http.MethodGet && s.lifecycle == "":
		w.WriteHeader(404)
		_, _ = io.WriteString(w, `<Error><Code>NoSuchLifecycleConfiguration</Code><Message>none</Message></Error>`)
	case q.Has("lifecycle") && r.Method == http.MethodGet:
		_, _ = io.WriteString(w, s.lifecycle)
	case q.Has("lifecycle"):
		s.lifecycle = string(data)
	case s.refuse != "" && r.Method != http.MethodHead:
		w.WriteHeader(403)
		_, _ = io.WriteString(w, `<Error><Code>`+s.refuse+`</Code><Message>no</Message></Error>`)
	case r.Method == http.MethodPost && q.Has("uploads"):
		s.parts[r.URL.Path] = map[int][]byte{}
		_, _ = io.WriteString(w, `<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>`)
	case r.Method == http.MethodPut && q.Has("partNumber"):
		n, _ := strconv.Atoi(q.Get("partNumber"))
		s.parts[r.URL.Path][n] = unchunked(r, data)
		w.Header().Set("ETag", `"e"`)
	case r.Method == http.MethodPost:
		var all []byte
		for n := range len(s.parts[r.URL.Path]) {
			all = append(all, s.parts[r.URL.Path][n+1]...)
		}
		s.objects[r.URL.Path] = all
		_ = xml.NewEncoder(w).Encode(struct {
			XMLName xml.Name `xml:"CompleteMultipartUploadResult"`
		}{})
	case r.Method == http.MethodPut:
		s.objects[r.URL.Path] = unchunked(r, data)
	case r.Method == http.MethodDelete:
		delete(s.objects, r.URL.Path)
		s.deleted = append(s.deleted, r.URL.Path)
		w.WriteHeader(204)
	case r.Method == http.MethodGet:
		_, _ = w.Write(s.objects[r.URL.Path])
	}
}

// unchunked takes the framing off that goes with checksums in trailers (AWS:
// "Signature calculations … using trailing headers").
func unchunked(r *http.Request, data []byte) []byte {
	if !strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") {
		return data
	}
	var out []byte
	for {
		head, rest, ok := bytes.Cut(data, []byte("\r\n"))
		size, _, _ := bytes.Cut(head, []byte(";"))
		n, err := strconv.ParseInt(string(size), 16, 64)
		if !ok || err != nil || n == 0 {
			return out
		}
		out, data = append(out, rest[:n]...), rest[n+2:]
	}
}

func newBucket(t *testing.T, bucket string) (*Backend, *fakeS3) {
	t.Helper()
	store := &fakeS3{objects: map[string][]byte{}, parts: map[string]map[int][]byte{}}
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	b, err := Open(t.Context(), Options{
		MetricsFreshness: -1,
		Namespace:        "openfaas-fn", Arch: "amd64", CodeBucket: bucket, Endpoint: server.URL, Region: "us-east-1", AccessKey: "a", SecretKey: "s",
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, store
}

// incompressible returns n bytes that no compressor makes shorter.
func incompressible(n int) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(out)
	return out
}

func TestBodiesInS3(t *testing.T) {
	for _, c := range []struct {
		name   string
		size   int
		queued bool
		parked bool
	}{
		{"short", 1 << 10, false, false},
		{"of several parts", 12 << 20, false, true},
		{"of one part, queued", 1 << 20, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, store := newBucket(t, "bodies")
			body := incompressible(c.size)
			out, err := b.payloadFor(t.Context(), target{Target: invocation.Target{Name: hello}, account: b.home}, httptest.NewRequest("POST", "/", bytes.NewReader(body)), c.queued)
			if err != nil {
				t.Fatal(err)
			}
			var e struct {
				FaasLambda struct{ Body *struct{ URL string } }
			}
			if err := json.Unmarshal(out.Bytes(), &e); err != nil {
				t.Fatal(err)
			}
			if c.parked != (e.FaasLambda.Body != nil) || c.parked != (len(store.objects) == 1) {
				t.Fatalf("parked at %+v, %d objects", e.FaasLambda.Body, len(store.objects))
			}
			if c.parked {
				answer, err := http.Get(e.FaasLambda.Body.URL)
				if err != nil {
					t.Fatal(err)
				}
				defer answer.Body.Close()
				if got, err := io.ReadAll(answer.Body); err != nil || !bytes.Equal(got, body) {
					t.Errorf("%d bytes became %d others: %v", len(body), len(got), err)
				}
			}
			out.Release()
			out.Discard(t.Context())
			if len(store.objects) != 0 || c.parked != (len(store.deleted) == 1) || c.parked != strings.Contains(store.lifecycle, payloadPrefix) {
				t.Errorf("%d objects are left, %d were removed; lifecycle %q", len(store.objects), len(store.deleted), store.lifecycle)
			}
		})
	}
}

func TestBodiesInS3Fail(t *testing.T) {
	for _, c := range []struct {
		name, bucket, refuse string
		body                 io.Reader
		kind                 error
		says                 string
	}{
		{"no bucket", noBucket, "", bytes.NewReader(incompressible(8 << 20)), backend.ErrTooLarge, "code_bucket"},
		{"denied", "bodies", "AccessDenied", bytes.NewReader(incompressible(8 << 20)), nil, "s3:PutObject"},
		{"client gone", "bodies", "", io.MultiReader(bytes.NewReader(incompressible(8<<20)), broken{}), backend.ErrInvalid, "read request body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, store := newBucket(t, c.bucket)
			store.refuse = c.refuse
			r := httptest.NewRequest("POST", "/", c.body)
			r.ContentLength = -1
			_, err := b.payloadFor(t.Context(), target{Target: invocation.Target{Name: hello}, account: b.home}, r, false)
			if err == nil || c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %v and %q", err, c.kind, c.says)
			}
			if len(store.objects) != 0 {
				t.Errorf("%d objects are left", len(store.objects))
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// TestAddressesAreSignedByAWSsClock has a clock that is off from S3's when a
// large body is kept there: its address must be one that S3 takes.
func TestAddressesAreSignedByAWSsClock(t *testing.T) {
	const off = 2 * time.Hour
	bucket := &fakeS3{objects: map[string][]byte{}, parts: map[string]map[int][]byte{}}
	cloud := &invocationtest.OffClock{Off: off, Code: "RequestTimeTooSkewed", Then: bucket.ServeHTTP}
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	b, err := Open(t.Context(), Options{
		MetricsFreshness: -1, Namespace: "openfaas-fn", Role: "arn:aws:iam::000000000000:role/r", Arch: "amd64", Memory: 256,
		CodeBucket: "bucket", Endpoint: server.URL, Region: "us-east-1", AccessKey: "a", SecretKey: "s",
	})
	if err != nil {
		t.Fatal(err)
	}
	body, err := b.park(t.Context(), target{Target: invocation.Target{Name: hello}, account: b.home}, strings.NewReader("body"), false)
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(body.URL)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := time.Parse("20060102T150405Z", address.Query().Get("X-Amz-Date"))
	if ahead := time.Until(signed); err != nil || (ahead-off).Abs() > time.Minute {
		t.Errorf("%s is signed %s ahead of our clock, S3 is %s: %v", body.URL, ahead, off, err)
	}
}
