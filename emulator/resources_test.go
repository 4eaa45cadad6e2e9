package emulator

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

func TestParametersByPath(t *testing.T) {
	h := start(t, Options{})
	for _, name := range []string{"/a/one", "/a/two", "/a/three/deep", "/ab", "/b"} {
		if status, got := h.ask("AmazonSSM.PutParameter", `{"Name":"`+name+`","Value":"v","Type":"SecureString"}`); status != 200 {
			t.Fatalf("%d %v", status, got)
		}
	}
	for _, c := range []struct {
		name, in string
		status   int
		names    []string
		more     bool
	}{
		{"one level", `{"Path":"/a"}`, 200, []string{"/a/one", "/a/two"}, false},
		{"with a slash at the end", `{"Path":"/a/"}`, 200, []string{"/a/one", "/a/two"}, false},
		{"all levels", `{"Path":"/a","Recursive":true}`, 200, []string{"/a/one", "/a/three/deep", "/a/two"}, false},
		{"a page", `{"Path":"/","Recursive":true,"MaxResults":2}`, 200, []string{"/a/one", "/a/three/deep"}, true},
		{"the next page", `{"Path":"/","Recursive":true,"NextToken":"/a/two"}`, 200, []string{"/a/two", "/ab", "/b"}, false},
		{"nothing", `{"Path":"/c"}`, 200, nil, false},
		{"no slash", `{"Path":"a"}`, 400, nil, false},
		{"too many", `{"Path":"/a","MaxResults":11}`, 400, nil, false},
	} {
		status, got := h.ask("AmazonSSM.GetParametersByPath", c.in)
		list, _ := got["Parameters"].([]any)
		if status != c.status || len(list) != len(c.names) || (got["NextToken"] != nil) != c.more {
			t.Errorf("%s: %d %v", c.name, status, got)
			continue
		}
		for i, p := range list {
			if p := p.(map[string]any); p["Name"] != c.names[i] || p["Value"] == "v" {
				t.Errorf("%s: %v, want %s, sealed", c.name, p, c.names[i])
			}
		}
	}
}

func TestTaggedResources(t *testing.T) {
	h := start(t, Options{})
	for name, tags := range map[string]map[string]string{"a": {"k": "1"}, "b": {"k": "2", "l": "x"}, "c": {"l": "y"}, "d": nil} {
		h.deploy(name, func(in *lambda.CreateFunctionInput) { in.Tags = tags })
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
		status, got := h.ask("ResourceGroupsTaggingAPI_20170126.GetResources", c.in)
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
