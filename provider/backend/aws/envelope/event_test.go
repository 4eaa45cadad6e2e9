package envelope

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEvent(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), "POST", "http://fn.example.com:8080/", strings.NewReader("<hello>"))
	r.URL = &url.URL{Path: "/a b", RawPath: "/a%20b", RawQuery: "q=1&r=%20"}
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header = http.Header{
		"X-A": {"1", "2"}, "Accept": {"*/*"}, "Cookie": {"a=b; c=\"d\"", "e=f"}, "User-Agent": {"curl"}, "X-Call-Id": {"id"},
		"Connection": {"close, X-Hop"}, "X-Hop": {"1"}, "Te": {"trailers"}, "Upgrade": {"h2c"}, "Expect": {"100-continue"},
	}
	e, err := New(r, 7, nil, time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	payload := AppendBody(e.Append(nil, nil), []byte("<hello>"))
	want := `{"version":"2.0","routeKey":"$default","rawPath":"/a%20b","rawQueryString":"q=1&r=%20","cookies":["a=b","c=\"d\"","e=f"],` +
		`"headers":{"content-length":"7","host":"fn.example.com:8080","accept":"*/*","user-agent":"curl","x-a":"1,2","x-call-id":"id"},` +
		`"requestContext":{"accountId":"anonymous","apiId":"faas-lambda","domainName":"fn.example.com:8080","domainPrefix":"fn",` +
		`"http":{"method":"POST","path":"/a b","protocol":"HTTP/1.1","sourceIp":"10.0.0.1","userAgent":"curl"},` +
		`"requestId":"id","routeKey":"$default","stage":"$default","time":"23/Nov/2026:01:02:03 +0000","timeEpoch":1795395723000},` +
		`"faasLambda":{"version":1,"multiValueHeaders":{"x-a":["1","2"]}},"isBase64Encoded":false,"body":"<hello>"}`
	if diff := cmp.Diff(want, string(payload)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
