package lambda

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

func TestRuntimeManagement(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", func(in *lambda.CreateFunctionInput) { in.Publish = true })
	get := func(qualifier string) string {
		t.Helper()
		out, err := h.Lambda.GetRuntimeManagementConfig(t.Context(), &lambda.GetRuntimeManagementConfigInput{FunctionName: aws.String("f"), Qualifier: aws.String(qualifier)})
		if err != nil {
			t.Fatal(err)
		}
		return string(out.UpdateRuntimeOn) + " " + aws.ToString(out.FunctionArn)
	}
	if got := get("1"); got != "Auto "+lambdatest.ARN+"f:1" {
		t.Errorf("at first: %s", got)
	}
	put := func(name string, on types.UpdateRuntimeOn) error {
		_, err := h.Lambda.PutRuntimeManagementConfig(t.Context(), &lambda.PutRuntimeManagementConfigInput{FunctionName: &name, Qualifier: aws.String("1"), UpdateRuntimeOn: on})
		return err
	}
	if err := put("f", types.UpdateRuntimeOnFunctionUpdate); err != nil {
		t.Fatal(err)
	}
	if got := get("1") + ", " + get("$LATEST"); got != "FunctionUpdate "+lambdatest.ARN+"f:1, Auto "+lambdatest.ARN+"f:$LATEST" {
		t.Errorf("then: %s", got)
	}
	lambdatest.WantError(t, put("f", "Never"), "ValidationException", "updateRuntimeOn")
	lambdatest.WantError(t, put("f", types.UpdateRuntimeOnManual), "InvalidParameterValueException", "RuntimeVersionArn")
	lambdatest.WantError(t, put("none", types.UpdateRuntimeOnAuto), "ResourceNotFoundException", "Function not found")
}
