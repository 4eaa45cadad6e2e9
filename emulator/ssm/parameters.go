// Package ssm is the Parameter Store of AWS Systems Manager as far as functions and this project call it: the newest version of each parameter, kept
// on disk unencrypted.
package ssm

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/keep"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// parameter is one parameter as it is kept: its newest version.
type parameter struct {
	Name, Type, Value, Description, DataType string
	Version                                  int64
	Modified                                 time.Time
	Tags                                     []tag
}

type tag struct{ Key, Value string }

// Options configure a store.
type Options struct {
	Dir             string // holds the parameters across restarts; made if need be
	Account, Region string
}

// Store is the parameters of an account in a region. Its methods may be called at the same time.
type Store struct {
	opts Options
	kept *keep.Documents[parameter] // by name
}

// Open returns a store with what the directory holds.
func Open(opts Options) (*Store, error) {
	kept, err := keep.OpenDocuments(opts.Dir, func(p *parameter) string { return p.Name })
	if err != nil {
		return nil, err
	}
	return &Store{opts, kept}, nil
}

// API answers the operations of Parameter Store, over AWS JSON 1.1.
func (m *Store) API() http.Handler {
	service := wire.NewService("")
	wire.Handle(service, "PutParameter", m.putParameter)
	wire.Handle(service, "GetParameter", m.getParameter)
	wire.Handle(service, "GetParametersByPath", m.getParametersByPath)
	wire.Handle(service, "DescribeParameters", m.describeParameters)
	wire.Handle(service, "DeleteParameter", m.deleteParameter)
	return service
}

// refused is the error for what is the caller's fault.
func refused(code, message string) *wire.Error { return &wire.Error{Code: code, Message: message} }

var parameterName = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

// maxParameter is how long a value may be, by tier.
var maxParameter = map[string]int{"": 4096, "Standard": 4096, "Intelligent-Tiering": 8192, "Advanced": 8192}

type parameterPut struct {
	Version int64
	Tier    string
}

func (m *Store) putParameter(_ context.Context, in *struct {
	Name, Value, Type, Description, Tier, DataType string
	Overwrite                                      bool
	Tags                                           []tag
}) (parameterPut, error) {
	longest, ok := maxParameter[in.Tier]
	switch {
	case !parameterName.MatchString(in.Name) || len(in.Name) > 1011:
		return parameterPut{}, refused("ValidationException", "Parameter name must not be empty and may hold a mix of letters, numbers and the following symbols .-_/")
	case strings.Contains(in.Name, "/") && !strings.HasPrefix(in.Name, "/"):
		return parameterPut{}, refused("ValidationException", "Parameter name must be a fully qualified name.")
	case !ok:
		return parameterPut{}, refused("ValidationException", "1 validation error detected: Value '"+in.Tier+"' at 'tier' failed to satisfy constraint: Member must satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]")
	case in.Value == "":
		return parameterPut{}, refused("ValidationException", "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.")
	case len(in.Value) > longest && longest == 4096:
		return parameterPut{}, refused("ValidationException", "Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.")
	case len(in.Value) > longest:
		return parameterPut{}, refused("ValidationException", fmt.Sprintf("1 validation error detected: Value at 'value' failed to satisfy constraint: Member must have length less than or equal to %d.", longest))
	case in.Overwrite && len(in.Tags) > 0:
		return parameterPut{}, refused("ValidationException", "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	}
	m.kept.Lock()
	defer m.kept.Unlock()
	p := &parameter{Name: in.Name, Type: in.Type, Value: in.Value, Description: in.Description, DataType: in.DataType, Version: 1, Modified: time.Now(), Tags: in.Tags}
	if old := m.kept.All[in.Name]; old != nil {
		if !in.Overwrite {
			return parameterPut{}, refused("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
		}
		p.Version, p.Tags = old.Version+1, old.Tags
		if p.Type == "" {
			p.Type = old.Type
		}
	}
	switch p.Type {
	case "String", "StringList", "SecureString":
	case "":
		return parameterPut{}, refused("ValidationException", "A parameter type is required when you create a parameter.")
	default:
		return parameterPut{}, refused("ValidationException", "1 validation error detected: Value '"+p.Type+"' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [SecureString, StringList, String]")
	}
	if p.DataType == "" {
		p.DataType = "text"
	}
	tier := in.Tier
	if tier == "" || tier == "Intelligent-Tiering" {
		tier = "Standard"
	}
	return parameterPut{Version: p.Version, Tier: tier}, m.kept.Put(p.Name, p)
}

// find returns the parameter of a name or ARN, whose name may lack the slash that follows "parameter". The caller holds the lock.
func (m *Store) find(id string) *parameter {
	if name, ok := strings.CutPrefix(id, fmt.Sprintf("arn:aws:ssm:%s:%s:parameter", m.opts.Region, m.opts.Account)); ok {
		if p := m.kept.All[name]; p != nil {
			return p
		}
		return m.kept.All[strings.TrimPrefix(name, "/")]
	}
	return m.kept.All[id]
}

func (m *Store) arn(name string) string {
	return fmt.Sprintf("arn:aws:ssm:%s:%s:parameter/%s", m.opts.Region, m.opts.Account, strings.TrimPrefix(name, "/"))
}

type parameterValue struct {
	Name, Type, Value string
	Version           int64
	LastModifiedDate  wire.Time
	ARN, DataType     string
}

type parameterGot struct{ Parameter parameterValue }

// getParameter answers the value itself of a SecureString only when it is asked to decrypt it.
func (m *Store) getParameter(_ context.Context, in *struct {
	Name           string
	WithDecryption bool
}) (parameterGot, error) {
	m.kept.Lock()
	defer m.kept.Unlock()
	p := m.find(in.Name)
	if p == nil {
		return parameterGot{}, refused("ParameterNotFound", "")
	}
	v := p.value(m.arn(p.Name))
	if p.Type == "SecureString" && !in.WithDecryption {
		v.Value = sealed(p.Value)
	}
	return parameterGot{v}, nil
}

// sealed is what is shown of a SecureString that is not to be decrypted.
func sealed(value string) string {
	sum := sha256.Sum256([]byte(value))
	return "AQICAH" + base64.StdEncoding.EncodeToString(sum[:]) // as KMS's begin
}

func (m *Store) deleteParameter(_ context.Context, in *struct{ Name string }) (struct{}, error) {
	m.kept.Lock()
	defer m.kept.Unlock()
	if m.kept.All[in.Name] == nil {
		return struct{}{}, refused("ParameterNotFound", "")
	}
	return struct{}{}, m.kept.Remove(in.Name)
}
