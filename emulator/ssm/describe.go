package ssm

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

type parameterFilter struct {
	Key, Option string
	Values      []string
}

type parameterMetadata struct {
	Name, ARN, Type, DataType, Tier string
	Description                     string `json:",omitempty"`
	Version                         int64
	LastModifiedDate                wire.Time
}

type describedParameters struct {
	Parameters []parameterMetadata
	NextToken  string `json:",omitempty"`
}

// maxDescribed is how many parameters one answer holds (SSM API reference, DescribeParameters).
const maxDescribed = 50

// describeParameters answers the parameters that pass every filter, in the order of their names, without their values.
func (m *Store) describeParameters(_ context.Context, in *struct {
	ParameterFilters []parameterFilter
	NextToken        string
	MaxResults       int
}) (describedParameters, error) {
	if in.MaxResults < 0 || in.MaxResults > maxDescribed {
		return describedParameters{}, refused("ValidationException", "1 validation error detected: Value '"+strconv.Itoa(in.MaxResults)+"' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 50")
	}
	if in.MaxResults == 0 {
		in.MaxResults = maxDescribed
	}
	m.kept.Lock()
	defer m.kept.Unlock()
	out := describedParameters{Parameters: []parameterMetadata{}}
	for _, name := range slices.Sorted(maps.Keys(m.kept.All)) {
		p := m.kept.All[name]
		passes := name >= in.NextToken
		for _, f := range in.ParameterFilters {
			ok, err := f.passes(p)
			if err != nil {
				return describedParameters{}, err
			}
			passes = passes && ok
		}
		if !passes {
			continue
		}
		if len(out.Parameters) == in.MaxResults {
			out.NextToken = name
			break
		}
		out.Parameters = append(out.Parameters, parameterMetadata{
			Name: name, ARN: m.arn(name), Type: p.Type, DataType: p.DataType, Tier: "Standard", Description: p.Description, Version: p.Version,
			LastModifiedDate: wire.Time{Time: p.Modified},
		})
	}
	return out, nil
}

// passes tells whether a filter lets a parameter through (SSM API reference, ParameterStringFilter).
func (f parameterFilter) passes(p *parameter) (bool, error) {
	some := func(is func(string) bool) bool { return slices.ContainsFunc(f.Values, is) }
	key, isTag := strings.CutPrefix(f.Key, "tag:")
	switch {
	case isTag:
		return slices.ContainsFunc(p.Tags, func(t tag) bool { return t.Key == key && (len(f.Values) == 0 || slices.Contains(f.Values, t.Value)) }), nil
	case f.Key == "Type":
		return slices.Contains(f.Values, p.Type), nil
	case f.Key == "Path":
		return some(func(path string) bool {
			rest, below := strings.CutPrefix(p.Name, strings.TrimSuffix(path, "/")+"/")
			return below && (f.Option == "Recursive" || !strings.Contains(rest, "/"))
		}), nil
	case f.Key == "Name" && f.Option == "BeginsWith":
		return some(func(prefix string) bool { return strings.HasPrefix(p.Name, prefix) }), nil
	case f.Key == "Name" && f.Option == "Contains":
		return some(func(part string) bool { return strings.Contains(p.Name, part) }), nil
	case f.Key == "Name":
		return slices.Contains(f.Values, p.Name), nil
	}
	return false, refused("InvalidFilterKey", "The embedded AWS does not filter parameters by "+f.Key+".")
}
