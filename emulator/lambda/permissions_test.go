package lambda

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

func TestPermissions(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", nil)
	for sid, c := range map[string]struct {
		change func(*lambda.AddPermissionInput)
		want   string
	}{
		"service": {func(in *lambda.AddPermissionInput) { in.SourceArn = aws.String("arn:aws:s3:::b") },
			`{"Sid":"service","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"}}}`},
		"account": {func(in *lambda.AddPermissionInput) { in.Principal = aws.String("111111111111") },
			`{"Sid":"account","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f"}`},
		"url": {func(in *lambda.AddPermissionInput) {
			in.Principal, in.Action, in.FunctionUrlAuthType = aws.String("*"), aws.String("lambda:InvokeFunctionUrl"), types.FunctionUrlAuthTypeNone
			in.SourceAccount, in.PrincipalOrgID = aws.String("111111111111"), aws.String("o-1234567890")
		}, `{"Sid":"url","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Condition":{"StringEquals":{"AWS:SourceAccount":"111111111111","aws:PrincipalOrgID":"o-1234567890","lambda:FunctionUrlAuthType":"NONE"}}}`},
		"invoked": {func(in *lambda.AddPermissionInput) {
			in.Principal, in.InvokedViaFunctionUrl = aws.String("*"), aws.Bool(true)
		}, `{"Sid":"invoked","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}}`},
	} {
		in := lambdatest.Permission(sid, "s3.amazonaws.com")
		c.change(in)
		out, err := h.Lambda.AddPermission(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if *out.Statement != c.want {
			t.Errorf("%s: %s", sid, *out.Statement)
		}
	}
	out, err := h.Lambda.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: aws.String("f")})
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Version, Id string
		Statement   []any
	}
	if err := json.Unmarshal([]byte(*out.Policy), &document); err != nil || document.Version != "2012-10-17" || document.Id != "default" || len(document.Statement) != 4 {
		t.Errorf("policy %s, %v", *out.Policy, err)
	}
	remove := func(sid string) error {
		_, err := h.Lambda.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: aws.String("f"), StatementId: &sid})
		return err
	}
	lambdatest.WantError(t, remove("none"), "ResourceNotFoundException", "Statement none is not found in resource policy.")
	for _, sid := range []string{"service", "account", "url", "invoked"} {
		if err := remove(sid); err != nil {
			t.Fatal(err)
		}
	}
	_, err = h.Lambda.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: aws.String("f")})
	lambdatest.WantError(t, err, "ResourceNotFoundException", "The resource you requested does not exist.")
}

// The words are recorded from the real service.
func TestPermissionErrors(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.Deploy("f", nil)
	if _, err := h.Lambda.AddPermission(t.Context(), lambdatest.Permission("s3", "s3.amazonaws.com")); err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:lambda:us-east-1:000000000000:function:"
	for name, c := range map[string]struct {
		change        func(*lambda.AddPermissionInput)
		code, message string
	}{
		"statement id": {func(in *lambda.AddPermissionInput) { in.StatementId = aws.String("example.com") }, "ValidationException",
			"Value 'example.com' at 'statementId' failed to satisfy constraint: Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)"},
		"two qualifiers": {func(in *lambda.AddPermissionInput) {
			in.FunctionName, in.Qualifier = aws.String("f:a"), aws.String("42")
		},
			"InvalidParameterValueException", "The derived qualifier from the function name does not match the specified qualifier."},
		"$LATEST": {func(in *lambda.AddPermissionInput) { in.Qualifier = aws.String("$LATEST") },
			"InvalidParameterValueException", "We currently do not support adding policies for $LATEST."},
		"principal": {func(in *lambda.AddPermissionInput) { in.Principal = aws.String("invalid.nonaws.com") },
			"InvalidParameterValueException", "The provided principal was invalid. Please check the principal and try again."},
		"function":  {func(in *lambda.AddPermissionInput) { in.FunctionName = aws.String("none") }, "ResourceNotFoundException", "Function not found: " + arn + "none"},
		"alias":     {func(in *lambda.AddPermissionInput) { in.Qualifier = aws.String("none") }, "ResourceNotFoundException", "Cannot find alias arn: " + arn + "f:none"},
		"version":   {func(in *lambda.AddPermissionInput) { in.Qualifier = aws.String("42") }, "ResourceNotFoundException", "Function not found: " + arn + "f:42"},
		"twice":     {func(in *lambda.AddPermissionInput) {}, "ResourceConflictException", "The statement id (s3) provided already exists."},
		"revision":  {func(in *lambda.AddPermissionInput) { in.RevisionId = aws.String("wrong") }, "PreconditionFailedException", "Call the GetPolicy API"},
		"qualifier": {func(in *lambda.AddPermissionInput) { in.Qualifier = aws.String("a-$-b") }, "ResourceNotFoundException", "Function not found: " + arn + "f:a-$-b"},
	} {
		t.Run(name, func(t *testing.T) {
			in := lambdatest.Permission("s3", "s3.amazonaws.com")
			c.change(in)
			_, err := h.Lambda.AddPermission(t.Context(), in)
			lambdatest.WantError(t, err, c.code, c.message)
		})
	}
	for qualifier, message := range map[string]string{"none": "Cannot find alias arn: " + arn + "f:none", "7": "Function not found: " + arn + "f:7"} {
		_, err := h.Lambda.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: aws.String("f"), StatementId: aws.String("s3"), Qualifier: &qualifier})
		lambdatest.WantError(t, err, "ResourceNotFoundException", message)
	}
	_, err := h.Lambda.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: aws.String("none"), StatementId: aws.String("s3")})
	lambdatest.WantError(t, err, "ResourceNotFoundException", "No policy found for: "+arn+"none")
}

// What a policy lets in, read back from disk as well.
func TestPermits(t *testing.T) {
	t.Parallel()
	bucket := asking{action: invokeAction, service: "s3.amazonaws.com", context: map[string]string{"aws:sourcearn": "arn:aws:s3:::uploads", "aws:sourceaccount": "1"}}
	for name, c := range map[string]struct {
		in   permission
		want bool
	}{
		"the service":       {permission{Principal: aws.String("s3.amazonaws.com")}, true},
		"another service":   {permission{Principal: aws.String("sns.amazonaws.com")}, false},
		"everybody":         {permission{Principal: aws.String("*")}, true},
		"an account":        {permission{Principal: aws.String("111111111111")}, false},
		"the source":        {permission{Principal: aws.String("s3.amazonaws.com"), SourceArn: aws.String("arn:aws:s3:::up*")}, true},
		"another source":    {permission{Principal: aws.String("s3.amazonaws.com"), SourceArn: aws.String("arn:aws:s3:::other")}, false},
		"the account":       {permission{Principal: aws.String("s3.amazonaws.com"), SourceAccount: aws.String("1")}, true},
		"another account":   {permission{Principal: aws.String("s3.amazonaws.com"), SourceAccount: aws.String("2")}, false},
		"only URLs":         {permission{Principal: aws.String("*"), FunctionUrlAuthType: aws.String("NONE")}, false},
		"another operation": {permission{Principal: aws.String("*"), Action: aws.String("lambda:GetFunction")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c.in.StatementId = aws.String("s")
			if c.in.Action == nil {
				c.in.Action = aws.String(invokeAction)
			}
			s, err := c.in.statement("arn")
			if err != nil {
				t.Fatal(err)
			}
			p, err := (*policy)(nil).with(s)
			if err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(p)
			var read policy
			if err != nil || json.Unmarshal(data, &read) != nil {
				t.Fatal(err)
			}
			if p.permits(bucket) != c.want || read.permits(bucket) != c.want {
				t.Errorf("permits %v, and once read %v", p.permits(bucket), read.permits(bucket))
			}
		})
	}
}
