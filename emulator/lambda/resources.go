package lambda

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// The Resource Groups Tagging API as far as it is about Lambda functions: which of them bear a tag.

type tagFilter struct {
	Key    string
	Values []string
}

type tag struct{ Key, Value string }

type taggedResource struct {
	ResourceARN string
	Tags        []tag
}

type resourcesAnswer struct {
	PaginationToken        string
	ResourceTagMappingList []taggedResource
}

// maxResources is how many resources one answer holds (API reference, GetResources).
const maxResources = 100

// TaggingAPI answers the operations of the Resource Groups Tagging API.
func (s *Service) TaggingAPI() http.Handler {
	service := wire.NewService("")
	wire.Handle(service, "GetResources", s.getResources)
	return service
}

// getResources answers the functions that fit every filter, in the order of their ARNs. As on AWS those without tags are none.
func (s *Service) getResources(_ context.Context, in *struct {
	PaginationToken     string
	ResourcesPerPage    int
	ResourceTypeFilters []string
	TagFilters          []tagFilter
}) (resourcesAnswer, error) {
	if in.ResourcesPerPage < 0 || in.ResourcesPerPage > maxResources {
		return resourcesAnswer{}, &wire.Error{Code: "InvalidParameterException", Message: "ResourcesPerPage must be between 1 and 100.", Capital: true}
	}
	if in.ResourcesPerPage == 0 {
		in.ResourcesPerPage = maxResources
	}
	out := resourcesAnswer{ResourceTagMappingList: []taggedResource{}}
	if len(in.ResourceTypeFilters) > 0 && !slices.Contains(in.ResourceTypeFilters, "lambda") && !slices.Contains(in.ResourceTypeFilters, "lambda:function") {
		return out, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.functions)) {
		f := s.functions[name]
		if name < in.PaginationToken || len(f.Tags) == 0 || !fits(f.Tags, in.TagFilters) {
			continue
		}
		if len(out.ResourceTagMappingList) == in.ResourcesPerPage {
			out.PaginationToken = name
			break
		}
		r := taggedResource{ResourceARN: s.arn(name)}
		for _, key := range slices.Sorted(maps.Keys(f.Tags)) {
			r.Tags = append(r.Tags, tag{key, f.Tags[key]})
		}
		out.ResourceTagMappingList = append(out.ResourceTagMappingList, r)
	}
	return out, nil
}

// fits reports whether there is a tag for every filter, with one of its values if it names any.
func fits(tags map[string]string, filters []tagFilter) bool {
	return !slices.ContainsFunc(filters, func(f tagFilter) bool {
		value, ok := tags[f.Key]
		return !ok || len(f.Values) > 0 && !slices.Contains(f.Values, value)
	})
}
