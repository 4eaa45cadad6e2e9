package ssm

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

func (p *parameter) value(arn string) parameterValue {
	return parameterValue{Name: p.Name, Type: p.Type, Value: p.Value, Version: p.Version, LastModifiedDate: wire.Time{Time: p.Modified}, ARN: arn, DataType: p.DataType}
}

type parametersByPath struct {
	Parameters []parameterValue
	NextToken  string `json:",omitempty"`
}

// maxByPath is how many parameters one answer holds (SSM API reference, GetParametersByPath).
const maxByPath = 10

// getParametersByPath answers what lies directly below a path, or anywhere below it, in the order of the names.
func (m *Store) getParametersByPath(_ context.Context, in *struct {
	Path, NextToken           string
	Recursive, WithDecryption bool
	MaxResults                int
}) (parametersByPath, error) {
	if !strings.HasPrefix(in.Path, "/") {
		return parametersByPath{}, refused("ValidationException", "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\".")
	}
	if in.MaxResults < 0 || in.MaxResults > maxByPath {
		return parametersByPath{}, refused("ValidationException", "1 validation error detected: Value '"+strconv.Itoa(in.MaxResults)+"' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 10")
	}
	if in.MaxResults == 0 {
		in.MaxResults = maxByPath
	}
	m.kept.Lock()
	defer m.kept.Unlock()
	prefix := strings.TrimSuffix(in.Path, "/") + "/"
	out := parametersByPath{Parameters: []parameterValue{}}
	for _, name := range slices.Sorted(maps.Keys(m.kept.All)) {
		rest, below := strings.CutPrefix(name, prefix)
		if !below || strings.Contains(rest, "/") && !in.Recursive || name < in.NextToken {
			continue
		}
		if len(out.Parameters) == in.MaxResults {
			out.NextToken = name
			break
		}
		p := m.kept.All[name]
		v := p.value(m.arn(name))
		if p.Type == "SecureString" && !in.WithDecryption {
			v.Value = sealed(p.Value)
		}
		out.Parameters = append(out.Parameters, v)
	}
	return out, nil
}
