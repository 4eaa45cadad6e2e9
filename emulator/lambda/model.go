package lambda

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// The shapes below are those of AWS's API model for Lambda (2015-03-31), as far as this emulator fills them.

type configuration struct {
	FunctionName               string
	FunctionArn                string
	Runtime                    string `json:",omitempty"`
	Role                       string
	Handler                    string `json:",omitempty"`
	CodeSize                   int64
	Description                string
	Timeout                    int
	MemorySize                 int
	LastModified               string
	CodeSha256                 string
	Version                    string
	DeadLetterConfig           *deadLetter  `json:",omitempty"`
	Environment                *environment `json:",omitempty"`
	KMSKeyArn                  string       `json:",omitempty"`
	TracingConfig              tracing
	RevisionId                 string
	State                      string `json:",omitempty"`
	StateReason                string `json:",omitempty"`
	StateReasonCode            string `json:",omitempty"`
	LastUpdateStatus           string `json:",omitempty"`
	LastUpdateStatusReason     string `json:",omitempty"`
	LastUpdateStatusReasonCode string `json:",omitempty"`
	PackageType                string
	Architectures              []string
	EphemeralStorage           storage
	SnapStart                  snapStart
	RuntimeVersionConfig       *runtimeVersion      `json:",omitempty"`
	Layers                     []layerUse           `json:",omitempty"`
	ImageConfigResponse        *imageConfigResponse `json:",omitempty"`
	LoggingConfig              logging
}

type (
	deadLetter     struct{ TargetArn string }
	environment    struct{ Variables map[string]string }
	tracing        struct{ Mode string }
	storage        struct{ Size int }
	runtimeVersion struct{ RuntimeVersionArn string }
	layerUse       struct {
		Arn      string
		CodeSize int64
	}
	snapStart struct {
		ApplyOn            string
		OptimizationStatus string
	}
	logging struct {
		LogFormat           string
		ApplicationLogLevel string `json:",omitempty"`
		SystemLogLevel      string `json:",omitempty"`
		LogGroup            string
	}
)

// clone shares nothing that is ever changed in place.
func (c configuration) clone() configuration {
	c.Architectures = slices.Clone(c.Architectures)
	if c.Environment != nil {
		c.Environment = &environment{Variables: maps.Clone(c.Environment.Variables)}
	}
	return c
}

// listed leaves out what ListFunctions does not tell.
func (c configuration) listed() configuration {
	c.State, c.StateReason, c.StateReasonCode = "", "", ""
	c.LastUpdateStatus, c.LastUpdateStatusReason, c.LastUpdateStatusReasonCode = "", "", ""
	c.RuntimeVersionConfig = nil
	return c
}

func (c configuration) variables() map[string]string {
	if c.Environment == nil {
		return nil
	}
	return c.Environment.Variables
}

// settings are the parameters that CreateFunction and UpdateFunctionConfiguration share; nil means not given.
type settings struct {
	Role              *string
	Handler           *string
	Description       *string
	Timeout           *int
	MemorySize        *int
	Runtime           *string
	KMSKeyArn         *string
	Environment       *rawEnvironment
	TracingConfig     *tracing
	DeadLetterConfig  *deadLetter
	EphemeralStorage  *storage
	SnapStart         *snapStart
	LoggingConfig     *logging
	Layers            []string
	VpcConfig         *struct{ SubnetIds, SecurityGroupIds []string }
	FileSystemConfigs []json.RawMessage
	ImageConfig       *imageConfig
}

// rawEnvironment keeps the variables as they came: their size is measured in their order.
type rawEnvironment struct{ Variables json.RawMessage }

type codeSource struct {
	ZipFile         []byte
	S3Bucket        string
	S3Key           string
	S3ObjectVersion string
	ImageUri        string
	Architectures   []string
}

type createRequest struct {
	settings
	FunctionName  *string
	Code          *codeSource
	Publish       bool
	PackageType   string
	Tags          map[string]string
	Architectures []string
}

type updateCodeRequest struct {
	codeSource
	Publish    bool
	DryRun     bool
	RevisionId string
}

type updateConfigRequest struct {
	settings
	RevisionId string
}

// timestamp formats as Lambda does in LastModified.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000-0700") }
