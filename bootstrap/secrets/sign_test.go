package secrets

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const suiteToken = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

// The cases of AWS's published Signature Version 4 test suite that have no query
// and no path to be normalized: those of this signer's requests.
func TestSignaturesOfThePublishedSuite(t *testing.T) {
	type list = []string
	for name, c := range map[string]struct {
		method, path string
		header       http.Header
		body, token  string
		signed       string
		signature    string
	}{
		"get-vanilla": {method: "GET", signed: "host;x-amz-date",
			signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		"get-unreserved": {method: "GET", path: "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", signed: "host;x-amz-date",
			signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		"get-header-key-duplicate": {method: "GET", header: http.Header{"My-Header1": list{"value2", "value2", "value1"}}, signed: "host;my-header1;x-amz-date",
			signature: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
		"get-header-value-order": {method: "GET", header: http.Header{"My-Header1": list{"value4", "value1", "value3", "value2"}}, signed: "host;my-header1;x-amz-date",
			signature: "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
		"get-header-value-trim": {method: "GET", header: http.Header{"My-Header1": list{" value1"}, "My-Header2": list{` "a   b   c"`}}, signed: "host;my-header1;my-header2;x-amz-date",
			signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		"post-vanilla": {method: "POST", signed: "host;x-amz-date",
			signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		"post-header-key-sort": {method: "POST", header: http.Header{"My-Header1": list{"value1"}}, signed: "host;my-header1;x-amz-date",
			signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
		"post-header-value-case": {method: "POST", header: http.Header{"My-Header1": list{"VALUE1"}}, signed: "host;my-header1;x-amz-date",
			signature: "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
		"post-x-www-form-urlencoded": {method: "POST", header: http.Header{"Content-Type": list{"application/x-www-form-urlencoded"}}, body: "Param1=value1", signed: "content-type;host;x-amz-date",
			signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		"post-x-www-form-urlencoded-parameters": {method: "POST", header: http.Header{"Content-Type": list{"application/x-www-form-urlencoded; charset=utf8"}}, body: "Param1=value1", signed: "content-type;host;x-amz-date",
			signature: "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
		"post-sts-header-before": {method: "POST", token: suiteToken, signed: "host;x-amz-date;x-amz-security-token",
			signature: "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest(c.method, "https://example.amazonaws.com/"+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if c.header != nil {
				r.Header = c.header
			}
			creds := credentials{id: "AKIDEXAMPLE", key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token: c.token}
			sign(r, []byte(c.body), creds, "us-east-1", "service", time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC))
			want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" + c.signed + ", Signature=" + c.signature
			if got := r.Header.Get("Authorization"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// FuzzSign holds the signer against the one of AWS's SDK.
func FuzzSign(f *testing.F) {
	f.Add("eu-central-1", "secretsmanager", "AKIDEXAMPLE", "key", "token", "/", "secretsmanager.GetSecretValue", []byte(`{"SecretId":"a"}`), int64(1440938160))
	f.Add("us-east-1", "ssm", "id", "k/+=", "", "/a b/%2F/ü/$x", "  two  spaces ", []byte(nil), int64(0))
	f.Fuzz(func(t *testing.T, region, service, id, key, token, path, target string, body []byte, unix int64) {
		printable := func(s string) bool {
			return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
		}
		now := time.Unix(unix%(1<<36), 0).UTC()
		if !printable(region) || !printable(service) || !printable(token) || !printable(target) || now.Year() < 0 || now.Year() > 9999 || key == "" || id == "" {
			return // cannot be a request
		}
		newRequest := func() *http.Request {
			r, err := http.NewRequest(http.MethodPost, "https://service.example.amazonaws.com/", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.URL.Path = "/" + strings.TrimLeft(path, "/")
			r.Header.Set("Content-Type", "application/x-amz-json-1.1")
			r.Header.Set("X-Amz-Target", target)
			return r
		}
		ours, theirs := newRequest(), newRequest()
		sign(ours, body, credentials{id: id, key: key, token: token}, region, service, now)
		theirs.ContentLength = -1 // theirs would sign it; ours, like the published suite, does not
		err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: id, SecretAccessKey: key, SessionToken: token}, theirs, hexSum(body), service, region, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
			if ours.Header.Get(name) != theirs.Header.Get(name) {
				t.Errorf("%s\nours   %s\ntheirs %s", name, ours.Header.Get(name), theirs.Header.Get(name))
			}
		}
	})
}
