package lambda

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/faas-lambda/faas-lambda/emulator/wire/wiretest"
)

func TestTaggedResources(t *testing.T) {
	h := start(t, Options{})
	for name, tags := range map[string]map[string]string{"a": {"k": "1"}, "b": {"k": "2", "l": "x"}, "c": {"l": "y"}, "d": nil} {
		h.Deploy(name, func(in *lambda.CreateFunctionInput) { in.Tags = tags })
	}
	for _, c := range []struct {
		name, in string
		status   int
		arns     string
		more     bool
	}{
		{"all with tags", `{}`, 200, "abc", false},
		{"by key", `{"ResourceTypeFilters":["lambda:function"],"TagFilters":[{"Key":"k"}]}`, 200, "ab", false},
		{"by value", `{"TagFilters":[{"Key":"k","Values":["2","3"]}]}`, 200, "b", false},
		{"by two keys", `{"TagFilters":[{"Key":"k"},{"Key":"l"}]}`, 200, "b", false},
		{"of another service", `{"ResourceTypeFilters":["s3"]}`, 200, "", false},
		{"a page", `{"ResourcesPerPage":2}`, 200, "ab", true},
		{"the next page", `{"PaginationToken":"c"}`, 200, "c", false},
		{"too many", `{"ResourcesPerPage":101}`, 400, "", false},
	} {
		status, got := wiretest.Ask(t, h.TaggingAPI(), "GetResources", c.in)
		list, _ := got["ResourceTagMappingList"].([]any)
		arns := ""
		for _, r := range list {
			arn := r.(map[string]any)["ResourceARN"].(string)
			arns += arn[len(arn)-1:]
		}
		if token, _ := got["PaginationToken"].(string); status != c.status || arns != c.arns || (token != "") != c.more {
			t.Errorf("%s: %d %v", c.name, status, got)
		}
	}
}
