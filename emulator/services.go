package emulator

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/ecr"
	"github.com/faas-lambda/faas-lambda/emulator/events"
	"github.com/faas-lambda/faas-lambda/emulator/faults"
	"github.com/faas-lambda/faas-lambda/emulator/iam"
	"github.com/faas-lambda/faas-lambda/emulator/identity"
	"github.com/faas-lambda/faas-lambda/emulator/logs"
	"github.com/faas-lambda/faas-lambda/emulator/metrics"
	"github.com/faas-lambda/faas-lambda/emulator/s3"
	"github.com/faas-lambda/faas-lambda/emulator/sns"
	"github.com/faas-lambda/faas-lambda/emulator/sqs"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// services are the parts of AWS beside Lambda, Secrets Manager and Systems Manager, at the same endpoint: SDKs and the AWS CLI send every service's
// requests to the one URL that they are given.
type services struct {
	objects  *s3.Store
	images   *ecr.Store
	queues   *sqs.Store
	rules    *events.Store
	registry http.Handler            // of images, for those who log in
	handlers map[string]http.Handler // by the name that requests are signed for
	hosts    *sync.Map               // where clients of ECR found it: its registry is there for them
}

// targets are the services of JSON protocols, by what stands before the operation in X-Amz-Target.
var targets = map[string]string{
	"AWSLambda":      "lambda",
	"secretsmanager": "secretsmanager",
	"AmazonSSM":      "ssm",

	"AmazonEC2ContainerRegistry_V20150921": "ecr",
	"Logs_20140328":                        "logs",
	"GraniteServiceVersion20100801":        "monitoring",
	"AmazonSQS":                            "sqs",
	"AWSEvents":                            "events",
}

func (s *Server) openServices() error {
	objects, err := s3.Open(s3.Options{Dir: filepath.Join(s.store.dir, "s3"), Notify: s.notifyOf, Takes: s.takes})
	if err != nil {
		return fmt.Errorf("open S3: %w", err)
	}
	images, err := ecr.Open(ecr.Options{Dir: filepath.Join(s.store.dir, "ecr"), Account: s.opts.Account, Region: s.opts.Region})
	if err != nil {
		return fmt.Errorf("open ECR: %w", err)
	}
	roles, err := iam.Open(iam.Options{Dir: s.store.dir, User: identity.User, Account: func(accessKey string) string {
		return identity.Account(accessKey, s.opts.Account)
	}})
	if err != nil {
		return fmt.Errorf("open IAM: %w", err)
	}
	s.services = services{objects: objects, images: images, registry: images.Guarded(), hosts: &sync.Map{}, handlers: map[string]http.Handler{
		"s3":  objects,
		"sts": identity.New(s.opts.Account),
		"iam": roles,
		"ecr": images.API(),
	}}
	lines := logs.New(logs.Options{Account: s.opts.Account, Region: s.opts.Region})
	s.services.handlers["logs"], s.hooks.logs = lines.API(), lines
	measured := metrics.New(nil)
	s.services.handlers["monitoring"], s.hooks.metrics = measured.API(), metricStore{measured}
	queues, err := sqs.Open(sqs.Options{Dir: filepath.Join(s.store.dir, "sqs"), Account: s.opts.Account, Region: s.opts.Region, Now: s.now})
	if err != nil {
		return fmt.Errorf("open SQS: %w", err)
	}
	s.services.queues, s.services.handlers["sqs"], s.hooks.queues = queues, queues.API(), queueStore{queues}
	topics, err := sns.Open(sns.Options{Dir: filepath.Join(s.store.dir, "sns"), Account: s.opts.Account, Region: s.opts.Region, Deliver: s.deliver})
	if err != nil {
		return fmt.Errorf("open SNS: %w", err)
	}
	s.services.handlers["sns"], s.hooks.topics = topics.API(), topicStore{topics}
	rules, err := events.Open(events.Options{Dir: filepath.Join(s.store.dir, "events"), Account: s.opts.Account, Region: s.opts.Region, Clock: s.opts.clock, Deliver: s.deliverEvent})
	if err != nil {
		return fmt.Errorf("open EventBridge: %w", err)
	}
	s.services.rules, s.services.handlers["events"] = rules, rules.API()
	s.hooks.objects = objectStore{objects}
	s.hooks.registry = ownRegistry{s}
	return nil
}

// now is the time of queues and schedules.
func (s *Server) now() time.Time {
	if s.opts.clock != nil {
		return s.opts.clock.Now()
	}
	return time.Now()
}

// serviceOf names the service that a request is for, as signatures name it; "" where nothing tells. The scope of the signature comes first.
func serviceOf(r *http.Request) string {
	if service := wire.CallerOf(r).Service; service != "" {
		return service
	}
	prefix, _, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return targets[prefix]
}

// ServeHTTP answers one AWS API request, of any of the services, or lets it go wrong where a fault is asked for. Signatures are not verified.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if faults.IsAdmin(r) {
		s.faults.Admin().ServeHTTP(w, r)
		return
	}
	service := serviceOf(r)
	if s.faults.Empty() {
		s.dispatch(w, r, service)
		return
	}
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.dispatch(w, r, service) })
	s.faults.Serve(w, r, s.CallOf(r), next, refuse)
}

func (s *Server) dispatch(w http.ResponseWriter, r *http.Request, service string) {
	if service == "ecr" {
		s.services.hosts.Store(r.Host, true)
	}
	if handler := s.services.handlers[service]; handler != nil {
		handler.ServeHTTP(w, r)
		return
	}
	if service == "" && isRegistry(r) {
		s.services.registry.ServeHTTP(w, r)
		return
	}
	s.serveLambda(w, r)
}

// invokeLater invokes a function asynchronously, as other services do: through the API.
func (s *Server) invokeLater(function string, payload []byte) error {
	path := "/2015-03-31/functions/" + url.PathEscape(function) + "/invocations"
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, path, bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("invoke %s: %w", function, err)
	}
	r.Header.Set("X-Amz-Invocation-Type", invokeAsync)
	answer := &answer{header: http.Header{}}
	s.serveLambda(answer, r)
	if answer.status != http.StatusAccepted {
		return fmt.Errorf("invoke %s: status %d: %s", function, answer.status, answer.body.String())
	}
	return nil
}

// answer is a ResponseWriter that keeps what it gets.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// metricStore is CloudWatch as Lambda writes to it.
type metricStore struct{ store *metrics.Store }

// Record adds a measurement for the account, the function and what was invoked of it.
func (m metricStore) Record(v metric) {
	function := metrics.Dimension{Name: "FunctionName", Value: v.Function}
	resource := metrics.Dimension{Name: "Resource", Value: v.Resource}
	sets := [][]metrics.Dimension{nil, {function}, {function, resource}}
	if v.ExecutedVersion != "" {
		sets = append(sets, []metrics.Dimension{{Name: "ExecutedVersion", Value: v.ExecutedVersion}, function, resource})
	}
	for _, dimensions := range sets {
		m.store.Record("AWS/Lambda", v.Name, v.At, v.Value, dimensions...)
	}
}

// ownRegistry is ECR as Lambda pulls images from it.
type ownRegistry struct{ server *Server }

// Registry returns the registry when host is AWS's name for it, or where a client has found it.
func (o ownRegistry) Registry(host string) http.Handler {
	s := o.server
	_, found := s.services.hosts.Load(host)
	if found || host == s.opts.Address || host == s.opts.Account+".dkr.ecr."+s.opts.Region+".amazonaws.com" {
		return s.services.images.Registry()
	}
	return nil
}

// Credentials knows none but those in the usual places.
func (ownRegistry) Credentials(string) (user, password string, ok bool) { return "", "", false }

// objectStore is S3 as Lambda takes code from it.
type objectStore struct{ store *s3.Store }

func (o objectStore) Open(bucket, key, version string) (io.ReadCloser, int64, error) {
	object, size, err := o.store.Get(bucket, key, version)
	for theirs, ours := range map[error]error{s3.ErrNoBucket: errNoBucket, s3.ErrNoKey: errNoKey, s3.ErrNoVersion: errNoVersion} {
		if errors.Is(err, theirs) {
			return nil, 0, ours
		}
	}
	return object, size, err
}
