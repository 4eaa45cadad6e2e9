package aws

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/envelope"
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

// received is what the function would get.
type received struct {
	Headers         map[string]string
	Body            *string
	IsBase64Encoded bool
	FaasLambda      struct {
		Version int
		Body    *struct {
			URL, Encoding string
			Size          int64
		}
	}
}

// bodyOf reads the body as bootstrap does.
func bodyOf(t *testing.T, payload []byte) (received, []byte) {
	t.Helper()
	var e received
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Fatalf("%v in %.200s", err, payload)
	}
	var body []byte
	if e.Body != nil {
		body = []byte(*e.Body)
		if e.IsBase64Encoded {
			var err error
			if body, err = base64.StdEncoding.DecodeString(*e.Body); err != nil {
				t.Fatal(err)
			}
		}
	}
	o := e.FaasLambda.Body
	if o == nil {
		return e, body
	}
	if o.URL != "" {
		answer, err := http.Get(o.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if body, err = io.ReadAll(answer.Body); err != nil {
			t.Fatal(err)
		}
	}
	if o.Encoding == "gzip" {
		zip, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body, err = io.ReadAll(zip); err != nil {
			t.Fatal(err)
		}
	}
	if o.Size != int64(len(body)) {
		t.Errorf("size %d, the body has %d", o.Size, len(body))
	}
	return e, body
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

func TestLargeBodies(t *testing.T) {
	text := bytes.Repeat([]byte("a line of text that compresses well\n"), 20<<20/36)
	mixed := slices.Concat(text[:8<<20], incompressible(8<<20))
	for _, c := range []struct {
		name            string
		body            []byte
		chunked, queued bool
		version         int
		url             bool
		encoding        string
	}{
		{"fits", incompressible(4 << 20), false, false, 1, false, ""},
		{"fits, chunked", incompressible(4 << 20), true, false, 1, false, ""},
		{"text that fits as it is", text[:6<<20-200<<10], false, false, 1, false, ""},
		{"text", text, false, false, 2, false, "gzip"},
		{"text, chunked", text, true, false, 2, false, "gzip"},
		{"too long in base64 alone", incompressible(5 << 20), false, false, 2, true, ""},
		{"noise", incompressible(12 << 20), false, false, 2, true, ""},
		{"noise, chunked", incompressible(12 << 20), true, false, 2, true, ""},
		{"noise after text", mixed, true, false, 2, true, "gzip"},
		{"queued", incompressible(512 << 10), false, true, 1, false, ""},
		{"text, queued", text[:4<<20], false, true, 2, false, "gzip"},
		{"noise, queued", incompressible(1 << 20), false, true, 2, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, store := newBucket(t, "bodies")
			r := httptest.NewRequest("POST", "/", bytes.NewReader(c.body))
			if c.chunked {
				r.ContentLength = -1
			}
			out, err := b.payloadFor(t.Context(), target{name: hello, account: b.home}, r, c.queued)
			if err != nil {
				t.Fatal(err)
			}
			if limit := map[bool]int{false: maxPayload, true: maxQueued}[c.queued]; len(out.data) > limit {
				t.Errorf("the payload has %d bytes", len(out.data))
			}
			e, got := bodyOf(t, out.data)
			if !bytes.Equal(got, c.body) {
				t.Errorf("%d bytes became %d others", len(c.body), len(got))
			}
			if e.FaasLambda.Version != c.version || e.Headers["content-length"] != strconv.Itoa(len(c.body)) {
				t.Errorf("version %d, headers %v", e.FaasLambda.Version, e.Headers)
			}
			if o := e.FaasLambda.Body; o != nil && ((o.URL != "") != c.url || o.Encoding != c.encoding) {
				t.Errorf("travels as %.60s %s", o.URL, o.Encoding)
			}
			out.discard(t.Context())
			out.release()
			if len(store.objects) != 0 || c.url != (len(store.deleted) == 1) {
				t.Errorf("%d objects are left, %d were removed", len(store.objects), len(store.deleted))
			}
			if c.url && !strings.Contains(store.lifecycle, payloadPrefix) {
				t.Errorf("lifecycle %s", store.lifecycle)
			}
			if !b.budget.bytes.TryAcquire(b.budget.size) {
				t.Error("memory was not given back")
			}
		})
	}
}

func TestLargeBodiesFail(t *testing.T) {
	for _, c := range []struct {
		name, bucket, refuse string
		body                 io.Reader
		length               int64
		kind                 error
		says                 string
	}{
		{"no bucket", noBucket, "", bytes.NewReader(incompressible(8 << 20)), 8 << 20, backend.ErrTooLarge, "code_bucket"},
		{"no bucket, chunked", noBucket, "", bytes.NewReader(incompressible(8 << 20)), -1, backend.ErrTooLarge, "code_bucket"},
		{"denied", "bodies", "AccessDenied", bytes.NewReader(incompressible(8 << 20)), -1, nil, "s3:PutObject"},
		{"client gone", "bodies", "", io.MultiReader(bytes.NewReader(incompressible(8<<20)), broken{}), -1, backend.ErrInvalid, "read request body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, store := newBucket(t, c.bucket)
			store.refuse = c.refuse
			r := httptest.NewRequest("POST", "/", c.body)
			r.ContentLength = c.length
			_, err := b.payloadFor(t.Context(), target{name: hello, account: b.home}, r, false)
			if err == nil || c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %v and %q", err, c.kind, c.says)
			}
			if len(store.objects) != 0 || !b.budget.bytes.TryAcquire(b.budget.size) {
				t.Errorf("something is left: %d objects", len(store.objects))
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestRawPayload(t *testing.T) {
	b, _ := newBucket(t, "")
	for _, c := range []struct {
		name, body string
		kind       error
	}{
		{"JSON", `{"a":1}`, nil}, {"nothing", "", nil}, {"no JSON", "hello", backend.ErrInvalid},
		{"too long", `"` + noise(maxPayload) + `"`, backend.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := b.payloadFor(t.Context(), target{account: b.home, adopted: true}, httptest.NewRequest("POST", "/", strings.NewReader(c.body)), false)
			if !errors.Is(err, c.kind) || err == nil && string(out.data) != c.body {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestEventKeepsTheClientsTrace(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Traceparent", "00-client")
	e, err := envelope.New(r, 0, http.Header{"Traceparent": {"00-ours"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	got, _ := bodyOf(t, envelope.AppendBody(e.Append(nil, nil), nil))
	if got.Headers["traceparent"] != "00-ours" {
		t.Errorf("%v", got.Headers)
	}
}
