// Package config turns the environment into one validated value. The variables
// are those that OpenFaaS users know from faas-provider and from the first
// faas-lambda's chart, in lower case, and a few of our own; what AWS's SDK reads
// by itself (AWS_REGION, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, …) is left to it.
// Nothing else in the program reads the environment.
package config

import (
	"errors"
	"fmt"
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
	ShutdownTimeout time.Duration // how long invocations under way may last when the program is told to end

	LogLevel  string // debug, info, warn or error
	LogFormat string // text or json
	PprofPort int    // of a listener on loopback; 0 is none

	BasicAuth       bool
	SecretMountPath string // directory of basic-auth-user and basic-auth-password

	Namespace          string   // the default namespace, the only one so far
	InsecureRegistries []string // may be reached over plain HTTP
	LocalImages        bool     // allow oci:, oci-archive: and docker-archive: references; never from the environment
	CacheDir           string   // finished packages

	Lambda Lambda

	MaxIdleConns int // kept open to AWS
}

// Lambda is how functions are made on Lambda, and where.
type Lambda struct {
	Role          string        // ARN of the role that functions run as
	Arch          string        // amd64 or arm64
	Memory        int           // MB, when limits.memory says nothing
	Timeout       time.Duration // when neither the deployment nor the image says anything
	DeployTimeout time.Duration // how long Lambda may take to make a function ready
	CodeBucket    string        // of S3, for what Lambda's API does not take; empty: one is made; "none"
	SecretStore   string        // secretsmanager or ssm
	PayloadMemory int64         // bytes for the bodies that are being sent
	ReadyWait     time.Duration // how long an invocation waits for a function that is not ready

	// Endpoint and the rest are set by `up` alone: empty means what AWS's SDK
	// finds in its ordinary places.
	Endpoint, Region, AccessKey, SecretKey string
}

// role is AWS's own pattern for the Role of CreateFunction.
var role = regexp.MustCompile(`^arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+$`)

// bucket is what S3 allows as a name (docs.aws.amazon.com/AmazonS3, "Bucket
// naming rules").
var bucket = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// label is what Kubernetes, and so OpenFaaS, allows as a namespace.
var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// Read returns the configuration that getenv describes, defaults filled in.
// The error names every variable whose value cannot be used.
func Read(getenv func(string) string) (Config, error) {
	v := values{getenv: getenv}
	c := Config{
		Host:               v.text("host", ""),
		Port:               v.number("port", 8080, 0, 65535),
		ReadTimeout:        v.duration("read_timeout", 10*time.Second, time.Second, 24*time.Hour),
		WriteTimeout:       v.duration("write_timeout", 10*time.Second, time.Second, 24*time.Hour),
		ShutdownTimeout:    v.duration("shutdown_timeout", 25*time.Second, 0, 15*time.Minute),
		LogLevel:           v.text("log_level", "info"),
		LogFormat:          v.text("log_format", "text"),
		PprofPort:          v.number("pprof_port", 0, 0, 65535),
		BasicAuth:          v.boolean("basic_auth", false),
		SecretMountPath:    v.text("secret_mount_path", "/run/secrets/"),
		Namespace:          v.text("function_namespace", "openfaas-fn"),
		InsecureRegistries: v.list("insecure_registries"),
		CacheDir:           v.text("cache_dir", ""),
		MaxIdleConns:       v.number("max_idle_conns", 1024, 1, 1<<20),
		Lambda: Lambda{
			Role:          v.text("lambda_execution_role", ""),
			Arch:          v.text("function_arch", "amd64"),
			Memory:        v.number("function_memory", 256, 128, 10240),
			Timeout:       v.duration("function_timeout", time.Minute, time.Second, 900*time.Second),
			DeployTimeout: v.duration("deploy_timeout", 5*time.Minute, time.Second, time.Hour),
			CodeBucket:    v.text("code_bucket", ""),
			SecretStore:   v.text("secret_store", "secretsmanager"),
			PayloadMemory: int64(v.number("payload_memory", 256, 32, 1<<20)) << 20,
			ReadyWait:     v.duration("ready_wait", 10*time.Second, time.Millisecond, 15*time.Minute),
		},
	}
	// Known to users of faas-provider. The one host that we call is AWS.
	c.MaxIdleConns = v.number("max_idle_conns_per_host", c.MaxIdleConns, 1, 1<<20)
	v.match("function_namespace", c.Namespace, label, "lower case letters, digits and -, at most 63")
	if c.Lambda.Role != "" {
		v.match("lambda_execution_role", c.Lambda.Role, role, "the ARN of an IAM role")
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
	if c.CacheDir != "" && !filepath.IsAbs(c.CacheDir) {
		v.bad("cache_dir", c.CacheDir, "an absolute path")
	}
	if c.Lambda.CodeBucket != "" {
		v.match("code_bucket", c.Lambda.CodeBucket, bucket, `the name of an S3 bucket, or "none"`)
	}
	for _, registry := range c.InsecureRegistries {
		if strings.ContainsAny(registry, "/ ") {
			v.bad("insecure_registries", registry, "host or host:port, separated by commas")
		}
	}
	return c, errors.Join(v.errs...)
}

// Serve checks what only a provider against AWS itself needs.
func (c Config) Serve() error {
	if c.Lambda.Role == "" {
		return fmt.Errorf("read configuration: lambda_execution_role is not set: it is the ARN of the IAM role that functions run as")
	}
	return nil
}
