// Package config turns the environment into one validated value. The variables
// are those that OpenFaaS users know from faas-provider and from the first
// faas-lambda's chart, in lower case, and a few of our own; what AWS's SDK reads
// by itself (AWS_REGION, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, …) is left to it.
// Nothing else in the program reads the environment.
package config

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Config is everything that the provider can be told.
type Config struct {
	Host string // address to listen on; empty means all
	Port int    // 0 takes any free one

	ReadTimeout     time.Duration // for a request's headers, and for the body of one to /system
	WriteTimeout    time.Duration // for writing an answer of /system
	ShutdownDelay   time.Duration // how long it answers, and is not ready, before it ends
	ShutdownTimeout time.Duration // how long invocations under way may last when the program is told to end

	LogLevel  string // debug, info, warn or error
	LogFormat string // text or json
	PprofPort int    // of a listener on loopback; 0 is none

	BasicAuth       bool
	SecretMountPath string // directory of basic-auth-user and basic-auth-password

	Namespace          string   // the default namespace
	InsecureRegistries []string // may be reached over plain HTTP
	PullSecrets        []string // files or directories of Kubernetes's imagePullSecrets
	SignaturePolicy    string   // file; empty means containers/image's usual places
	LocalImages        bool     // allow oci:, oci-archive: and docker-archive: references; never from the environment
	CacheDir           string   // finished packages

	Lambda Lambda
	File   File // the backend, and what --config says about it

	MaxIdleConns int // kept open to AWS
}

// Lambda is how functions are made on Lambda, and where.
type Lambda struct {
	Role            string        // ARN of the role that functions run as, or ManagedRole
	RolePath        string        // of managed roles, in IAM
	RoleBoundary    string        // what bounds managed roles: name or ARN of a policy
	Arch            string        // amd64 or arm64
	Memory          int           // MB, when limits.memory says nothing
	Timeout         time.Duration // when neither the deployment nor the image says anything
	DeployTimeout   time.Duration // how long Lambda may take to make a function ready
	ImageRepository string        // of container images: a name in ECR, or host/name
	CodeBucket      string        // of S3, for what Lambda's API does not take; empty: one is made; "none"
	SecretStore     string        // secretsmanager or ssm
	AdoptPattern    string        // names of Lambda functions of other tools that are served too
	MetricsRefresh  time.Duration // how long what CloudWatch said is repeated; 0 asks it for nothing
	PayloadMemory   int64         // bytes for the bodies that are being sent
	ReadyWait       time.Duration // how long an invocation waits for a function that is not ready

	// Endpoint and the rest are set by `up` alone: empty means what AWS's SDK
	// finds in its ordinary places.
	Endpoint, Region, AccessKey, SecretKey string
}

// ManagedRole in the place of a role's ARN is a role of each function's own.
const ManagedRole = "managed"

// rolePath and boundary are IAM's patterns (docs.aws.amazon.com/IAM, "IAM
// identifiers"); the region and a slash are put behind the path.
var (
	rolePath = regexp.MustCompile(`^/(?:[\w+=,.@-]+/){1,10}$`)
	boundary = regexp.MustCompile(`^(?:arn:aws[a-z-]*:iam::(?:\d{12}|aws):policy/)?(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,128}$`)
)

const (
	rolePathForm = "a path that begins and ends with /, such as /faas-lambda/"
	boundaryForm = "the name or ARN of a policy in IAM"
	roleForm     = `the ARN of an IAM role, or "managed"`
)

// isRole tells what may stand for what functions run as.
func isRole(value string) bool { return value == ManagedRole || role.MatchString(value) }

// role is AWS's own pattern for the Role of CreateFunction.
var role = regexp.MustCompile(`^arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+$`)

// bucket is what S3 allows as a name (docs.aws.amazon.com/AmazonS3, "Bucket
// naming rules").
// repository is a name in ECR, or host/name
// (docs.aws.amazon.com/AmazonECR, "Creating a repository"; distribution/reference).
var repository = regexp.MustCompile(`^(?:(?:[A-Za-z0-9.-]*[.:][A-Za-z0-9.-]*(?::[0-9]+)?|localhost(?::[0-9]+)?)/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$`)

const repositoryForm = "the name of a repository in ECR, or host/name of any registry, in lower case"

var bucket = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// label is what Kubernetes, and so OpenFaaS, allows as a namespace.
var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// Read returns the configuration that getenv describes, defaults filled in.
// The error names every variable whose value cannot be used.
func Read(getenv func(string) string) (Config, error) {
	v := values{getenv: getenv}
	c := v.config()
	v.match("function_namespace", c.Namespace, label, "lower case letters, digits and -, at most 63")
	if c.Lambda.Role != "" && !isRole(c.Lambda.Role) {
		v.bad("lambda_execution_role", c.Lambda.Role, roleForm)
	}
	v.match("managed_role_path", c.Lambda.RolePath, rolePath, rolePathForm)
	if c.Lambda.RoleBoundary != "" {
		v.match("managed_role_boundary", c.Lambda.RoleBoundary, boundary, boundaryForm)
	}
	if c.Lambda.Arch != "amd64" && c.Lambda.Arch != "arm64" {
		v.bad("function_arch", c.Lambda.Arch, "amd64 or arm64")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		v.bad("log_level", c.LogLevel, "debug, info, warn or error")
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		v.bad("log_format", c.LogFormat, "text or json")
	}
	if c.Lambda.SecretStore != "secretsmanager" && c.Lambda.SecretStore != "ssm" {
		v.bad("secret_store", c.Lambda.SecretStore, "secretsmanager or ssm")
	}
	if _, err := path.Match(c.Lambda.AdoptPattern, ""); err != nil {
		v.bad("adopt_pattern", c.Lambda.AdoptPattern, "a pattern such as legacy-*")
	}
	if c.CacheDir != "" && !filepath.IsAbs(c.CacheDir) {
		v.bad("cache_dir", c.CacheDir, "an absolute path")
	}
	if c.Lambda.ImageRepository != "" {
		v.match("image_repository", c.Lambda.ImageRepository, repository, repositoryForm)
	}
	if c.Lambda.CodeBucket != "" {
		v.match("code_bucket", c.Lambda.CodeBucket, bucket, `the name of an S3 bucket, or "none"`)
	}
	for _, registry := range c.InsecureRegistries {
		if strings.ContainsAny(registry, "/ ") {
			v.bad("insecure_registries", registry, "host or host:port, separated by commas")
		}
	}
	for _, secret := range c.PullSecrets {
		if !filepath.IsAbs(secret) {
			v.bad("image_pull_secrets", secret, "absolute paths, separated by commas")
		}
	}
	if c.SignaturePolicy != "" && !filepath.IsAbs(c.SignaturePolicy) {
		v.bad("signature_policy", c.SignaturePolicy, "an absolute path")
	}
	c.File.Kind = "aws"
	return c, errors.Join(v.errs...)
}

// config reads all variables, each with what it means: docs/configuration.md is
// made of that.
func (v *values) config() Config {
	c := Config{
		Host:               v.text("host", "", "address to listen on; empty means all. `up` has `--host`, 127.0.0.1 by default"),
		Port:               v.number("port", 8080, 0, 65535, "port of the provider; 0 takes a free one. `up` has `--port`"),
		ReadTimeout:        v.duration("read_timeout", 10*time.Second, time.Second, 24*time.Hour, "for a request's headers, and for the body of one to `/system`. Invocations have the function's own timeout"),
		WriteTimeout:       v.duration("write_timeout", 10*time.Second, time.Second, 24*time.Hour, "for writing an answer of `/system`"),
		ShutdownDelay:      v.duration("shutdown_delay", 0, 0, 15*time.Minute, "how long the provider, told to end, still answers while `/readyz` says 503: the time that a load balancer takes to see it. The chart sets it"),
		ShutdownTimeout:    v.duration("shutdown_timeout", 25*time.Second, 0, 15*time.Minute, "how long invocations under way may go on after that, when the program is told to end; with `up` always 2s"),
		LogLevel:           v.text("log_level", "info", "`debug`, `info`, `warn` or `error`. `debug` has a line for each invocation"),
		LogFormat:          v.text("log_format", "text", "`text`, or `json` for one JSON object a line"),
		PprofPort:          v.number("pprof_port", 0, 0, 65535, "port of Go's profiles on 127.0.0.1; 0 serves none"),
		BasicAuth:          v.boolean("basic_auth", false, "ask for the credentials in `secret_mount_path`; `up` asks unless this is `false` or `--no-auth` is given"),
		SecretMountPath:    v.text("secret_mount_path", "/run/secrets/", "directory with `basic-auth-user` and `basic-auth-password`; `up` makes its own in the data directory"),
		Namespace:          v.text("function_namespace", "openfaas-fn", "the default namespace"),
		InsecureRegistries: v.list("insecure_registries", "registries (host or host:port, separated by commas) that may be reached over plain HTTP. Those on loopback always may"),
		PullSecrets:        v.list("image_pull_secrets", "files, or directories at which secrets of the types `kubernetes.io/dockerconfigjson` and `dockercfg` are mounted, separated by commas: credentials for registries (docs/registries.md)"),
		SignaturePolicy:    v.text("signature_policy", "", "file of the signature policy; empty means where podman and skopeo look for policy.json (docs/registries.md)"),
		CacheDir:           v.text("cache_dir", "", "where finished packages are kept to be used again; empty means the user's cache directory; `up` keeps them in the data directory"),
		MaxIdleConns:       v.number("max_idle_conns", 1024, 1, 1<<20, "connections kept open to AWS"),
		Lambda: Lambda{
			Role:            v.text("lambda_execution_role", "", "ARN of the IAM role that functions run as, or `managed`: each function has a role of its own, which the provider makes and keeps (docs/iam.md). The `aws` backend requires it, and `up` has one of its own"),
			RolePath:        v.text("managed_role_path", "/faas-lambda/", "path of managed roles in IAM; the region follows it"),
			RoleBoundary:    v.text("managed_role_boundary", "", "permissions boundary of managed roles: the name of a policy in the account of the functions, or an ARN"),
			Arch:            v.text("function_arch", "amd64", "amd64 or arm64; `up` takes the machine's own"),
			Memory:          v.number("function_memory", 256, 128, 10240, "MB of a function without `limits.memory`"),
			Timeout:         v.duration("function_timeout", time.Minute, time.Second, 900*time.Second, "timeout of a function when neither its `envVars` nor its image set `exec_timeout`, `read_timeout` or `write_timeout`"),
			DeployTimeout:   v.duration("deploy_timeout", 5*time.Minute, time.Second, time.Hour, "how long Lambda may take to make a function ready"),
			ImageRepository: v.text("image_repository", "", "Where container images of functions are pushed to: the name of a repository in ECR, made when it is missing, or `host/name` of any registry. Empty means `faas-lambda` in ECR"),
			CodeBucket:      v.text("code_bucket", "", "S3 bucket of what Lambda's API does not take: large packages, and request bodies over 6 MB that do not compress below it. Empty means `faas-lambda-ACCOUNT-REGION`, made when it is needed; `none` means that there is none, and such requests get a 413"),
			AdoptPattern:    v.text("adopt_pattern", "", "pattern such as `legacy-*` for the names of Lambda functions, made by other tools, that are listed and invoked in the default namespace too, and never changed (docs/annotations.md); those with the tag `faas-lambda:adopt` always are"),
			MetricsRefresh:  v.duration("metrics_refresh", 5*time.Minute, 0, 24*time.Hour, "how long what CloudWatch says of invocations and replicas is repeated: it is paid by the metric that is read, three of each function; 0: it is not asked. `up` repeats it for 1s, where it costs nothing"),
			SecretStore:     v.text("secret_store", "secretsmanager", "where secrets are kept: `secretsmanager` (AWS Secrets Manager) or `ssm` (Parameter Store: free up to 4 KB, text alone)"),
			PayloadMemory:   int64(v.number("payload_memory", 256, 32, 1<<20, "MB for all request bodies over 64 KB that are being sent; further ones wait")) << 20,
			ReadyWait:       v.duration("ready_wait", 10*time.Second, time.Millisecond, 15*time.Minute, "how long an invocation waits for a function that is not ready yet, before it gets a 503"),
		},
	}
	// Known to users of faas-provider. The one host that we call is AWS.
	c.MaxIdleConns = v.number("max_idle_conns_per_host", c.MaxIdleConns, 1, 1<<20, "the same, for users of other providers; it wins")
	return c
}

// Setting is one variable, for the documentation.
type Setting struct {
	Name, Default, Range, Meaning string
}

// Settings returns every variable that Read reads.
func Settings() []Setting {
	v := values{getenv: func(string) string { return "" }}
	v.config()
	return v.settings
}

// Serve checks what only a provider against AWS itself needs.
func (c Config) Serve() error {
	if c.File.Kind == "aws" && c.Lambda.Role == "" && (c.File.AWS == nil || c.File.AWS.ExecutionRole == "") {
		return fmt.Errorf("read configuration: lambda_execution_role is not set: it is the ARN of the IAM role that functions run as, or \"managed\"")
	}
	return nil
}
