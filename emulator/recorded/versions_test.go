package recorded

import (
	"fmt"
	"strings"
)

var versionCases = map[string]func(*replay){
	"TestLambdaVersions::test_publish_version_on_create":             publishOnCreate,
	"TestLambdaVersions::test_version_lifecycle":                     versionLifecycle,
	"TestLambdaVersions::test_publish_with_wrong_revisionid":         wrongRevision,
	"TestLambdaVersions::test_publish_with_wrong_sha256":             wrongSha256,
	"TestLambdaVersions::test_publish_with_update":                   publishWithUpdate,
	"TestLambdaRevisions::test_function_revisions_basic":             revisions,
	"TestLambdaRevisions::test_function_revisions_version_and_alias": revisionsOfVersions,
	"TestLambdaAlias::test_alias_lifecycle":                          aliasLifecycle,
	"TestLambdaAlias::test_notfound_and_invalid_routingconfigs":      routing,
	"TestLambdaAlias::test_alias_naming":                             aliasNaming,
	"TestLambdaAlias::test_non_existent_alias_deletion": func(r *replay) {
		f := name("f")
		r.create("create_response", f, staging)
		r.do("delete_alias_response", "DeleteAlias", m{"FunctionName": f, "Name": "non-existent"})
	},
	"TestLambdaAlias::test_non_existent_alias_update": func(r *replay) {
		f := name("f")
		r.create("create_response", f, staging)
		r.do("update_alias_response", "UpdateAlias", m{"FunctionName": f, "Name": "non-existent"})
	},
}

var (
	staging    = m{"Environment": m{"Variables": m{"testenv": "staging"}}}
	production = m{"Environment": m{"Variables": m{"testenv": "prod"}}}
)

func (r *replay) publish(step, name string, more ...m) m {
	r.t.Helper()
	return r.do(step, "PublishVersion", with(m{"FunctionName": name}, more...))
}

func (r *replay) versions(step, name string) {
	r.t.Helper()
	r.do(step, "ListVersionsByFunction", m{"FunctionName": name})
}

func publishOnCreate(r *replay) {
	f := name("f")
	r.create("create_response", f, m{"Publish": true})
	r.get("get_function_result", f)
	r.get("get_function_version_result", f, "1")
	r.get("get_function_latest_result", f, "$LATEST")
	r.versions("list_versions_result", f)
	r.publish("repeated_publish_response", f, m{"Description": "Repeated version description :)"})
	r.versions("list_versions_result_after_publish", f)
}

func versionLifecycle(r *replay) {
	f := name("f")
	r.create("create_response", f, m{"Description": "No version :("})
	r.get("get_function_result", f)
	r.versions("list_versions_result", f)
	r.update("first_update_response", f, m{"Description": "First version :)"})
	r.get("first_update_get_function", f)
	first := text(r.publish("first_publish_response", f, m{"Description": "First version description :)"}), "Version")
	r.get("first_publish_get_function", f, first)
	r.do("first_publish_get_function_config", "GetFunctionConfiguration", m{"FunctionName": f, "Qualifier": first})
	r.update("second_update_response", f, m{"Description": "Second version :))"})
	r.get("first_publish_get_function_after_update", f, first)
	r.publish("second_publish_response", f)
	r.publish("third_publish_response", f, m{"Description": "Third version description :)))"})
	r.versions("list_versions_result_after_third_publish", f)
	r.do("", "DeleteFunction", m{"FunctionName": f + ":" + first})
	r.versions("list_versions_result_after_deletion_of_first_version", f)
}

func wrongRevision(r *replay) {
	f := name("f")
	r.create("create_response", f, m{"Runtime": "python3.9"})
	out := r.get("get_fn_response", f)
	r.publish("publish_wrong_revisionid_exc", f, m{"RevisionId": "doesntexist"})
	r.publish("publish_result", f, m{"RevisionId": text(out, "Configuration", "RevisionId")})
}

func wrongSha256(r *replay) {
	f := name("f")
	r.create("create_response", f)
	out := r.get("get_fn_response", f)
	r.publish("publish_wrong_sha256_exc", f, m{"CodeSha256": "somenonexistentsha256"})
	r.publish("publish_result", f, m{"CodeSha256": text(out, "Configuration", "CodeSha256")})
}

func publishWithUpdate(r *replay) {
	f := name("f")
	r.create("create_response", f)
	r.get("get_function_result", f)
	release := r.hold()
	r.do("update_function_code_result", "UpdateFunctionCode", m{"FunctionName": f, "ZipFile": zipOf(versionText), "Publish": true})
	r.get("get_function_version_result", f, "1")
	r.get("get_function_latest_result", f, "$LATEST")
	release()
}

func revisions(r *replay) {
	f := name("f")
	code := m{"Code": m{"ZipFile": zipOf(echoText)}, "Handler": "index.handler"}
	r.help("create_function_response_rev1", f, code)
	revision := text(r.get("get_function_response_rev2", f), "Configuration", "RevisionId")
	update := m{"FunctionName": f, "ZipFile": zipOf(echoText)}
	r.do("update_function_revision_exception", "UpdateFunctionCode", with(update, m{"RevisionId": "wrong"}))
	r.do("update_function_code_response_rev3", "UpdateFunctionCode", with(update, m{"RevisionId": revision}))
	r.settle(f)
	revision = text(r.get("get_function_response_rev4", f), "Configuration", "RevisionId")
	r.update("update_function_configuration_revision_exception", f, m{"Runtime": "python3.8", "RevisionId": "wrong"})
	r.update("update_function_configuration_response_rev5", f, m{"Runtime": "python3.8", "RevisionId": revision})
	r.get("get_function_response_rev6", f)
}

func revisionsOfVersions(r *replay) {
	f := name("f")
	r.help("create_function_response_rev1", f)
	revision := text(r.get("get_function_active_rev2", f), "Configuration", "RevisionId")
	r.publish("publish_version_revision_exception", f, m{"RevisionId": "wrong"})
	version := text(r.publish("publish_version_response_rev_v1", f, m{"RevisionId": revision}), "Version")
	r.get("get_function_published_version_rev_v2", f, version)
	r.get("get_function_latest_rev3", f)
	alias := m{"FunctionName": f, "Name": "revision_alias"}
	revision = text(r.do("create_alias_response_rev_a1", "CreateAlias", with(alias, m{"FunctionVersion": version})), "RevisionId")
	r.get("get_function_latest_rev4", f)
	r.get("get_function_published_version_rev_v3", f, version)
	r.do("update_alias_revision_exception", "UpdateAlias", with(alias, m{"RevisionId": "wrong"}))
	r.do("update_alias_response_rev_a2", "UpdateAlias", with(alias, m{"RevisionId": revision, "Description": "something changed"}))
}

// twoVersions publishes a function twice, with another environment.
func (r *replay) twoVersions(f string) {
	r.t.Helper()
	r.publish("publish_v1", f)
	r.update("", f, production)
	r.publish("publish_v2", f)
}

func aliasLifecycle(r *replay) {
	f := name("f")
	r.create("create_response", f, staging)
	r.twoVersions(f)
	described := m{"Description": "custom-alias"}
	var arn string
	for _, a := range []struct {
		step, name, version string
		more                m
	}{
		{"1_1", "aliasname1_1", "1", with(described, m{"RoutingConfig": m{"AdditionalVersionWeights": m{"2": 0.2}}})},
		{"1_2", "aliasname1_2", "1", described}, {"1_3", "aliasname1_3", "1", m{}}, {"2", "aliasname2", "2", described},
	} {
		alias := m{"FunctionName": f, "Name": a.name}
		out := r.do("create_alias_"+a.step, "CreateAlias", with(alias, m{"FunctionVersion": a.version}, a.more))
		r.do("get_alias_"+a.step, "GetAlias", alias)
		if a.step == "1_1" {
			arn = text(out, "AliasArn")
			r.get("get_function_alias_1_1", f, a.name)
			r.get("get_function_byarn_alias_1_1", arn)
			r.get("get_function_alias_notfound_exc", f, "aliasdoesnotexist")
			r.get("get_function_alias_byarn_notfound_exc", strings.ReplaceAll(arn, a.name, "aliasdoesnotexist"))
		}
	}
	list := func(step string, more ...m) { r.do(step, "ListAliases", with(m{"FunctionName": f}, more...)) }
	r.check("list_aliases_for_fnname", m{"Aliases": r.pages("ListAliases", "Aliases", m{"FunctionName": f, "MaxItems": 1}, 4)})
	first, second := m{"FunctionName": f, "Name": "aliasname1_1"}, m{"FunctionName": f, "Name": "aliasname1_2"}
	r.do("update_alias_1_1", "UpdateAlias", with(first, m{"RoutingConfig": m{"AdditionalVersionWeights": m{}}}))
	r.do("get_alias_1_1_after_update", "GetAlias", first)
	list("list_aliases_for_fnname_after_update")
	r.do("update_alias_1_2", "UpdateAlias", second)
	r.do("get_alias_1_2_after_update", "GetAlias", second)
	list("list_aliases_for_fnname_after_update_2")
	list("list_aliases_for_version", m{"FunctionVersion": "1"})
	r.do("delete_alias_response", "DeleteAlias", first)
	list("list_aliases_for_fnname_afterdelete")
}

func routing(r *replay) {
	f := name("f")
	r.create("create_response", f, staging, m{"Publish": true})
	r.twoVersions(f)
	alias := func(step, name, version string, weights m) {
		in := m{"FunctionName": f, "Name": name, "FunctionVersion": version}
		if weights != nil {
			in["RoutingConfig"] = m{"AdditionalVersionWeights": weights}
		}
		r.do(step, "CreateAlias", in)
	}
	half := m{"2": 0.5}
	alias("routing_config_exc_toomany", "custom", "1", m{"1": 0.8, "2": 0.2})
	alias("routing_config_exc_toohigh", "custom", "1", m{"2": 2})
	alias("routing_config_exc_subzero", "custom", "1", m{"2": -1})
	alias("routing_config_exc_sameversion", "custom", "1", m{"1": 0.5})
	alias("target_version_doesnotexist", "custom", "10", half)
	alias("routing_config_exc_version_doesnotexist", "custom", "1", m{"10": 0.5})
	alias("target_version_exc_version_latest", "custom", "$LATEST", m{"1": 0.5})
	alias("routing_config_exc_version_latest", "custom", "1", m{"$LATEST": 0.5})
	alias("create-alias-latest", "custom-latest", "$LATEST", nil)
	r.do("routing_config_exc_fn_doesnotexist", "CreateAlias", m{
		"FunctionName": f + "-unknown", "Name": "custom", "FunctionVersion": "1", "RoutingConfig": m{"AdditionalVersionWeights": half},
	})
	alias("create_alias_empty_routingconfig", "custom-empty-routingconfig", "1", m{})
	alias("create_alias_response", "custom", "1", half)
	alias("routing_config_exc_already_exist", "custom", "1", half)
	r.do("alias_does_not_exist_esc", "GetAlias", m{"FunctionName": f, "Name": "non-existent"})
}

func aliasNaming(r *replay) {
	f := name("f")
	r.create("create_response", f, staging)
	r.publish("publish_v1", f)
	alias := m{"FunctionName": f, "Name": "2024-01-02", "FunctionVersion": "1", "Description": "custom-alias"}
	r.do("create_alias_date", "CreateAlias", alias)
	r.do("get_alias_date", "GetAlias", m{"FunctionName": f, "Name": "2024-01-02"})
	r.do("create_alias_number_exception", "CreateAlias", with(alias, m{"Name": "2024"}))
}

var snapStartRuntimes = []string{"java11", "java17", "java21", "java25", "python3.12", "python3.13", "dotnet8", "dotnet10"}

var settingCases = func() map[string]func(*replay) {
	cases := map[string]func(*replay){
		"TestLambdaSnapStart::test_snapstart_exceptions": func(r *replay) {
			r.do("create_function_invalid_snapstart_apply", "CreateFunction", function(name("f"), m{"Runtime": "java21", "SnapStart": m{"ApplyOn": "invalidOption"}}))
		},
		"TestLoggingConfig::test_function_advanced_logging_configuration": func(r *replay) {
			f := r.logged(m{"LogFormat": "JSON"})
			r.update("updated_config", f, m{"LoggingConfig": m{"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", "LogGroup": "cool_lambda"}})
			r.config("received_config", f)
		},
		"TestLoggingConfig::test_advanced_logging_configuration_format_switch": func(r *replay) {
			f := r.logged(nil)
			for suffix, format := range map[string]string{"": "JSON", "_v2": "Text"} {
				defer func() { // JSON first
					r.update("updated_config"+suffix, f, m{"LoggingConfig": m{"LogFormat": format}})
					r.config("received_config"+suffix, f)
				}()
			}
		},
	}
	for i, config := range []m{{"LogFormat": "JSON"}, {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"}, {"LogFormat": "JSON", "SystemLogLevel": "DEBUG"}, {"LogGroup": "cool_lambda"}} {
		cases[fmt.Sprintf("TestLoggingConfig::test_function_partial_advanced_logging_configuration_update[partial_config%d]", i)] = func(r *replay) {
			f := r.logged(nil)
			r.update("updated_config", f, m{"LoggingConfig": config})
			r.config("received_config", f)
		}
	}
	for _, runtime := range snapStartRuntimes {
		cases["TestLambdaSnapStart::test_snapstart_lifecycle["+runtime+"]"] = func(r *replay) {
			f := r.snapStarted(runtime)
			version := text(r.publish("", f, m{"Description": "version1"}), "Version")
			r.get("get_function_response_latest", f)
			r.get("get_function_response_version_1", f+":"+version)
		}
		cases["TestLambdaSnapStart::test_snapstart_update_function_configuration["+runtime+"]"] = func(r *replay) {
			r.update("update_function_response", r.snapStarted(runtime), m{"SnapStart": m{"ApplyOn": "PublishedVersions"}})
		}
	}
	return cases
}()

// logged makes a function with a logging configuration.
func (r *replay) logged(config m) string {
	r.t.Helper()
	f := name("f")
	more := m{"MemorySize": 256, "Timeout": 5}
	if config != nil {
		more["LoggingConfig"] = config
	}
	r.help("create_response", f, more)
	r.get("get_function_response", f)
	r.config("function_config", f)
	return f
}

// snapStarted makes a function of a runtime that has SnapStart, with the handler that the recorder's sample has.
func (r *replay) snapStarted(runtime string) string {
	r.t.Helper()
	f := name("f")
	recorded, _ := r.recorded["create_function_response"].(m)
	r.create("create_function_response", f, m{"Runtime": runtime, "Handler": recorded["Handler"], "MemorySize": 1024, "Timeout": 5})
	return f
}
