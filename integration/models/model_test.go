package models

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// model is a service's, as botocore writes it.
// https://github.com/boto/botocore/blob/develop/docs/source/development/designnotes.rst
type model struct {
	Metadata struct {
		Protocol, JSONVersion, TargetPrefix, XMLNamespace, APIVersion string

		AWSQueryCompatible *struct{} // codes of the query protocol are answered in a header, too
	}
	Operations map[string]*operation
	Shapes     map[string]*shape
}

type operation struct {
	Name string
	HTTP struct {
		Method, RequestURI string
		ResponseCode       int
	}
	Input, Output struct {
		Shape, ResultWrapper, LocationName string
		XMLNamespace                       struct{ URI string }
	}
	Errors []struct{ Shape string }
}

type shape struct {
	Type            string
	Members         map[string]*member
	Member          *member // of a list
	Key, Value      *member // of a map
	Required, Enum  []string
	Payload         string
	TimestampFormat string
	Flattened       bool
	EventStream     bool
	Error           struct {
		Code           string
		HTTPStatusCode int
	}
}

type member struct {
	Shape, Location, LocationName, TimestampFormat string
	XMLAttribute, Flattened, Streaming             bool
}

// name is what a member is called on the wire.
func (m *member) name(own string) string {
	if m.LocationName != "" {
		return m.LocationName
	}
	return own
}

// published are the versions of the models, by the names that services have in signatures.
var published = map[string]string{
	"lambda": "lambda/2015-03-31", "secretsmanager": "secretsmanager/2017-10-17", "ssm": "ssm/2014-11-06", "logs": "logs/2014-03-28",
	"monitoring": "cloudwatch/2010-08-01", "s3": "s3/2006-03-01", "ecr": "ecr/2015-09-21", "sts": "sts/2011-06-15", "iam": "iam/2010-05-08",
	"sqs": "sqs/2012-11-05", "sns": "sns/2010-03-31", "events": "events/2015-10-07", "tagging": "resourcegroupstaggingapi/2017-01-26",
}

// load reads a service's model below a directory that integration/tools.sh makes.
func load(dir, service string) (_ *model, err error) {
	f, err := os.Open(filepath.Join(dir, published[service], "service-2.json.gz"))
	if err != nil {
		return nil, fmt.Errorf("AWS's API models are not installed, run integration/tools.sh models: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("read model of %s: %w", service, err)
	}
	m := &model{}
	if err := json.NewDecoder(unzipped).Decode(m); err != nil {
		return nil, fmt.Errorf("read model of %s: %w", service, err)
	}
	if m.Metadata.Protocol == "smithy-rpc-v2-cbor" { // CloudWatch, which speaks JSON too
		m.Metadata.Protocol = "json"
	}
	return m, nil
}

// errorOf returns the shape of an error that an operation declares; nil if it declares none of that code.
func (m *model) errorOf(o *operation, code string) *shape {
	for _, e := range o.Errors {
		if s := m.Shapes[e.Shape]; e.Shape == code || s.Error.Code == code {
			return s
		}
	}
	return nil
}
