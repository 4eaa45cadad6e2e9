package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
	"github.com/faas-lambda/faas-lambda/provider/backend/federation"
	"github.com/faas-lambda/faas-lambda/provider/backend/memory"
	"github.com/faas-lambda/faas-lambda/provider/backend/remote"
	"github.com/faas-lambda/faas-lambda/provider/config"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// opener makes backends, and keeps what has to be closed.
type opener struct {
	cfg      config.Config
	packager *packaging.Packager
	log      *slog.Logger
	opened   []io.Closer // in the order in which they were opened
}

// openBackend returns the backend of a configuration, and what closes it.
func openBackend(ctx context.Context, cfg config.Config, registry prometheus.Registerer, log *slog.Logger) (backend.Backend, func() error, error) {
	o := &opener{cfg: cfg, packager: packager(cfg), log: log}
	b, err := o.open(ctx, cfg.File, registry)
	if err != nil {
		return nil, nil, errors.Join(err, o.close())
	}
	return b, o.close, nil
}

// close closes what was opened last first.
func (o *opener) close() error {
	var errs []error
	for i := len(o.opened) - 1; i >= 0; i-- {
		errs = append(errs, o.opened[i].Close())
	}
	return errors.Join(errs...)
}

// keep takes note of what has to be closed.
func keep[T backend.Backend](o *opener, b T, err error) (backend.Backend, error) {
	if err != nil {
		return nil, err
	}
	if closer, ok := any(b).(io.Closer); ok {
		o.opened = append(o.opened, closer)
	}
	return b, nil
}

func (o *opener) open(ctx context.Context, f config.File, registry prometheus.Registerer) (backend.Backend, error) {
	switch f.Kind {
	case "memory":
		return o.memory(ctx, f.Memory)
	case "remote":
		return o.remote(ctx, f.Remote)
	case "federation":
		return o.federation(ctx, *f.Federation, registry)
	}
	return o.aws(ctx, f.AWS, registry)
}

func (o *opener) memory(ctx context.Context, m *config.Memory) (backend.Backend, error) {
	options := memory.Options{Namespace: o.cfg.Namespace}
	if m != nil {
		options.StateFile = m.StateFile
	}
	b, err := memory.Open(ctx, options)
	return keep(o, b, err)
}

// retries is how often a request of which nothing was sent is repeated, when the
// file does not say.
const retries = 2

func (o *opener) remote(ctx context.Context, r *config.Remote) (backend.Backend, error) {
	options := remote.Options{
		URL: r.URL, Namespace: o.cfg.Namespace,
		Credentials: remote.Credentials{
			User: r.User, UserFile: r.UserFile, Password: r.Password, PasswordFile: r.PasswordFile, Token: r.Token, TokenFile: r.TokenFile,
		},
		AuthorizeInvocations: r.AuthorizeInvocations,
		TLS:                  remote.TLS{CAFile: r.CAFile, CertFile: r.CertFile, KeyFile: r.KeyFile, ServerName: r.ServerName},
		ConnectTimeout:       time.Duration(r.ConnectTimeout), Timeout: time.Duration(r.Timeout),
		DeployTimeout: time.Duration(r.DeployTimeout), InvokeTimeout: time.Duration(r.InvokeTimeout),
		Retries: retries, MaxIdleConns: r.MaxIdleConns, Logger: o.log,
	}
	if r.Retries != nil {
		options.Retries = *r.Retries
	}
	b, err := remote.Open(ctx, options)
	return keep(o, b, err)
}

// aws opens an account and region. What the section leaves out is as the
// environment says.
func (o *opener) aws(ctx context.Context, a *config.AWS, registry prometheus.Registerer) (backend.Backend, error) {
	options := awsOptions(o.cfg)
	options.Packager, options.Metrics, options.Logger = o.packager, registry, o.log
	if a != nil {
		if err := override(&options, *a); err != nil {
			return nil, err
		}
	}
	if options.Role == "" {
		return nil, errors.New("read configuration: executionRole is not set, nor lambda_execution_role: it is the ARN of the IAM role that functions run as, or \"managed\"")
	}
	b, err := aws.Open(ctx, options)
	return keep(o, b, err)
}

// awsOptions is what the environment says about AWS.
func awsOptions(cfg config.Config) aws.Options {
	lambda := cfg.Lambda
	refresh := lambda.MetricsRefresh
	if refresh == 0 {
		refresh = -1
	}
	return aws.Options{
		MetricsFreshness: refresh,
		Namespace:        cfg.Namespace, Role: lambda.Role, RolePath: lambda.RolePath, RoleBoundary: lambda.RoleBoundary, Arch: lambda.Arch, Memory: lambda.Memory,
		Timeout: lambda.Timeout, DeployTimeout: lambda.DeployTimeout, MaxIdleConns: cfg.MaxIdleConns,
		Endpoint: lambda.Endpoint, Region: lambda.Region, AccessKey: lambda.AccessKey, SecretKey: lambda.SecretKey,
		CodeBucket: lambda.CodeBucket, ImageRepository: lambda.ImageRepository, SecretStore: lambda.SecretStore, AdoptPattern: lambda.AdoptPattern, PayloadMemory: lambda.PayloadMemory, ReadyWait: lambda.ReadyWait,
	}
}

// override puts what the section says in the place of what the environment says.
func override(o *aws.Options, a config.AWS) error {
	for to, value := range map[*string]string{
		&o.Role: a.ExecutionRole, &o.RolePath: a.ManagedRolePath, &o.RoleBoundary: a.ManagedRoleBoundary, &o.Arch: a.Arch, &o.CodeBucket: a.CodeBucket, &o.ImageRepository: a.ImageRepository, &o.Region: a.Region, &o.AdoptPattern: a.AdoptPattern,
		&o.Endpoint: a.Endpoint, &o.AccessKey: a.AccessKeyID, &o.SecretKey: a.SecretAccessKey,
	} {
		if value != "" {
			*to = value
		}
	}
	for to, value := range map[*time.Duration]config.Duration{&o.Timeout: a.Timeout, &o.DeployTimeout: a.DeployTimeout, &o.ReadyWait: a.ReadyWait} {
		if value > 0 {
			*to = time.Duration(value)
		}
	}
	if a.Memory > 0 {
		o.Memory = a.Memory
	}
	o.Accounts = map[string]aws.AccountOptions{}
	if a.AssumeRole != "" {
		o.Accounts[o.Namespace] = aws.AccountOptions{AssumeRole: a.AssumeRole}
	}
	for _, ns := range a.Namespaces {
		o.Accounts[ns.Name] = aws.AccountOptions{AssumeRole: ns.AssumeRole, Region: ns.Region, Role: ns.ExecutionRole}
	}
	if a.SecretAccessKeyFile != "" {
		data, err := os.ReadFile(a.SecretAccessKeyFile)
		if err != nil {
			return fmt.Errorf("read secretAccessKeyFile: %w", err)
		}
		o.SecretKey = strings.TrimSpace(string(data))
	}
	return nil
}

// lambdaLongest is how long an invocation may last on Lambda
// (docs.aws.amazon.com/lambda, "Lambda quotas": function timeout).
const lambdaLongest = 15 * time.Minute

func (o *opener) federation(ctx context.Context, f config.Federation, registry prometheus.Registerer) (backend.Backend, error) {
	options := federation.Options{
		Name: f.Name, Namespace: o.cfg.Namespace, Default: f.Default, Secrets: federation.SecretsMode(f.Secrets),
		ListTimeout: time.Duration(f.ListTimeout), Refresh: time.Duration(f.Refresh), CheckInterval: time.Duration(f.CheckInterval),
		Failures: f.Failures, Drain: time.Duration(f.Drain), MoveTimeout: time.Duration(f.MoveTimeout), BudgetPoll: time.Duration(f.BudgetPoll),
		ReplayBytes: f.ReplayBytes, ReplayMemory: int64(f.ReplayMemory), Metrics: registry, Logger: o.log,
	}
	for _, rule := range f.Rules {
		options.Rules = append(options.Rules, federation.Rule(rule))
	}
	for _, c := range f.Children {
		child, err := o.child(ctx, c, registry)
		if err != nil {
			return nil, fmt.Errorf("open part %s of the federation: %w", c.Name, err)
		}
		options.Children = append(options.Children, child)
	}
	b, err := federation.Open(ctx, options)
	return keep(o, b, err)
}

func (o *opener) child(ctx context.Context, c config.Child, registry prometheus.Registerer) (federation.Child, error) {
	out := federation.Child{Name: c.Name, Namespaces: c.Namespaces, Constraints: c.Constraints}
	var err error
	switch {
	case c.AWS != nil:
		out.LongestRun = lambdaLongest
		// The same metrics of several accounts differ by this label.
		out.Backend, err = o.aws(ctx, c.AWS, prometheus.WrapRegistererWith(prometheus.Labels{"part": c.Name}, registry))
	case c.Remote != nil:
		out.Backend, err = o.remote(ctx, c.Remote)
	default:
		out.Backend, err = o.memory(ctx, c.Memory)
	}
	if c.LongestRun != nil {
		out.LongestRun = time.Duration(*c.LongestRun)
	}
	return out, err
}
