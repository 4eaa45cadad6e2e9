package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// File is what --config names: which backend there is, and its settings. The
// doc tags are the reference in docs/configuration.md.
type File struct {
	Kind       string      `yaml:"backend" doc:"aws, memory, remote or federation; --backend says the same. Without either it is the one section that there is, else aws"`
	AWS        *AWS        `yaml:"aws" doc:"section of the backend aws"`
	Memory     *Memory     `yaml:"memory" doc:"section of the backend memory"`
	Remote     *Remote     `yaml:"remote" doc:"section of the backend remote"`
	Federation *Federation `yaml:"federation" doc:"section of the backend federation"`
}

// AWS is an account and region of AWS. What it leaves out is as the environment
// variables say.
type AWS struct {
	Region              string   `yaml:"region" doc:"AWS region"`
	AssumeRole          string   `yaml:"assumeRole" doc:"ARN of the role to act in, in another account for example; empty means the provider's own credentials"`
	ExecutionRole       string   `yaml:"executionRole" doc:"ARN of the role that functions run as, or managed (lambda_execution_role)"`
	ManagedRolePath     string   `yaml:"managedRolePath" doc:"path of managed roles in IAM (managed_role_path)"`
	ManagedRoleBoundary string   `yaml:"managedRoleBoundary" doc:"name or ARN of the policy that bounds managed roles (managed_role_boundary)"`
	Arch                string   `yaml:"arch" doc:"amd64 or arm64 (function_arch)"`
	Memory              int      `yaml:"memory" doc:"MB of a function without limits.memory (function_memory)"`
	Timeout             Duration `yaml:"timeout" doc:"timeout of a function that says none (function_timeout)"`
	DeployTimeout       Duration `yaml:"deployTimeout" doc:"how long Lambda may take to make a function ready (deploy_timeout)"`
	CodeBucket          string   `yaml:"codeBucket" doc:"S3 bucket, or none (code_bucket)"`
	ImageRepository     string   `yaml:"imageRepository" doc:"where container images of functions are pushed to (image_repository)"`
	AdoptPattern        string   `yaml:"adoptPattern" doc:"names of Lambda functions of other tools that are served too (adopt_pattern)"`
	ReadyWait           Duration `yaml:"readyWait" doc:"how long an invocation waits for a function that is not ready (ready_wait)"`
	Endpoint            string   `yaml:"endpoint" doc:"URL of another AWS, such as the embedded one; it needs region and the access key"`
	AccessKeyID         string   `yaml:"accessKeyId" doc:"access key for endpoint"`
	SecretAccessKey     string   `yaml:"secretAccessKey" doc:"secret of the access key"`
	SecretAccessKeyFile string   `yaml:"secretAccessKeyFile" doc:"file with the secret of the access key, in the place of secretAccessKey"`

	Namespaces []AWSNamespace `yaml:"namespaces" doc:"where the functions of namespaces are; these namespaces are always there"`
}

// AWSNamespace is where the functions of a namespace are.
type AWSNamespace struct {
	Name          string `yaml:"name" doc:"namespace"`
	AssumeRole    string `yaml:"assumeRole" doc:"ARN of the role to act in, in the namespace's own account"`
	Region        string `yaml:"region" doc:"AWS region; empty means that of the section"`
	ExecutionRole string `yaml:"executionRole" doc:"ARN of the role that the namespace's functions run as, or managed"`
}

// Memory is a backend without a platform.
type Memory struct {
	StateFile string `yaml:"stateFile" doc:"file that functions, namespaces and secrets are kept in over a restart; empty keeps them nowhere"`
}

// Remote is another OpenFaaS provider or gateway.
type Remote struct {
	URL                  string   `yaml:"url" doc:"http or https URL of the provider or gateway; required"`
	User                 string   `yaml:"user" doc:"of basic auth"`
	UserFile             string   `yaml:"userFile" doc:"file with the user, in the place of user"`
	Password             string   `yaml:"password" doc:"of basic auth"`
	PasswordFile         string   `yaml:"passwordFile" doc:"file with the password, in the place of password"`
	Token                string   `yaml:"token" doc:"bearer token, in the place of basic auth"`
	TokenFile            string   `yaml:"tokenFile" doc:"file with the bearer token, read again when it changes"`
	AuthorizeInvocations bool     `yaml:"authorizeInvocations" doc:"send the credentials with invocations too; functions then see them. Default false"`
	CAFile               string   `yaml:"caFile" doc:"PEM file of the certificates to trust in the place of the system's"`
	CertFile             string   `yaml:"certFile" doc:"PEM file of the client certificate"`
	KeyFile              string   `yaml:"keyFile" doc:"PEM file of its key"`
	ServerName           string   `yaml:"serverName" doc:"name in the server's certificate, when it is not the URL's host"`
	ConnectTimeout       Duration `yaml:"connectTimeout" doc:"for a connection; default 5s"`
	Timeout              Duration `yaml:"timeout" doc:"for an answer of /system; default 30s"`
	DeployTimeout        Duration `yaml:"deployTimeout" doc:"until a function is ready, or gone; default 10m"`
	InvokeTimeout        Duration `yaml:"invokeTimeout" doc:"until an invocation's answer begins; default none"`
	Retries              *int     `yaml:"retries" doc:"how often a request is repeated of which nothing was sent, 0 to 10; default 2"`
	MaxIdleConns         int      `yaml:"maxIdleConns" doc:"connections that are kept; default 256"`
}

// Federation is a backend made of others.
type Federation struct {
	Name          string   `yaml:"name" doc:"by which a federation around this one knows it"`
	Default       string   `yaml:"default" doc:"name of the child for functions that nothing else puts anywhere; required"`
	Children      []Child  `yaml:"children" doc:"the parts; required"`
	Rules         []Rule   `yaml:"rules" doc:"where functions go that say nothing themselves; the first rule that fits counts"`
	Secrets       string   `yaml:"secrets" doc:"everywhere (default): every child keeps every secret; by-function: those where the namespace's functions are"`
	ListTimeout   Duration `yaml:"listTimeout" doc:"how long a child may take to answer before it is missing from a list; default 2s"`
	Refresh       Duration `yaml:"refresh" doc:"how often children are listed; default 10s"`
	CheckInterval Duration `yaml:"checkInterval" doc:"how often children are checked; default 2s"`
	Failures      int      `yaml:"failures" doc:"invocations in a row that do not reach a child before it counts as down; default 5"`
	Drain         Duration `yaml:"drain" doc:"how long a function that moves waits for invocations at its old place; default 30s"`
	MoveTimeout   Duration `yaml:"moveTimeout" doc:"after which an interrupted move is undone whose new place is not ready; default 10m"`
	BudgetPoll    Duration `yaml:"budgetPoll" doc:"how often the consumption of functions with a budget is asked for; default 1m"`
	ReplayBytes   int      `yaml:"replayBytes" doc:"of a request body, remembered for a second place; default 8388608"`
	ReplayMemory  int      `yaml:"replayMemory" doc:"bytes for all bodies that are remembered; default 268435456"`
}

// Child is one of the backends of a federation. Of aws, memory and remote it has
// one.
type Child struct {
	Name        string    `yaml:"name" doc:"what annotations and rules call it: lower case letters, digits and -; required"`
	AWS         *AWS      `yaml:"aws" doc:"an AWS account and region"`
	Memory      *Memory   `yaml:"memory" doc:"functions in memory"`
	Remote      *Remote   `yaml:"remote" doc:"another provider, gateway or federation"`
	Namespaces  []string  `yaml:"namespaces" doc:"patterns: functions in such a namespace belong here, unless a rule says otherwise"`
	Constraints []string  `yaml:"constraints" doc:"patterns: functions with such a constraint belong here, unless a rule says otherwise"`
	LongestRun  *Duration `yaml:"longestRun" doc:"how long an invocation may last here; a function that says it runs longer goes to its second place. Default 15m for aws, none for others"`
}

// Rule puts functions into a child.
type Rule struct {
	Namespace  string `yaml:"namespace" doc:"pattern of the namespace"`
	Function   string `yaml:"function" doc:"pattern of the name"`
	Image      string `yaml:"image" doc:"pattern of the image"`
	Constraint string `yaml:"constraint" doc:"pattern of one of the constraints"`
	Label      string `yaml:"label" doc:"pattern of one of the labels, as name=value"`
	Annotation string `yaml:"annotation" doc:"pattern of one of the annotations, as name=value"`
	To         string `yaml:"to" doc:"name of the child; required"`
}

// Duration is written as whole seconds, or in Go's form: 30, 1m30s.
type Duration time.Duration

// UnmarshalYAML implements yaml.InterfaceUnmarshaler.
func (d *Duration) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return err
	}
	parsed, err := parseDuration(text)
	if err != nil || parsed < 0 || parsed > 24*time.Hour {
		return fmt.Errorf("%q: want a duration such as 30 or 1m30s, at most 24h", text)
	}
	*d = Duration(parsed)
	return nil
}

// ReadFile adds to c what the file says; kind is the backend of --backend, or
// empty. Without a file the backend has no settings of its own.
func (c Config) ReadFile(path, kind string) (Config, error) {
	var f File
	if path != "" {
		data, err := os.ReadFile(path)
		if err == nil {
			f, err = parseFile(data)
		}
		if err != nil {
			return c, fmt.Errorf("read configuration %s: %w", path, err)
		}
	}
	err := f.choose(kind)
	if err == nil {
		err = f.check()
	}
	if err != nil && path == "" {
		return c, fmt.Errorf("read configuration: %w: --config names the file", err)
	}
	if err != nil {
		return c, fmt.Errorf("read configuration %s: %w", path, err)
	}
	c.File = f
	return c, nil
}

// parseFile reads YAML. A key that is not known is an error with its line.
func parseFile(data []byte) (File, error) {
	var f File
	err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict(), yaml.DisallowUnknownField()).Decode(&f)
	if err != nil && !errors.Is(err, io.EOF) { // an empty file says nothing
		return f, errors.New(strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	return f, nil
}

// kinds are the backends.
var kinds = []string{"aws", "memory", "remote", "federation"}

// choose settles which backend it is.
func (f *File) choose(kind string) error {
	if kind != "" && f.Kind != "" && kind != f.Kind {
		return fmt.Errorf("--backend is %s, and backend in the file is %s", kind, f.Kind)
	}
	if kind != "" {
		f.Kind = kind
	}
	var sections []string
	v := reflect.ValueOf(*f)
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Pointer && !v.Field(i).IsNil() {
			sections = append(sections, v.Type().Field(i).Tag.Get("yaml"))
		}
	}
	switch {
	case f.Kind == "" && len(sections) == 1:
		f.Kind = sections[0]
	case f.Kind == "" && len(sections) == 0:
		f.Kind = "aws"
	case f.Kind == "":
		return fmt.Errorf("it has the sections %s: name one with --backend, or with backend in the file", strings.Join(sections, " and "))
	case !slices.Contains(kinds, f.Kind):
		return fmt.Errorf("backend %q: want %s", f.Kind, strings.Join(kinds, ", "))
	}
	return nil
}
