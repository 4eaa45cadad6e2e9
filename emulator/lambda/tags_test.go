package lambda

import (
	"fmt"
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

func TestTags(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", nil)
	resource := aws.String(lambdatest.ARN + "f")
	tag := func(tags map[string]string) error {
		_, err := h.Lambda.TagResource(t.Context(), &lambda.TagResourceInput{Resource: resource, Tags: tags})
		return err
	}
	untag := func(keys ...string) error {
		_, err := h.Lambda.UntagResource(t.Context(), &lambda.UntagResourceInput{Resource: resource, TagKeys: keys})
		return err
	}
	for _, step := range []struct {
		name string
		err  error
		want map[string]string
	}{
		{"none", nil, map[string]string{}},
		{"one", tag(map[string]string{"A": "tag-a"}), nil},
		{"more", tag(map[string]string{"A": "new", "B/x": "b"}), nil},
		{"remove, with one that is not there", untag("A", "C"), map[string]string{"B/x": "b"}},
	}[1:] {
		if step.err != nil {
			t.Fatalf("%s: %v", step.name, step.err)
		}
		if step.want == nil {
			continue
		}
		out, err := h.Lambda.ListTags(t.Context(), &lambda.ListTagsInput{Resource: resource})
		if err != nil || !maps.Equal(out.Tags, step.want) {
			t.Errorf("%s: %v, %v", step.name, out, err)
		}
	}
	many := map[string]string{}
	for i := range 50 {
		many[fmt.Sprint(i)] = "v"
	}
	lambdatest.WantError(t, tag(many), "InvalidParameterValueException", "Number of tags exceeds resource tag limit.")
	lambdatest.WantError(t, tag(map[string]string{}), "InvalidParameterValueException", "An error occurred and the request cannot be processed.")
	for _, test := range []struct{ name, resource, code, message string }{
		{"missing", lambdatest.ARN + "g", "ResourceNotFoundException", "Function not found: " + lambdatest.ARN + "g"},
		{"qualifier", lambdatest.ARN + "f:$LATEST", "InvalidParameterValueException", "Tags on function aliases and versions are not supported. Please specify a function ARN."},
		{"no ARN", "arn:aws:something", "ValidationException", "1 validation error detected: Value 'arn:aws:something' at 'resource' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*):lambda:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := h.Lambda.ListTags(t.Context(), &lambda.ListTagsInput{Resource: aws.String(test.resource)})
			lambdatest.WantError(t, err, test.code, test.message)
		})
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	for i := range 5 {
		h.Deploy(fmt.Sprintf("f%d", i), nil)
	}
	var names []string
	pages := lambda.NewListFunctionsPaginator(h.Lambda, &lambda.ListFunctionsInput{MaxItems: aws.Int32(2), FunctionVersion: "ALL"})
	for n := 0; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := []int{2, 2, 1}[n]; len(page.Functions) != want {
			t.Errorf("page %d has %d functions, want %d", n, len(page.Functions), want)
		}
		for _, f := range page.Functions {
			names = append(names, *f.FunctionName)
			if f.State != "" || f.RuntimeVersionConfig != nil {
				t.Errorf("listed: %+v", f)
			}
		}
	}
	if got := fmt.Sprint(names); got != "[f0 f1 f2 f3 f4]" {
		t.Errorf("names = %s", got)
	}
}

func TestQualifiers(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", nil)
	get := func(name, qualifier string) error {
		in := &lambda.GetFunctionInput{FunctionName: aws.String(name)}
		if qualifier != "" {
			in.Qualifier = aws.String(qualifier)
		}
		out, err := h.Lambda.GetFunction(t.Context(), in)
		if err == nil && qualifier == "$LATEST" && *out.Configuration.FunctionArn != lambdatest.ARN+"f:$LATEST" {
			t.Errorf("qualified ARN = %s", *out.Configuration.FunctionArn)
		}
		return err
	}
	remove := func(name, qualifier string) error {
		_, err := h.Lambda.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: aws.String(name), Qualifier: aws.String(qualifier)})
		return err
	}
	for _, err := range []error{get("f", "$LATEST"), get(lambdatest.ARN+"f", ""), get("000000000000:function:f:$LATEST", "")} {
		if err != nil {
			t.Error(err)
		}
	}
	lambdatest.WantError(t, get("f", "1221"), "ResourceNotFoundException", "Function not found: "+lambdatest.ARN+"f:1221")
	lambdatest.WantError(t, get(lambdatest.ARN+"f:1", "$LATEST"), "InvalidParameterValueException", "The derived qualifier from the function name does not match")
	lambdatest.WantError(t, remove("f", "$LATEST"), "InvalidParameterValueException", "$LATEST version cannot be deleted without deleting the function.")
	lambdatest.WantError(t, remove("f", "alias"), "InvalidParameterValueException", "Deletion of aliases is not currently supported.")
	lambdatest.WantError(t, remove("g", "$latest"), "ResourceNotFoundException", "Function not found: "+lambdatest.ARN+"g")
	_, err := h.Lambda.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), Qualifier: aws.String("1")})
	lambdatest.WantError(t, err, "ResourceNotFoundException", "Function not found: "+lambdatest.ARN+"f:1")
}
