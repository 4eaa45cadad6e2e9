package recorded

import (
	"regexp"
	"slices"
	"strings"
)

// subjects are names and qualifiers that are or seem to be wrong, by the id of their case.
var subjects = map[string]struct{ name, qualifier string }{
	"invalid_characters_in_function_name":                {"my-function!", ""},
	"function_name_is_single_invalid":                    {"*", ""},
	"invalid_characters_in_qualifier":                    {"my-function", "invalid!"},
	"qualifier_too_long":                                 {"my-function", strings.Repeat("a", 129)},
	"qualifier_too_long0":                                {"my-function", strings.Repeat("a", 129)},
	"qualifier_too_long1":                                {"my-function", strings.Repeat("a", 65)},
	"function_name_and_qualifier_too_long":               {"my-function", strings.Repeat("a", 65)},
	"invalid_account_id_in_partial_arn":                  {"invalid-account:function:my-function", ""},
	"invalid_region_in_arn":                              {"arn:aws:lambda:invalid-region:" + account + ":function:my-function", ""},
	"non_lambda_arn":                                     {"arn:aws:ec2:" + region + ":" + account + ":instance:i-1234567890abcdef0", ""},
	"function_name_too_long":                             {strings.Repeat("a", 65), ""},
	"function_name_too_long_and_invalid_region":          {"arn:aws:lambda:invalid-region:" + account + ":function:my-function" + strings.Repeat("a", 170), ""},
	"full_arn_and_qualifier_too_long_and_invalid_region": {"arn:aws:lambda:invalid-region:" + account + ":function:my-function-" + strings.Repeat("a", 170), strings.Repeat("a", 129)},
	"full_arn_with_multiple_qualifiers":                  {arnPrefix + "function:my-function:1:2", ""},
	"incomplete_arn":                                     {arnPrefix + "function", ""},
	"partial_arn_with_extra_qualifier":                   {"function:my-function:$LATEST:extra", ""},
	"latest_version_with_additional_qualifier":           {arnPrefix + "function:my-function:$LATEST", "1"},
	"lowercase_latest_qualifier":                         {arnPrefix + "function:my-function", "$latest"},
	"missing_region_in_arn":                              {"arn:aws:lambda::" + account + ":function:my-function", ""},
	"missing_account_id_in_arn":                          {"arn:aws:lambda:" + region + "::function:my-function", ""},
	"misspelled_latest_in_arn":                           {arnPrefix + "function:my-function:$LATES", ""},
}

// snake are operations as the recorder calls them.
var snake = map[string]string{
	"get_function": "GetFunction", "delete_function": "DeleteFunction", "invoke": "Invoke", "create_function": "CreateFunction",
	"get_function_configuration": "GetFunctionConfiguration", "get_function_concurrency": "GetFunctionConcurrency",
	"get_function_code_signing_config": "GetFunctionCodeSigningConfig", "get_function_url_config": "GetFunctionUrlConfig",
	"get_function_event_invoke_config": "GetFunctionEventInvokeConfig",
}

var nameCases = func() map[string]func(*replay) {
	cases := map[string]func(*replay){}
	for id, subject := range subjects {
		for _, call := range []string{"get_function", "delete_function", "invoke", "create_function"} {
			cases["TestLambdaFunction::test_function_name_and_qualifier_validation["+id+"-"+call+"]"] = func(r *replay) {
				r.validate(call, subject.name, subject.qualifier)
			}
		}
	}
	return cases
}()

// validate calls an operation with a name and a qualifier. Of its error the recorder kept the code and the message, or its parts in their order.
func (r *replay) validate(call, name, qualifier string) {
	in := m{"FunctionName": name}
	if qualifier != "" {
		in["Qualifier"] = qualifier
	}
	if call == "create_function" {
		delete(in, "Qualifier")
		if qualifier != "" {
			name += ":" + qualifier
		}
		in = function(name)
	}
	said, failed := r.call(snake[call], in)["Error"].(m)
	if !failed {
		said = m{"Code": "none", "Message": "it was done"}
	}
	step := call + "_exception"
	if r.recorded[step] == nil && !failed {
		return // nothing was recorded of what was done
	}
	parts := regexp.MustCompile(`Value '.*?' at '.*?' failed to satisfy constraint: [^;]+`).FindAllString(text(said, "Message"), -1)
	if len(parts) > 0 {
		slices.Sort(parts)
		said = m{"Code": said["Code"], "Errors": parts, "Count": len(parts)}
	}
	r.check(step, said)
}
