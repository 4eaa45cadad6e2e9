package s3

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func TestPresigned(t *testing.T) {
	now := time.Now()
	var clock sync.Mutex
	h := start(t, Options{Now: func() time.Time { clock.Lock(); defer clock.Unlock(); return now }})
	h.bucket("bbb")
	signer := s3.NewPresignClient(h.client)
	put, err := signer.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bbb"), Key: aws.String("a/k")}, s3.WithPresignExpires(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if status, said := send(t, http.MethodPut, put.URL, "content"); status != 200 {
		t.Fatalf("%d %s", status, said)
	}
	get, err := signer.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bbb"), Key: aws.String("a/k")}, s3.WithPresignExpires(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if status, said := send(t, http.MethodGet, get.URL, ""); status != 200 || said != "content" {
		t.Errorf("%d %s", status, said)
	}
	unsigned := strings.Replace(get.URL, "X-Amz-Signature=", "X-Amz-Nothing=", 1)
	if status, said := send(t, http.MethodGet, unsigned, ""); status != 400 || !strings.Contains(said, "AuthorizationQueryParametersError") {
		t.Errorf("%d %s", status, said)
	}
	clock.Lock()
	now = now.Add(2 * time.Minute)
	clock.Unlock()
	if status, said := send(t, http.MethodGet, get.URL, ""); status != 403 || !strings.Contains(said, "Request has expired") {
		t.Errorf("%d %s", status, said)
	}
}

func send(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

// elsewhere sends every request to one address, whatever host it names.
type elsewhere string

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host, r.URL.Host = r.URL.Host, strings.TrimPrefix(string(e), "http://")
	return http.DefaultTransport.RoundTrip(r)
}

func TestVirtualHosts(t *testing.T) {
	h := start(t, Options{})
	for _, endpoint := range []string{"http://localhost:4566", "http://s3.us-east-1.amazonaws.com", "http://aws.internal:4566"} {
		t.Run(endpoint, func(t *testing.T) {
			client := clientFor(endpoint, "us-east-1", elsewhere(h.url))
			h.bucket("virtual") // the last endpoint is known by its buckets only
			if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("virtual"), Key: aws.String("a/b"), Body: strings.NewReader(endpoint)}); err != nil {
				t.Fatal(err)
			}
			if body, _ := h.get("virtual", "a/b", ""); body != endpoint {
				t.Errorf("%q", body)
			}
		})
	}
}
