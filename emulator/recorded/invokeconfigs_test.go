package recorded

import "strconv"

var invokeConfigCases = map[string]func(*replay){
	"TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_lifecycle": func(r *replay) {
		f := name("f")
		r.help("", f)
		fn := m{"FunctionName": f}
		r.do("put_invokeconfig_retries_0", "PutFunctionEventInvokeConfig", with(fn, m{"MaximumRetryAttempts": 0}))
		r.do("put_invokeconfig_eventage_60", "PutFunctionEventInvokeConfig", with(fn, m{"MaximumEventAgeInSeconds": 60}))
		r.do("update_invokeconfig_eventage_nochange", "UpdateFunctionEventInvokeConfig", with(fn, m{"MaximumEventAgeInSeconds": 60}))
		r.do("update_invokeconfig_retries", "UpdateFunctionEventInvokeConfig", with(fn, m{"MaximumRetryAttempts": 1}))
		r.do("get_invokeconfig", "GetFunctionEventInvokeConfig", fn)
		r.do("get_invokeconfig_latest", "GetFunctionEventInvokeConfig", with(fn, m{"Qualifier": "$LATEST"}))
		r.do("list_single_invokeconfig", "ListFunctionEventInvokeConfigs", fn)
		r.publish("publish_version_result", f)
		published := with(fn, m{"Qualifier": "1"})
		r.do("get_invokeconfig_postpublish", "GetFunctionEventInvokeConfig", published)
		r.do("put_published_invokeconfig", "PutFunctionEventInvokeConfig", with(published, m{"MaximumEventAgeInSeconds": 120}))
		r.do("get_published_invokeconfig", "GetFunctionEventInvokeConfig", published)
		r.do("", "DeleteFunctionEventInvokeConfig", fn)
		r.do("list_paging_nolimit_postdelete", "ListFunctionEventInvokeConfigs", fn)
	},
	"TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_exceptions": func(r *replay) {
		f := r.aliased("fn_version_result", "fn_alias_result", "eventinvokealias")
		r.putInvokeConfigs(f)
		r.otherInvokeConfigs(f)
	},
}

// putInvokeConfigs puts them in the ways that were recorded.
func (r *replay) putInvokeConfigs(f string) {
	arn, retry := arnPrefix+"function:", m{"MaximumRetryAttempts": 1}
	put := func(step, function string, in ...m) {
		r.do(step, "PutFunctionEventInvokeConfig", with(m{"FunctionName": function}, in...))
	}
	to := func(member, destination string) m {
		return m{"DestinationConfig": m{member: m{"Destination": destination}}}
	}
	qualifier := func(q string) m { return m{"Qualifier": q} }
	other := name("f")
	r.help("", other)
	put("put_functionname_name_notfound", "doesnotexist", retry)
	put("put_functionname_arn_notfound", arn+"doesnotexist", retry)
	put("put_functionname_nootherargs", f)
	put("put_destination_lambda_doesntexist", f, to("OnSuccess", arn+"doesnotexist"))
	put("put_destination_recursive", f, to("OnSuccess", arn+f))
	put("put_destination_other_lambda", f, to("OnSuccess", arn+other))
	put("put_destination_invalid_service_arn", f, to("OnSuccess", "arn:aws:iam:"+region+":"+account+":function:"+f))
	put("put_destination_success_no_destination_arn", f, m{"DestinationConfig": m{"OnSuccess": m{}}})
	put("put_destination_failure_no_destination_arn", f, m{"DestinationConfig": m{"OnFailure": m{}}})
	put("put_destination_invalid_arn_pattern", f, to("OnFailure", "arn:aws:_-/!lambda:"+region+":"+account+":function:"+f))
	put("put_destination_latest", f, retry)
	put("put_destination_latest_explicit_qualifier", f, retry, qualifier("$LATEST"))
	put("put_destination_version", f, retry, qualifier("1"))
	put("put_alias_functionname_qualifier", f, retry, qualifier("eventinvokealias"))
	put("put_alias_doesnotexist", f, retry, qualifier("doesnotexist"))
	put("put_alias_qualifiedarn", arn+f+":eventinvokealias", retry)
	put("put_alias_qualifiedarn_qualifier", arn+f+":eventinvokealias", retry, qualifier("eventinvokealias"))
	put("put_alias_qualifiedarn_qualifierconflict", arn+f+":eventinvokealias", retry, qualifier("1"))
	put("put_alias_shorthand", f+":eventinvokealias", retry)
	put("put_alias_shorthand_qualifier", f+":eventinvokealias", retry, qualifier("eventinvokealias"))
	put("put_alias_shorthand_qualifierconflict", f+":eventinvokealias", retry, qualifier("1"))
	put("put_version_shorthand", f+":1", retry)
	put("put_shorthand_qualifier_match", f+":$LATEST", retry, qualifier("$LATEST"))
	for i, q := range []string{"$LATEST", "1", "eventinvokealias"} {
		on := f + ":" + map[bool]string{true: "1", false: "$LATEST"}[q == "$LATEST"]
		put("put_shorthand_qualifier_mismatch_"+strconv.Itoa(i+1), on, retry, qualifier(q))
	}
	put("put_maxevent_maxvalue_result", f, m{"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 21600})
	put("put_pre_overwrite", f, m{"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60})
	put("put_post_overwrite", f, m{"MaximumRetryAttempts": 0})
	put("second_overwrite_existing_response", f, m{"MaximumRetryAttempts": 0})
	r.do("get_post_overwrite", "GetFunctionEventInvokeConfig", m{"FunctionName": f})
	put("pre_update_response", f, m{"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60})
}

// otherInvokeConfigs updates, lists and deletes them.
func (r *replay) otherInvokeConfigs(f string) {
	fn, alias, version, missing := m{"FunctionName": f}, m{"FunctionName": f, "Qualifier": "eventinvokealias"}, m{"FunctionName": f, "Qualifier": "1"}, m{"FunctionName": "doesnotexist"}
	never := m{"MaximumRetryAttempts": 0}
	r.do("update_response", "UpdateFunctionEventInvokeConfig", with(fn, never))
	r.do("update_response_existing", "UpdateFunctionEventInvokeConfig", with(fn, never))
	r.do("list_configs", "ListFunctionEventInvokeConfigs", fn)
	r.do("delete_latest", "DeleteFunctionEventInvokeConfig", fn)
	r.do("delete_version", "DeleteFunctionEventInvokeConfig", version)
	r.do("delete_alias", "DeleteFunctionEventInvokeConfig", alias)
	r.do("list_configs_postdelete", "ListFunctionEventInvokeConfigs", fn)
	r.do("delete_function_not_found", "DeleteFunctionEventInvokeConfig", fn)
	r.do("delete_function_doesnotexist", "DeleteFunctionEventInvokeConfig", missing)
	r.do("list_function_doesnotexist", "ListFunctionEventInvokeConfigs", missing)
	r.do("get_function_doesnotexist", "GetFunctionEventInvokeConfig", missing)
	r.do("get_qualifier_doesnotexist", "GetFunctionEventInvokeConfig", with(fn, m{"Qualifier": "doesnotexist"}))
	r.do("update_eventinvokeconfig_function_doesnotexist", "UpdateFunctionEventInvokeConfig", with(missing, never))
	r.do("get_eventinvokeconfig_doesnotexist", "GetFunctionEventInvokeConfig", alias)
	r.do("update_eventinvokeconfig_config_doesnotexist_with_qualifier", "UpdateFunctionEventInvokeConfig", with(alias, never))
	r.do("update_eventinvokeconfig_config_doesnotexist_without_qualifier", "UpdateFunctionEventInvokeConfig", with(fn, never))
}
