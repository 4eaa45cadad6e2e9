// Package aws runs OpenFaaS functions on AWS Lambda: the package of an image
// becomes a version of a Lambda function, an invocation an
// InvokeWithResponseStream. AWS's SDK is imported here and in the packages below
// alone, none of which imports this one. Everything that there is to know about a
// function is kept in AWS, in the function's own configuration and tags; this
// package keeps only caches.
package aws

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/logs"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/payload"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/policy"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/secrets"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// Options configure the backend. Namespace, Role, Arch, Memory, Timeout,
// DeployTimeout and Packager are required.
type Options struct {
	Namespace        string              // of all functions
	Role             string              // ARN that functions run as, or ManagedRole
	Arch             string              // amd64 or arm64
	Memory           int                 // MB, when limits.memory says nothing
	Timeout          time.Duration       // when neither the deployment nor the image says anything
	DeployTimeout    time.Duration       // how long Lambda may take to make a function ready
	Packager         *packaging.Packager //
	MetricsFreshness time.Duration       // how long what CloudWatch said is repeated; 0 is 5 minutes, negative asks it for nothing
	SecretStore      string              // secrets.SecretsManager, which is meant when it is empty, or secrets.ParameterStore
	MaxIdleConns     int                 // kept open to AWS; 0 is the SDK's default
	Logger           *slog.Logger        // nil discards

	// CodeBucket is the bucket of what Lambda's API does not take: packages
	// over 50 MB, long bodies, long records. Empty means
	// faas-lambda-ACCOUNT-REGION, which is made when it is needed; "none"
	// means that there is none.
	CodeBucket string

	// ImageRepository is where container images of functions are pushed to: the
	// name of a repository in ECR, which is made when it is missing, or
	// host/name of any registry. Empty means DefaultImageRepository.
	ImageRepository string

	// RolePath is the path of roles that are managed, in IAM; empty means
	// policy.DefaultRolePath. RoleBoundary is what bounds them: name or ARN of a
	// policy, or empty for nothing.
	RolePath, RoleBoundary string

	// TakeOver is how old, by AWS's clock, another provider's unfinished
	// change must be to be taken for abandoned; 0 is two minutes, and a
	// negative one takes over at once.
	TakeOver time.Duration

	// MaxBackoff bounds the pauses between the attempts of a call to AWS; 0 is
	// the SDK's 20 s.
	MaxBackoff time.Duration

	ReadyWait     time.Duration         // how long an invocation waits for a function that is not ready; 0 is 10 s
	PayloadMemory int64                 // bytes for the bodies that are being sent; 0 is 256 MiB
	Metrics       prometheus.Registerer // gets the metrics of invocations and calls to AWS; may be nil

	// Accounts say where the functions of a namespace are, beside what the
	// namespace's own annotations say.
	Accounts map[string]AccountOptions

	// AdoptPattern is a pattern as of path.Match for the names of Lambda
	// functions that somebody else made and that are served too. Empty means
	// those alone that have the tag faas-lambda:adopt.
	AdoptPattern string

	// Endpoint makes the backend call one address with the credentials below
	// and nothing from the environment. When it is empty, region, credentials
	// and endpoint come from where the SDK looks for them.
	Endpoint, Region, AccessKey, SecretKey string
}

// readyWait is the default of Options.ReadyWait, takeOver of Options.TakeOver: a
// change does something to its function more often than that, or Lambda says
// itself that an update is in progress.
const (
	readyWait = 10 * time.Second
	takeOver  = 2 * time.Minute
)

// Backend is the functions of one or several AWS accounts and regions, by
// namespace. Open makes one.
type Backend struct {
	opts         Options
	config       aws.Config
	home         *account // of the default namespace, and of what is kept of all
	accounts     accounts
	ssm          *ssm.Client // of the home account: namespaces
	spaces       namespaces
	payloads     *payload.Maker
	rules        bucketRules
	repositories repositories // of images
	checks       checks
	observe      *observer
	cache        cache
	busy         busy
	logs         *logs.Reader
	log          *slog.Logger
}

var (
	_ backend.Backend   = (*Backend)(nil)
	_ backend.Scaler    = (*Backend)(nil)
	_ backend.Describer = (*Backend)(nil)
)

// Open prepares the backend. It reads configuration and calls no service.
func Open(ctx context.Context, opts Options) (*Backend, error) {
	b := &Backend{opts: opts, log: opts.Logger, checks: checks{wait: checkWait}}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.logs = logs.NewReader(b.log)
	if b.opts.ReadyWait == 0 {
		b.opts.ReadyWait = readyWait
	}
	if b.opts.TakeOver == 0 {
		b.opts.TakeOver = takeOver
	}
	switch opts.SecretStore {
	case "", secrets.SecretsManager, secrets.ParameterStore:
	default:
		return nil, fmt.Errorf("open AWS: no store of secrets is called %q: want %s or %s", opts.SecretStore, secrets.SecretsManager, secrets.ParameterStore)
	}
	if b.opts.MetricsFreshness == 0 {
		b.opts.MetricsFreshness = metricsFreshness
	}
	if b.opts.RolePath == "" {
		b.opts.RolePath = policy.DefaultRolePath
	}
	b.payloads = payload.NewMaker(opts.PayloadMemory)
	cfg, err := load(ctx, opts)
	if err != nil {
		return nil, err
	}
	if b.observe, err = newObserver(opts.Metrics); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	if opts.MaxBackoff > 0 {
		cfg.Retryer = func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = opts.MaxBackoff })
		}
	}
	cfg.APIOptions = append(cfg.APIOptions, b.observe.watch)
	cfg.Logger = sdkLog(b.log)
	b.config = cfg
	b.ssm = ssm.NewFromConfig(cfg)
	b.spaces.hold = make(chan struct{}, 1)
	b.home = b.accounts.get(cfg, opts.Accounts[opts.Namespace], b.opts)
	return b, nil
}

// Orchestration implements backend.Describer.
func (*Backend) Orchestration() string { return "lambda" }
