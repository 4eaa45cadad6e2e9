package ssm

import (
	"net/http"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/emulator/wire/wiretest"
)

func open(t testing.TB, dir string) http.Handler {
	t.Helper()
	parameters, err := Open(Options{Dir: dir, Region: "us-east-1", Account: "000000000000"})
	if err != nil {
		t.Fatal(err)
	}
	return parameters.API()
}

func TestDescribeParameters(t *testing.T) {
	api := open(t, t.TempDir())
	for name, team := range map[string]string{"/a/one": "x", "/a/two": "y", "/a/b/three": "x", "/c": "x"} {
		if status, got := wiretest.Ask(t, api, "PutParameter", `{"Name":"`+name+`","Value":"v","Type":"SecureString","Tags":[{"Key":"team","Value":"`+team+`"}]}`); status != 200 {
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
		status, got := wiretest.Ask(t, api, "DescribeParameters", c.in)
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

func TestParametersByPath(t *testing.T) {
	api := open(t, t.TempDir())
	for _, name := range []string{"/a/one", "/a/two", "/a/three/deep", "/ab", "/b"} {
		if status, got := wiretest.Ask(t, api, "PutParameter", `{"Name":"`+name+`","Value":"v","Type":"SecureString"}`); status != 200 {
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
		status, got := wiretest.Ask(t, api, "GetParametersByPath", c.in)
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

func TestParameterStore(t *testing.T) {
	t.Parallel()
	const arn = `"ARN":"arn:aws:ssm:us-east-1:000000000000:parameter/a/b"`
	api := open(t, t.TempDir())
	wiretest.Steps(t, api, [][4]string{
		{"missing", "GetParameter", `{"Name":"/a/b"}`, `400 {"__type":"ParameterNotFound"}`},
		{"no type", "PutParameter", `{"Name":"/a/b","Value":"x"}`, `400 {"__type":"ValidationException","message":"A parameter type is required when you create a parameter."}`},
		{"relative", "PutParameter", `{"Name":"a/b","Value":"x","Type":"String"}`, `400 {"__type":"ValidationException","message":"Parameter name must be a fully qualified name."}`},
		{"put", "PutParameter", `{"Name":"/a/b","Value":"one","Type":"SecureString"}`, `200 {"Tier":"Standard","Version":1}`},
		{"again", "PutParameter", `{"Name":"/a/b","Value":"x","Type":"String"}`, `400 {"__type":"ParameterAlreadyExists","message":"The parameter already exists. To overwrite this value, set the overwrite option in the request to true."}`},
		{"overwrite", "PutParameter", `{"Name":"/a/b","Value":"two","Overwrite":true}`, `200 {"Tier":"Standard","Version":2}`},
		{"decrypted", "GetParameter", `{"Name":"/a/b","WithDecryption":true}`, `200 {"Parameter":{` + arn + `,"DataType":"text","LastModifiedDate":TIME,"Name":"/a/b","Type":"SecureString","Value":"two","Version":2}}`},
		{"by ARN", "GetParameter", `{"Name":"arn:aws:ssm:us-east-1:000000000000:parameter/a/b","WithDecryption":true}`, `200 {"Parameter":{` + arn + `,"DataType":"text","LastModifiedDate":TIME,"Name":"/a/b","Type":"SecureString","Value":"two","Version":2}}`},
		{"sealed", "GetParameter", `{"Name":"/a/b"}`, `200 {"Parameter":{` + arn + `,"DataType":"text","LastModifiedDate":TIME,"Name":"/a/b","Type":"SecureString","Value":"AQICAHP8TM/nRYcOLA2Z9x8w/wZWyN7dQcwdfT03aw2+aF4vM=","Version":2}}`},
		{"too long", "PutParameter", `{"Name":"/c","Type":"String","Value":"` + strings.Repeat("x", 4097) + `"}`, `400 {"__type":"ValidationException","message":"Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier."}`},
		{"delete", "DeleteParameter", `{"Name":"/a/b"}`, `200 {}`},
		{"delete again", "DeleteParameter", `{"Name":"/a/b"}`, `400 {"__type":"ParameterNotFound"}`},
	})
}

func TestParametersSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wiretest.Ask(t, open(t, dir), "PutParameter", `{"Name":"/p","Value":"two","Type":"SecureString"}`)
	if _, got := wiretest.Ask(t, open(t, dir), "GetParameter", `{"Name":"/p","WithDecryption":true}`); got["Parameter"].(map[string]any)["Value"] != "two" {
		t.Errorf("parameter %v", got)
	}
}

func FuzzAPI(f *testing.F) {
	wiretest.Fuzz(f, open(f, f.TempDir()), map[string]string{
		"PutParameter": `{"Name":"/a","Value":"v","Type":"String"}`, "GetParameter": `{"Name":"arn:aws:ssm:r:1:parameter"}`, "DescribeParameters": `{"MaxResults":1}`,
	})
}
