package lambda

import (
	"errors"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	t.Parallel()
	s := &Service{opts: Options{Region: "us-east-1", Account: "000000000000"}}
	const arn = "arn:aws:lambda:us-east-1:000000000000:function:my-function"
	const pattern = "failed to satisfy constraint: Member must satisfy regular expression pattern: "
	for _, test := range []struct {
		name, value, qualifier string
		want                   ref
		err                    string
	}{
		{"name", "my-function", "", ref{name: "my-function"}, ""},
		{"name and version", "my-function:1", "", ref{name: "my-function", qualifier: "1"}, ""},
		{"name and latest", "my-function:$LATEST", "$LATEST", ref{name: "my-function", qualifier: "$LATEST"}, ""},
		{"partial ARN", "000000000000:function:my-function", "", ref{name: "my-function", account: "000000000000"}, ""},
		{"partial ARN without function", "000000000000:my-function", "", ref{name: "my-function", account: "000000000000"}, ""},
		{"function and name", "function:my-function:a", "", ref{name: "my-function", qualifier: "a"}, ""},
		{"ARN", arn, "", ref{name: "my-function", region: "us-east-1", account: "000000000000"}, ""},
		{"ARN and qualifier", arn + ":v", "", ref{name: "my-function", region: "us-east-1", account: "000000000000", qualifier: "v"}, ""},
		{"incomplete ARN is a name", "function", "", ref{name: "function"}, ""},
		{"long name is only not found", strings.Repeat("a", 65), "", ref{name: strings.Repeat("a", 65)}, ""},
		{"lower case latest", arn, "$latest", ref{name: "my-function", region: "us-east-1", account: "000000000000", qualifier: "$latest"}, ""},
		{"star", "*", "", ref{}, "ValidationException: 1 validation error detected: Value '*' at 'functionName' " + pattern + namePattern},
		{"character", "my-function!", "", ref{}, "'my-function!' at 'functionName' " + pattern},
		{"character in qualifier", "f", "invalid!", ref{}, "Value 'invalid!' at 'qualifier' " + pattern + qualifierPattern},
		{"long qualifier", "f", strings.Repeat("a", 129), ref{}, "at 'qualifier' failed to satisfy constraint: Member must have length less than or equal to 128"},
		{"both", "arn:aws:lambda:invalid-region:000000000000:function:f", strings.Repeat("a", 129), ref{}, "2 validation errors detected: Value '" + strings.Repeat("a", 129) + "' at 'qualifier'"},
		{"account", "invalid-account:function:my-function", "", ref{}, pattern},
		{"region", "arn:aws:lambda:invalid-region:000000000000:function:my-function", "", ref{}, pattern},
		{"no region", "arn:aws:lambda::000000000000:function:my-function", "", ref{}, pattern},
		{"no account", "arn:aws:lambda:us-east-1::function:my-function", "", ref{}, pattern},
		{"other service", "arn:aws:ec2:us-east-1:000000000000:instance:i-1", "", ref{}, pattern},
		{"two qualifiers", arn + ":1:2", "", ref{}, pattern},
		{"misspelled latest", arn + ":$LATES", "", ref{}, pattern},
		{"mismatch", arn + ":$LATEST", "1", ref{}, "InvalidParameterValueException: The derived qualifier from the function name does not match the specified qualifier."},
		{"other region", "arn:aws:lambda:eu-west-1:000000000000:function:f", "", ref{}, "ResourceNotFoundException: Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"},
		{"other account", "123456789012:function:f", "", ref{}, "AccessDeniedException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := s.named(test.value, test.qualifier)
			if test.err == "" {
				if err != nil || got != test.want {
					t.Errorf("got %+v, %v; want %+v", got, err, test.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("error = %v\nwant    %s", err, test.err)
			}
		})
	}
}

func FuzzNames(f *testing.F) {
	f.Add("arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST", "")
	f.Add("a:b", "b")
	s := &Service{opts: Options{Region: "us-east-1", Account: "000000000000"}}
	f.Fuzz(func(t *testing.T, value, qualifier string) {
		r, err := s.named(value, qualifier)
		var api *apiError
		if err != nil && !errors.As(err, &api) {
			t.Fatalf("error = %v", err)
		}
		if err == nil && (r.name == "" || strings.ContainsAny(r.name, "/:\x00 ")) {
			t.Errorf("%q → %+v", value, r)
		}
	})
}

func FuzzRoutes(f *testing.F) {
	f.Add("GET", "/2015-03-31/functions/f%3A1/configuration")
	f.Add("POST", "//")
	f.Fuzz(func(_ *testing.T, method, path string) { parseRoute(method, path) })
}

func FuzzEnvironment(f *testing.F) {
	f.Add([]byte(`{"A":"b","C":"<"}`))
	f.Add([]byte(`{"A":["b"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := (&rawEnvironment{Variables: data}).variables()
		if err == nil && len(measure(data, values)) > maxEnvironment {
			t.Error("too large")
		}
	})
}

// Each route has AWS's name, so that each can be asked to fail.
func TestRoutesHaveNames(t *testing.T) {
	s := &Service{}
	for key := range s.routes() {
		if operationNames[key] == "" && key.version != codePath {
			t.Errorf("%v has no name", key)
		}
	}
}
