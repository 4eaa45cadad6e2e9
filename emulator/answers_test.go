package emulator

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestDescribeParameters(t *testing.T) {
	h := start(t, Options{})
	for name, team := range map[string]string{"/a/one": "x", "/a/two": "y", "/a/b/three": "x", "/c": "x"} {
		if status, got := h.ask("AmazonSSM.PutParameter", `{"Name":"`+name+`","Value":"v","Type":"SecureString","Tags":[{"Key":"team","Value":"`+team+`"}]}`); status != 200 {
			t.Fatalf("%d %v", status, got)
		}
	}
	for _, c := range []struct {
		name, in string
		status   int
		names    []string
		more     bool
	}{
		{"all", `{}`, 200, []string{"/a/b/three", "/a/one", "/a/two", "/c"}, false},
		{"a page", `{"MaxResults":2}`, 200, []string{"/a/b/three", "/a/one"}, true},
		{"the next", `{"NextToken":"/a/two"}`, 200, []string{"/a/two", "/c"}, false},
		{"of a path", `{"ParameterFilters":[{"Key":"Path","Option":"OneLevel","Values":["/a"]}]}`, 200, []string{"/a/one", "/a/two"}, false},
		{"below a path", `{"ParameterFilters":[{"Key":"Path","Option":"Recursive","Values":["/a/"]}]}`, 200, []string{"/a/b/three", "/a/one", "/a/two"}, false},
		{"by path and tag", `{"ParameterFilters":[{"Key":"Path","Values":["/a"]},{"Key":"tag:team","Option":"Equals","Values":["x"]}]}`, 200, []string{"/a/one"}, false},
		{"by name", `{"ParameterFilters":[{"Key":"Name","Option":"Equals","Values":["/c","/d"]}]}`, 200, []string{"/c"}, false},
		{"by the name's beginning", `{"ParameterFilters":[{"Key":"Name","Option":"BeginsWith","Values":["/a/t"]}]}`, 200, []string{"/a/two"}, false},
		{"by something else", `{"ParameterFilters":[{"Key":"Mood","Values":["good"]}]}`, 400, nil, false},
		{"too many", `{"MaxResults":51}`, 400, nil, false},
	} {
		status, got := h.ask("AmazonSSM.DescribeParameters", c.in)
		list, _ := got["Parameters"].([]any)
		if status != c.status || len(list) != len(c.names) || (got["NextToken"] != nil) != c.more {
			t.Errorf("%s: %d %v", c.name, status, got)
			continue
		}
		for i, p := range list {
			if p := p.(map[string]any); p["Name"] != c.names[i] || p["Value"] != nil {
				t.Errorf("%s: %v, want %s without a value", c.name, p, c.names[i])
			}
		}
	}
}

func TestRuntimeManagement(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.deploy("f", func(in *lambda.CreateFunctionInput) { in.Publish = true })
	get := func(qualifier string) string {
		t.Helper()
		out, err := h.client.GetRuntimeManagementConfig(t.Context(), &lambda.GetRuntimeManagementConfigInput{FunctionName: aws.String("f"), Qualifier: aws.String(qualifier)})
		if err != nil {
			t.Fatal(err)
		}
		return string(out.UpdateRuntimeOn) + " " + aws.ToString(out.FunctionArn)
	}
	if got := get("1"); got != "Auto "+testARN+"f:1" {
		t.Errorf("at first: %s", got)
	}
	put := func(name string, on types.UpdateRuntimeOn) error {
		_, err := h.client.PutRuntimeManagementConfig(t.Context(), &lambda.PutRuntimeManagementConfigInput{FunctionName: &name, Qualifier: aws.String("1"), UpdateRuntimeOn: on})
		return err
	}
	if err := put("f", types.UpdateRuntimeOnFunctionUpdate); err != nil {
		t.Fatal(err)
	}
	if got := get("1") + ", " + get("$LATEST"); got != "FunctionUpdate "+testARN+"f:1, Auto "+testARN+"f:$LATEST" {
		t.Errorf("then: %s", got)
	}
	wantError(t, put("f", "Never"), "ValidationException", "updateRuntimeOn")
	wantError(t, put("f", types.UpdateRuntimeOnManual), "InvalidParameterValueException", "RuntimeVersionArn")
	wantError(t, put("none", types.UpdateRuntimeOnAuto), "ResourceNotFoundException", "Function not found")
}
