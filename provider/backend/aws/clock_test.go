package aws

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// offClock answers as AWS does when its clock is off from ours by that much.
type offClock struct {
	off   time.Duration
	asked atomic.Int32
	code  string
	then  func(http.ResponseWriter, *http.Request)
}

func (o *offClock) answer(w http.ResponseWriter, r *http.Request) {
	o.asked.Add(1)
	now := time.Now().Add(o.off)
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || now.Sub(signed).Abs() > 5*time.Minute {
		refuse(w, http.StatusForbidden, o.code, "Signature expired: it is now another time")
		return
	}
	o.then(w, r)
}

func TestInvocationsWithAClockThatIsOff(t *testing.T) {
	for name, off := range map[string]time.Duration{"behind": 20 * time.Minute, "ahead": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			cloud := &offClock{off: off, code: "InvalidSignatureException", then: streams(chunk(`{"statusCode":200}`+nul+"hello"), end(`{}`))}
			f := deployedFake(t, cloud.answer)
			for range 3 {
				if _, body, err := f.call(t.Context()); err != nil || body != "hello" {
					t.Errorf("%q, %v", body, err)
				}
			}
			if n := cloud.asked.Load(); n != 4 {
				t.Errorf("asked %d times, want one more than there were invocations", n)
			}
		})
	}
}

// TestARefusalIsNotPutDownToTheClock is about signatures that are wrong for
// another reason: the invocation is not sent again.
func TestARefusalIsNotPutDownToTheClock(t *testing.T) {
	for name, cloud := range map[string]*offClock{
		"the clocks agree": {code: "InvalidSignatureException"},
		"another code":     {off: time.Hour, code: "UnrecognizedClientException"},
	} {
		t.Run(name, func(t *testing.T) {
			refused := cloud.code
			cloud.then = func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusForbidden, refused, "who are you") }
			f := deployedFake(t, cloud.answer)
			if _, body, err := f.call(t.Context()); err == nil {
				t.Errorf("it answers %q", body)
			}
			if n := cloud.asked.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// TestAddressesAreSignedByAWSsClock has a clock that is off from S3's when a
// large body is kept there: its address must be one that S3 takes.
func TestAddressesAreSignedByAWSsClock(t *testing.T) {
	const off = 2 * time.Hour
	bucket := &fakeS3{objects: map[string][]byte{}, parts: map[string]map[int][]byte{}}
	cloud := &offClock{off: off, code: "RequestTimeTooSkewed", then: bucket.ServeHTTP}
	server := httptest.NewServer(http.HandlerFunc(cloud.answer))
	t.Cleanup(server.Close)
	b, err := Open(t.Context(), Options{
		MetricsFreshness: -1, Namespace: "openfaas-fn", Role: "arn:aws:iam::000000000000:role/r", Arch: "amd64", Memory: 256,
		CodeBucket: "bucket", Endpoint: server.URL, Region: "us-east-1", AccessKey: "a", SecretKey: "s",
	})
	if err != nil {
		t.Fatal(err)
	}
	body, err := b.park(t.Context(), target{account: b.home, name: hello}, strings.NewReader("body"), false)
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
