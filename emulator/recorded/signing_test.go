package recorded

var signingCases = map[string]func(*replay){
	"TestCodeSigningConfig::test_function_code_signing_config": func(r *replay) {
		f := name("f")
		r.help("", f)
		config := m{"CodeSigningConfigArn": r.signing()}
		of := m{"FunctionName": f}
		r.do("update_code_signing_config", "UpdateCodeSigningConfig", with(config, m{"CodeSigningPolicies": m{"UntrustedArtifactOnDeployment": "Warn"}}))
		r.do("get_code_signing_config", "GetCodeSigningConfig", config)
		r.do("put_function_code_signing_config", "PutFunctionCodeSigningConfig", with(of, config))
		r.do("get_function_code_signing_config", "GetFunctionCodeSigningConfig", of)
		list, _ := r.do("", "ListCodeSigningConfigs", m{})["CodeSigningConfigs"].([]any)
		if len(list) == 0 {
			list = []any{nil}
		}
		r.check("list_code_signing_configs", list[len(list)-1])
		r.do("list_functions_by_code_signing_config", "ListFunctionsByCodeSigningConfig", config)
		r.do("delete_function_code_signing_config", "DeleteFunctionCodeSigningConfig", of)
		r.do("delete_code_signing_config", "DeleteCodeSigningConfig", config)
	},
	"TestCodeSigningConfig::test_code_signing_not_found_excs": func(r *replay) {
		f := name("f")
		r.help("", f)
		arn := r.signing()
		config, wrong := m{"CodeSigningConfigArn": arn}, m{"CodeSigningConfigArn": arn[:max(1, len(arn))-1] + "x"}
		of, none := m{"FunctionName": f}, m{"FunctionName": "csc-test-doesnotexist"}
		r.do("delete_csc_notfound", "DeleteCodeSigningConfig", wrong)
		r.do("nothing_to_delete_response", "DeleteFunctionCodeSigningConfig", of)
		r.do("delete_function_csc_fnnotfound", "DeleteFunctionCodeSigningConfig", none)
		r.do("put_function_csc_invalid_fnname", "PutFunctionCodeSigningConfig", with(none, config))
		r.do("put_function_csc_invalid_csc_arn", "PutFunctionCodeSigningConfig", with(of, wrong))
		r.do("put_function_csc_invalid_both", "PutFunctionCodeSigningConfig", with(none, wrong))
		r.do("update_csc_invalid_csc_arn", "UpdateCodeSigningConfig", with(wrong, m{"Description": "new-description"}))
		r.do("update_csc_noupdates", "UpdateCodeSigningConfig", wrong)
		r.do("update_csc_noupdate_response", "UpdateCodeSigningConfig", config)
		r.do("get_csc_invalid", "GetCodeSigningConfig", wrong)
		r.do("get_function_csc_fnwithoutcsc", "GetFunctionCodeSigningConfig", of)
		r.do("get_function_csc_nonexistingfn", "GetFunctionCodeSigningConfig", none)
		r.do("list_functions_by_csc_fnwithoutcsc", "ListFunctionsByCodeSigningConfig", config)
		r.do("list_functions_by_csc_invalid_cscarn", "ListFunctionsByCodeSigningConfig", wrong)
	},
}

// signing makes a code signing configuration and returns its ARN.
func (r *replay) signing() string {
	r.t.Helper()
	return text(r.do("create_code_signing_config", "CreateCodeSigningConfig", m{
		"Description":         "Testing CodeSigning Config",
		"AllowedPublishers":   m{"SigningProfileVersionArns": []string{"arn:aws:signer:" + region + ":" + account + ":/signing-profiles/test"}},
		"CodeSigningPolicies": m{"UntrustedArtifactOnDeployment": "Enforce"},
	}), "CodeSigningConfig", "CodeSigningConfigArn")
}
