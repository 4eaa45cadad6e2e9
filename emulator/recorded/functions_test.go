package recorded

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
)

var functionCases = func() map[string]func(*replay) {
	const of = "TestLambdaFunction::test_"
	cases := map[string]func(*replay){
		of + "function_lifecycle":                functionLifecycle,
		of + "redundant_updates":                 redundantUpdates,
		of + "delete_on_nonexisting_version":     deleteNothing,
		of + "function_arns":                     functionARNs,
		of + "create_lambda_exceptions":          createExceptions,
		of + "update_lambda_exceptions":          updateExceptions,
		of + "list_functions":                    listFunctions,
		of + "invalid_vpc_config_subnet":         func(r *replay) { r.vpc("subnet-id", "subnet-1a2b", "bad-format-1", "") },
		of + "invalid_vpc_config_security_group": func(r *replay) { r.vpc("security-group", "sg-1a2b", "bad-format-1", "subnet-1a2b") },
		of + "lambda_code_location_s3":           codeFromS3,
		of + "lambda_code_location_s3_errors":    codeFromNowhere,
		of + "lambda_code_location_zipfile": func(r *replay) {
			r.codeLocation("create-response-zip-file", func(zip []byte) m { return m{"ZipFile": zip} })
		},
		of + "invalid_invoke": func(r *replay) {
			r.do("invoke_function_name_pattern_exc", "Invoke", m{"FunctionName": "arn:aws:lambda:" + region + ":123400000000@function:myfn"})
		},
		of + "lambda_concurrent_code_updates": func(r *replay) {
			f := name("f")
			r.create("create-function-response", f, m{"Handler": "handler.handler"})
			defer r.hold()()
			r.do("", "UpdateFunctionCode", m{"FunctionName": f, "ZipFile": zipOf("one")})
			r.do("update-during-in-progress-update-exc", "UpdateFunctionCode", m{"FunctionName": f, "ZipFile": zipOf("two")})
		},
		of + "lambda_concurrent_config_updates": func(r *replay) {
			f := name("f")
			r.help("create-function-response", f)
			defer r.hold()()
			r.do("", "UpdateFunctionConfiguration", m{"FunctionName": f, "Environment": m{"Variables": m{"TEST": "TEST1"}}})
			r.do("update-during-in-progress-update-exc", "UpdateFunctionConfiguration", m{"FunctionName": f, "Environment": m{"Variables": m{"TEST": "TEST2"}}})
		},
		"TestPartialARNMatching::test_update_function_configuration_full_arn": func(r *replay) {
			f := name("f")
			r.help("", f)
			for _, target := range []string{arnPrefix + "function:" + f, f, account + ":function:" + f} {
				r.do("", "UpdateFunctionConfiguration", m{"FunctionName": target, "Description": "Changed", "MemorySize": 512, "Timeout": 10})
				r.settle(f)
			}
		},
		"TestPartialARNMatching::test_cross_region_arn_function_access": func(r *replay) { // the ARN says where the function is
			f := name("f")
			r.help("", f)
			r.get("", arnPrefix+"function:"+f)
		},
		"TestLambdaRecursion::test_put_function_recursion_config_allow": func(r *replay) {
			f := name("f")
			r.help("", f)
			r.do("put_recursion_config_response", "PutFunctionRecursionConfig", m{"FunctionName": f, "RecursiveLoop": "Allow"})
			r.do("get_recursion_config_response", "GetFunctionRecursionConfig", m{"FunctionName": f})
		},
		"TestLambdaRecursion::test_put_function_recursion_config_default_terminate": func(r *replay) {
			f := name("f")
			r.help("", f)
			r.do("get_recursion_default_terminate_response", "GetFunctionRecursionConfig", m{"FunctionName": f})
		},
		"TestLambdaRecursion::test_put_function_recursion_config_invalid_value": func(r *replay) {
			f := name("f")
			r.help("", f)
			r.do("put_recursion_invalid_value_error", "PutFunctionRecursionConfig", m{"FunctionName": f, "RecursiveLoop": "InvalidValue"})
		},
	}
	for call, operation := range snake {
		cases[of+"ops_with_arn_qualifier_mismatch["+call+"]"] = func(r *replay) {
			r.do("not_match_exception", operation, m{"FunctionName": arnPrefix + "function:some-function:1", "Qualifier": "$LATEST"})
			r.do("match_exception", operation, m{"FunctionName": arnPrefix + "function:some-function:$LATEST", "Qualifier": "$LATEST"})
		}
		cases[of+"ops_on_nonexisting_version["+call+"]"] = func(r *replay) {
			f := name("i-exist")
			r.help("", f)
			r.do("version_not_found_exception", operation, m{"FunctionName": f, "Qualifier": "1221"})
		}
		cases[of+"ops_on_nonexisting_fn["+call+"]"] = func(r *replay) {
			r.do("not_found_exception", operation, m{"FunctionName": "i-dont-exist"})
		}
		cases[of+"get_function_wrong_region["+call+"]"] = func(r *replay) {
			f := name("i-exist")
			r.help("", f)
			r.do("wrong_region_exception", operation, m{"FunctionName": "arn:aws:lambda:" + wrongRegion + ":" + account + ":function:" + f})
		}
	}
	for _, runtime := range []string{"java8", "go1.x", "provided", "ruby2.7", "nodejs14.x", "python3.7", "dotnetcore3.1", "nodejs12.x"} {
		cases["TestRuntimeValidation::test_create_deprecated_function_runtime_with_validation_enabled["+runtime+"]"] = func(r *replay) {
			r.help("deprecation_error", name("f"), m{"Runtime": runtime})
		}
	}
	return cases
}()

func functionLifecycle(r *replay) {
	f := name("f")
	r.help("create_response", f, m{"MemorySize": 256, "Timeout": 5})
	r.get("get_function_response", f)
	r.update("update_func_conf_response", f, m{
		"Runtime": "python3.11", "Description": "Changed-Description", "MemorySize": 512, "Timeout": 10, "Environment": m{"Variables": m{"ENV_A": "a"}},
	})
	r.get("get_function_response_postupdate", f)
	r.do("update_code_response", "UpdateFunctionCode", m{"FunctionName": f, "ZipFile": zipOf(versionText)})
	r.settle(f)
	r.get("get_function_response_postcodeupdate", f)
	r.do("delete_response", "DeleteFunction", m{"FunctionName": f})
	r.do("delete_postdelete", "DeleteFunction", m{"FunctionName": f})
}

func redundantUpdates(r *replay) {
	f := name("f")
	r.help("create_response", f, m{"Description": "Initial description"})
	r.update("first_update_result", f, m{"Description": "1st update description"})
	r.config("get_fn_config_result", f)
	r.get("get_fn_result", f)
	r.update("redundant_update_result", f, m{"Description": "1st update description"})
	r.get("get_fn_result_after_redundant_update", f)
}

func deleteNothing(r *replay) {
	f := name("f")
	r.help("", f)
	for range 2 {
		r.do("", "DeleteFunction", m{"FunctionName": f, "Qualifier": "1233"})
	}
	r.do("", "DeleteFunction", m{"FunctionName": f})
	r.do("delete_function_response_non_existent", "DeleteFunction", m{"FunctionName": f})
	r.do("delete_function_response_non_existent_with_qualifier", "DeleteFunction", m{"FunctionName": f, "Qualifier": "1233"})
}

func functionARNs(r *replay) {
	one, two := name("one"), name("two")
	const prefix = arnPrefix + "function:"
	for step, c := range map[string][2]string{"create-function-arn-response": {one, prefix + one}, "create-function-partial-arn-response": {two, account + ":function:" + two}} {
		out := r.call("CreateFunction", helped(c[0], m{"FunctionName": c[1]}))
		r.check(step, m{"CreateEventSourceMappingResponse": nil, "CreateFunctionResponse": out})
	}
	for step, target := range map[string]string{
		"invalid_function_name_exc": "invalid:function:name", "long_function_name_exc": string(bytes.Repeat([]byte("a"), 65)),
		"long_function_arn_exc":          prefix + string(bytes.Repeat([]byte("a"), 141-len(prefix))),
		"function_arn_other_region_exc":  "arn:aws:lambda:ap-southeast-1:" + account + ":function:" + one,
		"function_arn_other_account_exc": "arn:aws:lambda:" + region + ":123456789012:function:" + one,
	} {
		r.do(step, "CreateFunction", function(target))
	}
}

func createExceptions(r *replay) {
	f := name("f")
	for step, change := range map[string]m{
		"invalid_role_arn_exc":   {"Role": "r1"},
		"invalid_runtime_exc":    {"Runtime": "non-existent-runtime"},
		"uppercase_runtime_exc":  {"Runtime": "PYTHON3.9"},
		"multiple_architectures": {"Architectures": []string{"x86_64", "arm64"}},
		"uppercase_architecture": {"Architectures": []string{"X86_64"}},
		"invalid_zip_exc":        {"Runtime": "python3.9", "Code": m{"ZipFile": []byte("this is not a zip")}},
	} {
		r.do(step, "CreateFunction", function(f, change))
	}
	r.seen["empty_architectures"] = true // boto3 itself refused it: the service was not asked
}

func updateExceptions(r *replay) {
	f := name("f")
	r.create("", f)
	r.update("invalid_role_arn_exc", f, m{"Role": "r1"})
	r.update("invalid_runtime_exc", f, m{"Runtime": "non-existent-runtime"})
	r.update("uppercase_runtime_exc", f, m{"Runtime": "PYTHON3.9"})
}

func listFunctions(r *replay) {
	one, two := name("list"), name("list")
	r.help("create_response_1", one, m{"Publish": true})
	r.help("create_response_2", two)
	r.do("list_functions_invalid_functionversion", "ListFunctions", m{"FunctionVersion": "invalid"})
	r.check("list_all", m{"Functions": r.pages("ListFunctions", "Functions", m{"FunctionVersion": "ALL", "MaxItems": 1}, 3)})
	r.check("list_default", m{"Functions": r.pages("ListFunctions", "Functions", m{"MaxItems": 1}, 2)})
}

// pages reads a list page by page, of which there must be so many.
func (r *replay) pages(operation, member string, in m, want int) []any {
	all, count := []any{}, 0
	for {
		out := r.do("", operation, in)
		items, _ := out[member].([]any)
		all, count = append(all, items...), count+1
		if out["NextMarker"] == nil {
			break
		}
		in = with(in, m{"Marker": out["NextMarker"]})
	}
	if count != want {
		r.problems = append(r.problems, fmt.Sprintf("%s: %d pages, want %d", operation, count, want))
	}
	return all
}

// vpc creates functions in a VPC that is not there, and with what is no id.
func (r *replay) vpc(what, absent, malformed, subnet string) {
	for step, id := range map[string]string{"create-response-non-existent-" + what: absent, "create-response-invalid-format-" + what: malformed} {
		in := m{"SubnetIds": []string{id}, "SecurityGroupIds": []string{}}
		if subnet != "" {
			in = m{"SubnetIds": []string{subnet}, "SecurityGroupIds": []string{id}}
		}
		r.do(step, "CreateFunction", function(name("f"), m{"VpcConfig": in}))
	}
}

func codeFromS3(r *replay) {
	r.codeLocation("create_response_s3", func(zip []byte) m {
		r.put("bucket", "code.zip", zip)
		return m{"S3Bucket": "bucket", "S3Key": "code.zip"}
	})
}

// codeLocation follows a function's code to where it is told to be.
func (r *replay) codeLocation(created string, code func(zip []byte) m) {
	f := name("f")
	first, second := zipOf("first"), zipOf("second")
	r.create(created, f, m{"Code": code(first)})
	r.fetched(r.get("get-function-response", f), first)
	release := r.hold()
	r.do("update-function-response", "UpdateFunctionCode", with(code(second), m{"FunctionName": f}))
	r.fetched(r.get("get-function-response-updated", f), second)
	release()
}

func (r *replay) fetched(out m, want []byte) {
	resp, err := http.Get(text(out, "Code", "Location"))
	if err != nil {
		r.problems = append(r.problems, fmt.Sprintf("code location: %v", err))
		return
	}
	got, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || !slices.Equal(got, want) {
		r.problems = append(r.problems, fmt.Sprintf("the code at its location is another one (%d bytes, want %d): %v", len(got), len(want), err))
	}
}

func codeFromNowhere(r *replay) {
	f := name("f")
	r.put("bucket", "code.zip", zipOf(echoText))
	wrongBucket, wrongKey := m{"S3Bucket": "no-such-bucket", "S3Key": "code.zip"}, m{"S3Bucket": "bucket", "S3Key": "non/existent.zip"}
	r.do("create-error-wrong-bucket", "CreateFunction", function(f, m{"Code": wrongBucket}))
	r.do("create-error-wrong-key", "CreateFunction", function(f, m{"Code": wrongKey}))
	r.create("", f, m{"Code": m{"S3Bucket": "bucket", "S3Key": "code.zip"}})
	r.do("update-error-wrong-bucket", "UpdateFunctionCode", with(wrongBucket, m{"FunctionName": f}))
	r.do("update-error-wrong-key", "UpdateFunctionCode", with(wrongKey, m{"FunctionName": f}))
}
