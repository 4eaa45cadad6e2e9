package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/google/go-cmp/cmp"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/trigger/triggertest"
)

const account = ":us-east-1:000000000000:"

// function is one in Lambda, and the triggers that it had last.
type function struct {
	Attachment

	mu    sync.Mutex // guards what follows
	cloud *triggertest.AWS
	calls int
	fault func(w http.ResponseWriter, r *http.Request) bool // true: w is answered; nil: none
}

func newFunction(t *testing.T) *function {
	t.Helper()
	f := &function{cloud: triggertest.New()}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	cfg := aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("a", "s", ""), BaseEndpoint: &server.URL,
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
	f.Attachment = Attachment{
		Clients: Clients{
			Lambda: lambda.NewFromConfig(cfg), SNS: sns.NewFromConfig(cfg), Events: eventbridge.NewFromConfig(cfg),
			S3:        s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
			AccountID: func(context.Context) (string, error) { return "000000000000", nil },
		},
		Name: backend.Name{Namespace: "n", Function: "hello"}, Function: "hello", ARN: "arn:aws:lambda" + account + "function:hello", Alias: "live",
		Patience: time.Second,
	}
	return f
}

func (f *function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.fault != nil && f.fault(w, r) {
		return
	}
	f.cloud.Serve(w, r)
}

// asked returns how many calls there were since it was asked last.
func (f *function) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = 0
	return calls
}

// summary is what there is.
func (f *function) summary() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cloud.Summary()
}

// set brings the function to what is wanted, as a deployment does: first what is
// missing, and late what goes.
func (f *function) set(ctx context.Context, want []Trigger) error {
	at := f.Attachment
	at.Want = want
	for _, at.Late = range []bool{false, true} {
		if err := Set(ctx, at); err != nil {
			return err
		}
	}
	f.Had = [][]Trigger{want}
	return nil
}

// read returns the triggers that annotations make: kinds and values in turn.
func read(t *testing.T, pairs ...string) []Trigger {
	t.Helper()
	var all []Trigger
	for i := 0; i+1 < len(pairs); i += 2 {
		kind := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == pairs[i] })
		made, err := Kinds[kind].Read(pairs[i+1])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, made...)
	}
	return all
}

// everyKind are triggers of each kind; one that Lambda polls stands for these.
func everyKind(t *testing.T) []Trigger {
	t.Helper()
	return read(t, "sqs", "arn:aws:sqs"+account+"a", "s3", "uploads", "sns", "arn:aws:sns"+account+"news", "url", "NONE", "schedule", "rate(1 day)")
}

var (
	nothing = []string{"0 statements"}
	all     = []string{
		"5 statements", "bucket uploads [s3:ObjectCreated:*] []", "mapping a 10 <nil>", "rule rate(1 day) target true", "topic news ", "url NONE BUFFERED",
	}
)

// TestSet brings a function from what it had to what it is to have.
func TestSet(t *testing.T) {
	queue := read(t, "sqs", "arn:aws:sqs"+account+"b?batch-size=5")
	mapped := []string{"0 statements", "mapping b 5 <nil>"}
	for name, c := range map[string]struct {
		there, want []Trigger
		change      func(*Attachment)
		calls       bool // AWS is asked at all
		left        []string
	}{
		"nothing at all":             {nil, nil, func(*Attachment) {}, false, nothing},
		"what is missing, early":     {nil, queue, func(*Attachment) {}, true, mapped},
		"what is missing, late":      {nil, queue, func(at *Attachment) { at.Late = true }, true, nothing},
		"what is not wanted, early":  {everyKind(t), nil, func(*Attachment) {}, true, all},
		"what is not wanted, late":   {everyKind(t), nil, func(at *Attachment) { at.Late = true }, true, nothing},
		"what is not known of":       {everyKind(t), nil, func(at *Attachment) { at.Had, at.Late = nil, true }, false, all},
		"what may be there":          {everyKind(t), nil, func(at *Attachment) { at.Had, at.Late, at.Unsure = nil, true, true }, true, nothing},
		"what an earlier one needed": {everyKind(t), nil, func(at *Attachment) { at.Had, at.Late = append(at.Had, nil), true }, true, nothing},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFunction(t)
			f.cloud.Notifications["uploads"] = triggertest.Notifications{}
			if err := f.set(t.Context(), c.there); err != nil {
				t.Fatal(err)
			}
			f.asked()
			at := f.Attachment
			at.Want = c.want
			c.change(&at)
			err := Set(t.Context(), at)
			if calls := f.asked(); err != nil || (calls > 0) != c.calls {
				t.Errorf("%d calls, %v", calls, err)
			}
			if diff := cmp.Diff(c.left, f.summary()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestWhatAWSRefuses is told with the annotation that wants it; what cannot be
// removed is nobody's annotation.
func TestWhatAWSRefuses(t *testing.T) {
	refused := func(code string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet {
				return false
			}
			w.Header().Set("X-Amzn-ErrorType", code)
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"message":"no"}`))
			return true
		}
	}
	queue := read(t, "sqs", "arn:aws:sqs"+account+"a")
	for name, c := range map[string]struct {
		had, want []Trigger
		late      bool
		fault     func(http.ResponseWriter, *http.Request) bool
		invalid   bool
		says      string
	}{
		"a queue that is not there":  {nil, queue, false, refused("ResourceNotFoundException"), true, "annotation com.openfaas.lambda/sqs: map arn:aws:sqs"},
		"a bucket that is not there": {nil, read(t, "s3", "gone"), false, nil, true, "annotation com.openfaas.lambda/s3: notify of bucket gone"},
		"a mapping that stays":       {queue, nil, true, refused("InvalidParameterValueException"), false, "set triggers of function hello.n: remove event source mapping"},
		"a mapping in use":           {queue, nil, true, refused("ResourceInUseException"), false, "remove event source mapping"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFunction(t)
			if err := f.set(t.Context(), c.had); err != nil {
				t.Fatal(err)
			}
			f.mu.Lock()
			f.fault = c.fault
			f.mu.Unlock()
			at := f.Attachment
			at.Want, at.Late, at.Patience = c.want, c.late, time.Millisecond
			err := Set(t.Context(), at)
			if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, backend.ErrInvalid) != c.invalid || errors.Is(err, backend.ErrNotFound) {
				t.Errorf("%v, want %s", err, c.says)
			}
		})
	}
}

// TestOptionsThatGo lets a mapping be as a new one is when its options are not
// named any more.
func TestOptionsThatGo(t *testing.T) {
	for kind, c := range map[string]struct{ source, options, want string }{
		"sqs": {"arn:aws:sqs:us-east-1:000000000000:a", `?batch-size=5&window=7s&concurrency=3&report-failures=true&filter={"a":["b"]}`,
			`{"BatchSize":10,"MaximumBatchingWindowInSeconds":0,"ScalingConfig":{},"FunctionResponseTypes":[],"FilterCriteria":{"Filters":[]}}`},
		"kinesis": {"arn:aws:kinesis:us-east-1:000000000000:stream/a", `?batch-size=5&window=7s&parallelization=2&retries=3&max-age=90s&bisect=true&on-failure=arn:aws:sqs:us-east-1:000000000000:b`,
			`{"BatchSize":100,"MaximumBatchingWindowInSeconds":0,"ParallelizationFactor":1,"MaximumRetryAttempts":-1,"MaximumRecordAgeInSeconds":-1,"BisectBatchOnFunctionError":false,
			  "DestinationConfig":{"OnFailure":{"Destination":""}},"FunctionResponseTypes":[],"FilterCriteria":{"Filters":[]}}`},
		"kafka": {"b:9092", "?topic=t&batch-size=5&window=7s&secret=arn:aws:secretsmanager:us-east-1:000000000000:secret:s",
			`{"BatchSize":100,"MaximumBatchingWindowInSeconds":0,"SourceAccessConfigurations":[],"FunctionResponseTypes":[],"FilterCriteria":{"Filters":[]}}`},
	} {
		t.Run(kind, func(t *testing.T) {
			f := newFunction(t)
			bare := ""
			if kind == "kafka" {
				bare = "?topic=t"
			}
			for _, options := range []string{c.options, bare} {
				if err := f.set(t.Context(), read(t, kind, c.source+options)); err != nil {
					t.Fatal(err)
				}
			}
			var want map[string]any
			if err := json.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, m := range f.cloud.Mappings {
				for field, value := range want {
					if diff := cmp.Diff(value, m[field]); diff != "" {
						t.Errorf("%s (-want +got)\n%s", field, diff)
					}
				}
			}
		})
	}
}
