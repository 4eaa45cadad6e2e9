package payload

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// store is a place for one large body.
type store struct {
	url string

	mu      sync.Mutex // guards the rest
	body    []byte
	parked  int
	deleted int
}

func newStore(t *testing.T) *store {
	t.Helper()
	s := &store{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *store) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = w.Write(s.body)
}

func (s *store) park(_ context.Context, body io.Reader) (Parked, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return Parked{}, backend.As(backend.ErrInvalid, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body = data
	s.parked++
	return Parked{s.url, func(context.Context) { s.deleted++ }}, nil
}

// free tells whether all of the budget is there.
func (m *Maker) free() bool { return m.budget.bytes.TryAcquire(m.budget.size) }

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
			m, store := NewMaker(0), newStore(t)
			r := httptest.NewRequest("POST", "/", bytes.NewReader(c.body))
			if c.chunked {
				r.ContentLength = -1
			}
			out, err := m.Make(t.Context(), r, Invocation{Queued: c.queued, Park: store.park})
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
			out.Discard(t.Context())
			out.Release()
			if c.url != (store.parked == 1) || store.deleted != store.parked {
				t.Errorf("%d bodies were parked, %d removed", store.parked, store.deleted)
			}
			if !m.free() {
				t.Error("memory was not given back")
			}
		})
	}
}

func TestLargeBodiesFail(t *testing.T) {
	denied := errors.New("denied")
	refuse := func(context.Context, io.Reader) (Parked, error) { return Parked{}, denied }
	for _, c := range []struct {
		name   string
		park   func(context.Context, io.Reader) (Parked, error)
		body   io.Reader
		length int64
		kind   error
		says   string
	}{
		{"no bucket", nil, bytes.NewReader(incompressible(8 << 20)), 8 << 20, backend.ErrTooLarge, "code_bucket"},
		{"no bucket, chunked", nil, bytes.NewReader(incompressible(8 << 20)), -1, backend.ErrTooLarge, "code_bucket"},
		{"denied", refuse, bytes.NewReader(incompressible(8 << 20)), -1, denied, "denied"},
		{"client gone at once", refuse, broken{}, -1, backend.ErrInvalid, "read request body"},
		{"client gone", newStore(t).park, io.MultiReader(bytes.NewReader(incompressible(8<<20)), broken{}), -1, backend.ErrInvalid, "connection reset"},
		{"client gone, text", newStore(t).park, io.MultiReader(bytes.NewReader(make([]byte, 8<<20)), broken{}), -1, backend.ErrInvalid, "read request body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := NewMaker(0)
			r := httptest.NewRequest("POST", "/", c.body)
			r.ContentLength = c.length
			_, err := m.Make(t.Context(), r, Invocation{Park: c.park})
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %v and %q", err, c.kind, c.says)
			}
			if !m.free() {
				t.Error("memory was not given back")
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestRawPayload(t *testing.T) {
	for _, c := range []struct {
		name, body string
		kind       error
	}{
		{"JSON", `{"a":1}`, nil}, {"nothing", "", nil}, {"no JSON", "hello", backend.ErrInvalid},
		{"too long", `"` + strings.Repeat("x", maxPayload) + `"`, backend.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := NewMaker(0).Make(t.Context(), httptest.NewRequest("POST", "/", strings.NewReader(c.body)), Invocation{Raw: true})
			if !errors.Is(err, c.kind) || err == nil && string(out.data) != c.body {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestEventHasTheTrace(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Traceparent", "00-client")
	out, err := NewMaker(0).Make(t.Context(), r, Invocation{Trace: http.Header{"Traceparent": {"00-ours"}}})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := bodyOf(t, out.data)
	if got.Headers["traceparent"] != "00-ours" {
		t.Errorf("%v", got.Headers)
	}
}
