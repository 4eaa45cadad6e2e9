package recorded

// allow is a permission for a service.
func allow(f, sid, service string, more ...m) m {
	return with(m{"FunctionName": f, "StatementId": sid, "Action": "lambda:InvokeFunction", "Principal": service + ".amazonaws.com"}, more...)
}

// ofBucket is the source of most permissions.
var ofBucket = m{"SourceArn": "arn:aws:s3:::bucket-of-the-recorder"}

func (r *replay) policy(step, f string, more ...m) m {
	r.t.Helper()
	return r.do(step, "GetPolicy", with(m{"FunctionName": f}, more...))
}

var permissionCases = map[string]func(*replay){
	"TestLambdaPermissions::test_add_lambda_permission_aws": func(r *replay) {
		f := name("f")
		r.help("create_lambda", f)
		r.do("add_permission", "AddPermission", allow(f, "s3", "s3", ofBucket))
		r.policy("get_policy", f)
	},
	"TestLambdaPermissions::test_remove_multi_permissions": func(r *replay) {
		f := name("f")
		r.help("", f)
		r.do("add_permission_1", "AddPermission", allow(f, "s3", "s3"))
		r.do("add_permission_2", "AddPermission", allow(f, "sqs", "sqs", ofBucket))
		r.policy("policy_after_2_add", f)
		remove := func(step, sid string) { r.do(step, "RemovePermission", m{"FunctionName": f, "StatementId": sid}) }
		remove("remove_permission_exception_nonexisting_sid", "non-existent")
		remove("", "sqs")
		r.policy("policy_after_removal", f)
		r.policy("policy_after_removal_attempt", f)
		remove("", "s3")
		r.policy("get_policy_exception_removed_all", f)
	},
	"TestLambdaPermissions::test_create_multiple_lambda_permissions": func(r *replay) {
		f := name("f")
		r.help("", f)
		r.do("add_permission_response_1", "AddPermission", allow(f, "logs", "logs"))
		r.do("add_permission_response_2", "AddPermission", allow(f, "kinesis", "kinesis"))
		r.policy("policy_after_2_add", f)
	},
	"TestLambdaPermissions::test_permission_exceptions":           permissionExceptions,
	"TestLambdaPermissions::test_add_lambda_permission_fields":    permissionFields,
	"TestLambdaPermissions::test_lambda_permission_fn_versioning": permissionVersions,
	"TestLambdaRevisions::test_function_revisions_permissions": func(r *replay) {
		f := name("f")
		r.help("", f)
		if recorded, ok := r.recorded["add_permission_revision_exception"].(m); ok { // with all headers, which other cases do without
			recorded["ResponseMetadata"] = m{"HTTPHeaders": m{}, "HTTPStatusCode": recorded["ResponseMetadata"].(m)["HTTPStatusCode"]}
		}
		r.do("add_permission_revision_exception", "AddPermission", allow(f, "s3", "s3", m{"RevisionId": "wrong"}))
	},
}

func permissionExceptions(r *replay) {
	f := name("f")
	r.help("", f)
	add := func(step string, in m) { r.do(step, "AddPermission", in) }
	add("add_permission_invalid_statement_id", allow(f, "example.com", "s3"))
	add("add_permission_fn_qualifier_mismatch", allow(f+":alias-not-42", "s3", "s3", m{"Qualifier": "42"}))
	add("add_permission_fn_qualifier_latest", allow(f, "s3", "s3", m{"Qualifier": "$LATEST"}))
	add("add_permission_principal_invalid", allow(f, "lambda", "", m{"Principal": "invalid.nonaws.com"}))
	r.policy("get_policy_fn_doesnotexist", "doesnotexist")
	r.policy("get_policy_fn_version_doesnotexist", f, m{"Qualifier": "42"})
	add("add_permission_fn_doesnotexist", allow("doesnotexist", "s3", "s3"))
	remove := func(step, function string) {
		r.do(step, "RemovePermission", m{"FunctionName": function, "StatementId": "s3"})
	}
	remove("remove_permission_policy_doesnotexist", f)
	add("add_permission_fn_alias_doesnotexist", allow(f+":alias-doesnotexist", "s3", "s3"))
	add("add_permission_fn_version_doesnotexist", allow(f+":42", "s3", "s3"))
	add("add_permission_fn_qualifier_invalid", allow(f, "s3", "s3", m{"Qualifier": "invalid-qualifier-with-?-char"}))
	add("add_permission_fn_qualifier_valid_doesnotexist", allow(f, "s3", "s3", m{"Qualifier": "valid-with-$-but-doesnotexist"}))
	add("", allow(f, "s3", "s3"))
	add("add_permission_conflicting_statement_id", allow(f, "s3", "s3"))
	remove("remove_permission_fn_doesnotexist", "doesnotexist")
	remove("remove_permission_fn_alias_doesnotexist", f+":alias-doesnotexist")
}

func permissionFields(r *replay) {
	f := name("f")
	r.help("", f)
	ours := m{"SourceAccount": account}
	principal := func(p string) m { return m{"Principal": p} }
	add := func(step string, in m) { r.do(step, "AddPermission", in) }
	add("add_permission_principal_wildcard", allow(f, "wilcard", "", principal("*"), ours))
	add("add_permission_principal_service", allow(f, "lambda", "lambda", ours))
	add("add_permission_principal_account", allow(f, "account-id", "", principal(account)))
	add("add_permission_principal_arn", allow(f, "user-arn", "", principal("arn:aws:iam::"+account+":user/recorder"), ours))
	add("add_permission_optional_fields", allow(f, "urlPermission", "", principal("*"), ours, ofBucket,
		m{"Action": "lambda:InvokeFunctionUrl", "PrincipalOrgID": "o-1234567890", "FunctionUrlAuthType": "NONE"}))
	add("add_permission_alexa_skill", allow(f, "alexaSkill", "", principal("*"), m{"EventSourceToken": "amzn1.ask.skill.xxxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"}))
}

func permissionVersions(r *replay) {
	f := name("f")
	r.help("", f)
	r.do("add_permission", "AddPermission", allow(f, "s3", "s3", ofBucket))
	r.policy("get_policy", f)
	r.publish("publish_version_result", f)
	r.get("get_function_result_after_publishing", f)
	r.policy("get_policy_after_publishing_latest", f)
	version, alias := m{"Qualifier": "1"}, m{"Qualifier": "permission-alias"}
	r.policy("get_policy_after_publishing_new_version", f, version)
	r.do("", "AddPermission", allow(f, "s3", "s3", ofBucket, version))
	r.policy("get_policy_version", f, version)
	r.do("create_alias_response", "CreateAlias", m{"FunctionName": f, "FunctionVersion": "1", "Name": "permission-alias"})
	r.do("get_alias", "GetAlias", m{"FunctionName": f, "Name": "permission-alias"})
	r.do("add_permission_alias_revision_exception", "AddPermission", allow(f, "s3", "s3", ofBucket, alias, m{"RevisionId": "wrong"}))
	r.do("", "AddPermission", allow(f, "s3", "s3", ofBucket, alias))
	r.policy("get_policy_alias", f, alias)
	r.policy("get_policy_after_adding_to_new_version", f)
	r.do("", "AddPermission", allow(f, "s3_2", "s3", ofBucket))
	r.policy("get_policy_after_adding_2", f)
}
