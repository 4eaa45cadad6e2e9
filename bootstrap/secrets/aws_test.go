package secrets

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// fakeAWS is both services over real HTTP. It checks signatures with the signer
// of AWS's SDK.
type fakeAWS struct {
	*httptest.Server
	t     testing.TB
	creds aws.Credentials

	mu      sync.Mutex // guards the fields below
	answers map[string][]answer
	asked   []string // SERVICE:ID
	most    int      // requests at a time
	now     int
	hold    chan struct{} // while it is not nil, requests wait until it is closed
	held    chan string   // gets each request that waits
}

// answer is a status and a body; the last one of a list is given again and again.
type answer struct {
	status int
	body   string
}

func secretString(value string) answer {
	body, err := json.Marshal(map[string]any{"Name": "n", "SecretString": value, "VersionStages": []string{"AWSCURRENT"}})
	if err != nil {
		panic(err)
	}
	return answer{200, string(body)}
}

func secretBinary(value []byte) answer {
	body, err := json.Marshal(map[string]any{"Name": "n", "SecretBinary": value})
	if err != nil {
		panic(err)
	}
	return answer{200, string(body)}
}

func parameter(value string) answer {
	body, err := json.Marshal(map[string]any{"Parameter": map[string]any{"Name": "n", "Type": "SecureString", "Value": value}})
	if err != nil {
		panic(err)
	}
	return answer{200, string(body)}
}

func startAWS(t testing.TB, answers map[string][]answer) *fakeAWS {
	t.Helper()
	f := &fakeAWS{t: t, answers: answers, held: make(chan string, 64),
		creds: aws.Credentials{AccessKeyID: "ASIATEST", SecretAccessKey: "test/secret+key", SessionToken: "test-token=="}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// env is what bootstrap is started with in a function with these secrets.
func (f *fakeAWS) env(t testing.TB, secrets map[string]string, more ...string) []string {
	t.Helper()
	names, err := json.Marshal(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{
		"AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=ASIATEST", "AWS_SECRET_ACCESS_KEY=test/secret+key", "AWS_SESSION_TOKEN=test-token==",
		"AWS_ENDPOINT_URL=" + f.URL, "FAAS_LAMBDA_SECRETS=" + string(names), "FAAS_LAMBDA_SECRETS_DIR=" + t.TempDir() + "/s",
	}, more...)
}

func (f *fakeAWS) set(key string, answers ...answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[key] = answers
}

func (f *fakeAWS) block() (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	hold := make(chan struct{})
	f.hold = hold
	return func() {
		f.mu.Lock()
		f.hold = nil
		f.mu.Unlock()
		close(hold)
	}
}

func (f *fakeAWS) calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var in struct {
		SecretId, Name string
		WithDecryption bool
	}
	if err := json.Unmarshal(body, &in); err != nil {
		f.t.Errorf("request %s: %v", body, err)
	}
	key := "secretsmanager:" + in.SecretId
	switch target := r.Header.Get("X-Amz-Target"); {
	case target == "AmazonSSM.GetParameter" && in.WithDecryption:
		key = "ssm:" + in.Name
	case target != "secretsmanager.GetSecretValue":
		f.t.Errorf("target %s %s", target, body)
	}
	service, _, _ := strings.Cut(key, ":")
	f.verify(r, body, service)
	f.mu.Lock()
	f.asked = append(f.asked, key)
	f.now++
	f.most = max(f.most, f.now)
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		f.held <- key
		<-hold
	}
	f.mu.Lock()
	f.now--
	list := f.answers[key]
	a := answer{400, `{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret."}`}
	if len(list) > 0 {
		a = list[0]
	}
	if len(list) > 1 {
		f.answers[key] = list[1:]
	}
	f.mu.Unlock()
	if a.status == 0 {
		panic(http.ErrAbortHandler) // the connection breaks
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// verify signs the request again, by AWS's own signer.
func (f *fakeAWS) verify(r *http.Request, body []byte, service string) {
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.RequestURI, bytes.NewReader(body))
	if err != nil {
		f.t.Error(err)
		return
	}
	again.ContentLength = -1
	for _, name := range []string{"Content-Type", "X-Amz-Target"} {
		again.Header.Set(name, r.Header.Get(name))
	}
	when, err := time.Parse(timestamp, r.Header.Get("X-Amz-Date"))
	if err == nil {
		err = v4.NewSigner().SignHTTP(r.Context(), f.creds, again, hexSum(body), service, "eu-central-1", when)
	}
	if err != nil || again.Header.Get("Authorization") != r.Header.Get("Authorization") {
		f.t.Errorf("signature: %v\ngot  %s\nwant %s", err, r.Header.Get("Authorization"), again.Header.Get("Authorization"))
	}
}

// logs collects what a Store logs.
type logs struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// clock is a Store's time.
type clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func numbered(n int) (names map[string]string, answers map[string][]answer) {
	names, answers = map[string]string{}, map[string][]answer{}
	for i := range n {
		names[fmt.Sprintf("s%02d", i)] = fmt.Sprintf("secretsmanager:id%d", i)
		answers[fmt.Sprintf("secretsmanager:id%d", i)] = []answer{secretString(fmt.Sprintf("value %d", i))}
	}
	return names, answers
}
