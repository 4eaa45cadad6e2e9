package recorded

// aliased is a function with a version and an alias of it.
func (r *replay) aliased(versionStep, aliasStep, alias string, more ...m) (f string) {
	f = name("f")
	r.help("", f, more...)
	r.publish(versionStep, f)
	r.do(aliasStep, "CreateAlias", m{"FunctionName": f, "FunctionVersion": "1", "Name": alias})
	return f
}

// node is what the recorder's functions with URLs are.
var node = m{"Handler": "lambda_handler.handler", "Runtime": "nodejs20.x"}

var urlCases = map[string]func(*replay){
	"TestLambdaUrl::test_url_config_lifecycle": func(r *replay) {
		f := name("f")
		r.help("", f)
		url := m{"FunctionName": f, "AuthType": "NONE"}
		r.do("url_creation", "CreateFunctionUrlConfig", url)
		r.do("failed_duplication", "CreateFunctionUrlConfig", url)
		r.do("get_url_config", "GetFunctionUrlConfig", m{"FunctionName": f})
		r.do("updated_url_config", "UpdateFunctionUrlConfig", m{"FunctionName": f, "AuthType": "AWS_IAM"})
		r.do("", "DeleteFunctionUrlConfig", m{"FunctionName": f})
		r.do("failed_getter", "GetFunctionUrlConfig", m{"FunctionName": f})
	},
	"TestLambdaUrl::test_url_config_list_paging": func(r *replay) {
		f := r.aliased("fn_version_result", "create_alias_result", "urlalias", node)
		r.do("list_function_notfound", "ListFunctionUrlConfigs", m{"FunctionName": "doesnotexist"})
		r.do("list_all_empty", "ListFunctionUrlConfigs", m{"FunctionName": f})
		r.do("url_config_fn", "CreateFunctionUrlConfig", m{"FunctionName": f, "AuthType": "NONE"})
		r.do("url_config_alias", "CreateFunctionUrlConfig", m{"FunctionName": f, "AuthType": "NONE", "Qualifier": "urlalias"})
		r.do("list_all", "ListFunctionUrlConfigs", m{"FunctionName": f})
	},
	"TestLambdaUrl::test_url_config_deletion_without_qualifier": func(r *replay) {
		f := r.aliased("", "", "test-alias")
		fn, alias := m{"FunctionName": f}, m{"FunctionName": f, "Qualifier": "test-alias"}
		r.do("url_creation", "CreateFunctionUrlConfig", with(fn, m{"AuthType": "NONE"}))
		r.do("url_with_alias_creation", "CreateFunctionUrlConfig", with(alias, m{"AuthType": "NONE"}))
		r.do("get_url_config", "GetFunctionUrlConfig", fn)
		r.do("get_url_config_with_alias", "GetFunctionUrlConfig", alias)
		r.do("delete_function_url_config", "DeleteFunctionUrlConfig", fn)
		r.do("get_url_config_after_deletion", "GetFunctionUrlConfig", fn)
		r.do("get_url_config_with_alias_after_deletion", "GetFunctionUrlConfig", alias)
	},
	"TestLambdaUrl::test_url_config_exceptions": func(r *replay) {
		f := r.aliased("fn_version_result", "create_alias_result", "urlalias", node)
		for _, op := range []struct{ step, operation string }{
			{"create", "CreateFunctionUrlConfig"}, {"get", "GetFunctionUrlConfig"}, {"delete", "DeleteFunctionUrlConfig"}, {"update", "UpdateFunctionUrlConfig"},
		} {
			r.urlExceptions(f, op.step+"_function_url_config_", op.operation)
		}
	},
}

// urlExceptions calls an operation on what has no URL, in the ways that were recorded.
func (r *replay) urlExceptions(f, prefix, operation string) {
	arn := arnPrefix + "function:"
	do := func(step string, in m) {
		if operation == "CreateFunctionUrlConfig" {
			in["AuthType"] = "NONE"
		}
		r.do(prefix+step, operation, in)
	}
	do("name_doesnotexist", m{"FunctionName": "doesnotexist"})
	do("arn_doesnotexist", m{"FunctionName": arn + "doesnotexist"})
	do("name_doesnotexist_qualifier", m{"FunctionName": "doesnotexist", "Qualifier": "1"})
	do("qualifier_version", m{"FunctionName": f, "Qualifier": "1"})
	do("qualifier_version_doesnotexist", m{"FunctionName": f, "Qualifier": "2"})
	do("qualifier_alias_doesnotexist", m{"FunctionName": f, "Qualifier": "doesnotexist"})
	if mismatch := prefix + "qualifier_alias_doesnotmatch_arn"; r.recorded[mismatch] == "<aws_internal_failure>" {
		r.seen[mismatch] = true // a failure of AWS's own: nothing to agree with
	} else {
		do("qualifier_alias_doesnotmatch_arn", m{"FunctionName": arn + f + ":urlalias", "Qualifier": "doesnotmatch"})
	}
	do("qualifier_latest", m{"FunctionName": f, "Qualifier": "$LATEST"})
	if operation != "CreateFunctionUrlConfig" {
		do("config_doesnotexist", m{"FunctionName": f})
	}
}
