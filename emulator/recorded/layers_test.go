package recorded

import "fmt"

var layerCases = func() map[string]func(*replay) {
	const of = "TestLambdaLayer::test_layer_"
	cases := map[string]func(*replay){
		of + "exceptions":          layerExceptions,
		of + "function_exceptions": layersOfFunctions,
		of + "lifecycle":           layerLifecycle,
		of + "policy_exceptions":   layerPolicyExceptions,
		of + "policy_lifecycle":    layerPolicyLifecycle,
		of + "function_quota_exception": func(r *replay) {
			var arns []string
			for i := range 6 {
				out := r.do("", "PublishLayerVersion", layer(fmt.Sprintf("layer-%d", i), m{"CompatibleRuntimes": []string{}}))
				arns = append(arns, text(out, "LayerVersionArn"))
			}
			r.help("create_function_with_six_layers", name("f"), m{"Layers": arns})
		},
		of + "s3_content": func(r *replay) {
			r.put("bucket", "layercontent.zip", zipOf(layerText))
			r.do("publish_layer_result", "PublishLayerVersion", m{"LayerName": name("layer"), "Content": m{"S3Bucket": "bucket", "S3Key": "layercontent.zip"}})
		},
	}
	for i := range 3 {
		cases[fmt.Sprintf("%scompatibilities[runtimes%d]", of, i)] = func(r *replay) {
			recorded, _ := r.recorded["publish_result"].(m)
			r.do("publish_result", "PublishLayerVersion", layer(name("layer"), m{
				"CompatibleRuntimes": recorded["CompatibleRuntimes"], "CompatibleArchitectures": recorded["CompatibleArchitectures"],
			}))
		}
	}
	return cases
}()

// layer is what most cases publish.
func layer(name string, more ...m) m {
	return with(m{"LayerName": name, "Content": m{"ZipFile": zipOf(layerText)}, "CompatibleRuntimes": []string{"python3.12"}, "CompatibleArchitectures": []string{"x86_64"}}, more...)
}

func version(layer string, number int, more ...m) m {
	return with(m{"LayerName": layer, "VersionNumber": number}, more...)
}

func layerExceptions(r *replay) {
	l, none := name("layer"), "layerdoesnotexist"
	arn := text(r.do("publish_result", "PublishLayerVersion", layer(l)), "LayerArn")
	r.do("list_layers_exc_compatibleruntime_invalid", "ListLayers", m{"CompatibleRuntime": "runtimedoesnotexist"})
	r.do("list_layers_exc_compatiblearchitecture_invalid", "ListLayers", m{"CompatibleArchitecture": "archdoesnotexist"})
	r.do("list_nonexistent_layer", "ListLayerVersions", m{"LayerName": none})
	r.do("get_layer_version_exc_layer_doesnotexist", "GetLayerVersion", version(none, 1))
	r.do("get_layer_version_exc_layer_version_doesnotexist_negative", "GetLayerVersion", version(l, -1))
	r.do("get_layer_version_exc_layer_version_doesnotexist_zero", "GetLayerVersion", version(l, 0))
	r.do("get_layer_version_exc_layer_version_doesnotexist_2", "GetLayerVersion", version(l, 2))
	r.do("get_layer_version_by_arn_exc_invalidarn", "GetLayerVersionByArn", m{"Arn": arn})
	r.do("get_layer_version_by_arn_exc_nonexistentversion", "GetLayerVersionByArn", m{"Arn": arn + ":2"})
	r.do("delete_nonexistent_response", "DeleteLayerVersion", version(none, 1))
	r.do("delete_nonexistent_version_response", "DeleteLayerVersion", version(l, 2))
	r.do("delete_layer_response", "DeleteLayerVersion", version(l, 1))
	r.do("delete_layer_again_response", "DeleteLayerVersion", version(l, 1))
	r.do("delete_layer_version_exc_layerversion_invalid_version", "DeleteLayerVersion", version(l, -1))
	publish := func(step string, runtimes, architectures []string) {
		r.do(step, "PublishLayerVersion", layer(name("layer"), m{"CompatibleRuntimes": runtimes, "CompatibleArchitectures": architectures}))
	}
	publish("publish_empty_result", []string{}, []string{})
	publish("publish_layer_version_exc_invalid_runtime_arch", []string{"invalidruntime"}, []string{"invalidarch"})
	publish("publish_layer_version_exc_partially_invalid_values", []string{"invalidruntime", "invalidruntime2", "nodejs20.x"}, []string{"invalidarch", "x86_64"})
}

func layersOfFunctions(r *replay) {
	l, f := name("layer"), name("f")
	var arns []string
	var unversioned string
	for _, step := range []string{"publish_result", "publish_result_2", "publish_result_3"} {
		out := r.do(step, "PublishLayerVersion", layer(l, m{"CompatibleRuntimes": []string{}}))
		arns, unversioned = append(arns, text(out, "LayerVersionArn")), text(out, "LayerArn")
	}
	r.help("", f)
	r.get("get_fn_result", f)
	use := func(step string, layers ...string) { r.update(step, f, m{"Layers": layers}) }
	use("two_layer_versions_single_function_exc", arns[0], arns[1])
	use("three_layer_versions_single_function_exc", arns...)
	use("two_identical_layer_versions_single_function_exc", arns[0], arns[0])
	use("add_nonexistent_layer_exc", arnPrefix+"layer:doesnotexist:1")
	use("add_nonexistent_layer_version_exc", unversioned+":9")
	use("add_layer_arn_without_version_exc", unversioned)
	r.help("create_function_with_layer_in_different_region", name("f"), m{"Layers": []string{"arn:aws:lambda:" + wrongRegion + ":" + account + ":layer:" + l + ":1"}})
}

func layerLifecycle(r *replay) {
	l, f := name("layer"), name("f")
	described := m{"LicenseInfo": "licenseinfo-1", "Description": "description-1"}
	r.help("", f)
	r.get("get_fn_result", f)
	r.config("get_fn_config_result", f)
	arn := text(r.do("publish_result", "PublishLayerVersion", layer(l, described)), "LayerVersionArn")
	r.do("publish_result_2", "PublishLayerVersion", layer(l, described))
	r.update("update_fn_config", f, m{"Layers": []string{arn}})
	r.config("get_fn_config", f)
	r.do("get_layer_ver_result", "GetLayerVersion", version(l, 1))
	r.do("get_layer_by_arn_version", "GetLayerVersionByArn", m{"Arn": arn})
	r.do("list_layer_versions_predelete", "ListLayerVersions", m{"LayerName": l})
	r.do("delete_layer_1", "DeleteLayerVersion", version(l, 1))
	r.config("get_fn_config_postdelete", f)
	r.do("delete_layer_2", "DeleteLayerVersion", version(l, 2))
	r.do("list_layer_versions_postdelete", "ListLayerVersions", m{"LayerName": l})
	r.do("publish_result_3", "PublishLayerVersion", layer(l, described))
}

func statement(id string, more ...m) m {
	return with(m{"StatementId": id, "Action": "lambda:GetLayerVersion", "Principal": "*"}, more...)
}

func layerPolicyExceptions(r *replay) {
	l := name("layer")
	none := l + "-doesnotexist"
	r.do("publish_result", "PublishLayerVersion", layer(l))
	add := func(step, layer string, number int, statement m) {
		r.do(step, "AddLayerVersionPermission", version(layer, number, statement))
	}
	remove := func(step, layer string, number int, statement m) {
		r.do(step, "RemoveLayerVersionPermission", version(layer, number, statement))
	}
	s1 := m{"StatementId": "s1"}
	r.do("layer_permission_nopolicy_get", "GetLayerVersionPolicy", version(l, 1))
	add("add_layer_permission_result", l, 1, statement("s1"))
	add("layer_permission_action_invalid", l, 1, statement("s2", m{"Action": "*"}))
	add("layer_permission_duplicate_statement", l, 1, statement("s1"))
	add("layer_permission_wrong_revision", l, 1, statement("s2", m{"RevisionId": "wrong"}))
	add("layer_permission_layername_doesnotexist_add", none, 1, statement("s3"))
	r.do("layer_permission_layername_doesnotexist_get", "GetLayerVersionPolicy", version(none, 1))
	remove("layer_permission_layername_doesnotexist_remove", none, 1, s1)
	add("layer_permission_layerversion_doesnotexist_add", l, 2, statement("s3"))
	r.do("layer_permission_layerversion_doesnotexist_get", "GetLayerVersionPolicy", version(l, 2))
	remove("layer_permission_layerversion_doesnotexist_remove", l, 2, s1)
	remove("layer_permission_statementid_doesnotexist_remove", l, 1, m{"StatementId": "doesnotexist"})
	remove("layer_permission_wrong_revision_remove", l, 1, with(s1, m{"RevisionId": "wrong"}))
}

func layerPolicyLifecycle(r *replay) {
	l := name("layer")
	r.do("publish_result", "PublishLayerVersion", layer(l))
	policy := func(step string) m {
		return m{"RevisionId": r.do(step, "GetLayerVersionPolicy", version(l, 1))["RevisionId"]}
	}
	r.do("add_policy_s1", "AddLayerVersionPermission", version(l, 1, statement("s1")))
	revision := policy("get_layer_version_policy")
	r.do("add_policy_s2", "AddLayerVersionPermission", version(l, 1, statement("s2"), revision))
	revision = policy("get_layer_version_policy_postadd2")
	r.do("remove_s2", "RemoveLayerVersionPermission", version(l, 1, m{"StatementId": "s2"}, revision))
	policy("get_layer_version_policy_postdeletes2")
}
