package recorded

import (
	"archive/zip"
	"bytes"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

var limitCases = map[string]func(*replay){
	"TestLambdaSizeLimits::test_oversized_lambda":               tooLargeUnzipped,
	"TestLambdaSizeLimits::test_oversized_unzipped_lambda":      tooLargeUnzipped,
	"TestLambdaSizeLimits::test_oversized_zipped_create_lambda": func(r *replay) { r.oversized(52_428_800+1024, nil) },
	"TestLambdaSizeLimits::test_oversized_request_create_lambda": func(r *replay) {
		r.oversized(52_428_800-1024, m{"Environment": m{"Variables": m{"largeKey": strings.Repeat("x", 18<<20)}}})
	},
	"TestLambdaSizeLimits::test_large_lambda": func(r *replay) {
		r.put("bucket", "large.zip", zipOfZeros(262_144_000-1000))
		r.create("create_function_large_zip", name("f"), m{"Handler": "handler.handler", "Timeout": 10, "Code": m{"S3Bucket": "bucket", "S3Key": "large.zip"}})
	},
	"TestLambdaSizeLimits::test_large_environment_variables_fails": func(r *replay) {
		r.help("failed_create_fn_result", name("f"), variables(rawVariables{{"LARGE_VAR", strings.Repeat("x", 4096-6-len("LARGE_VAR"))}}))
	},
	"TestLambdaSizeLimits::test_large_environment_fails_multiple_keys": func(r *replay) {
		r.help("failured_create_fn_result_multi_key", name("f"), variables(rawVariables{{"SMALL_VAR", "ok"}, {"LARGE_VAR", strings.Repeat("x", 4064)}}))
	},
	"TestLambdaSizeLimits::test_lambda_envvars_near_limit_succeeds": func(r *replay) {
		r.help("successful_create_fn_result", name("f"), variables(rawVariables{{"LARGE_VAR", strings.Repeat("x", 4096-7-len("LARGE_VAR"))}}))
	},
	"TestLambdaAccountSettings::test_account_settings": func(r *replay) {
		out := r.call("GetAccountSettings", m{})
		for _, member := range []string{"AccountLimit", "AccountUsage"} {
			values, _ := out[member].(m)
			out[member] = slices.Sorted(maps.Keys(values))
		}
		r.check("acc_settings_modded", out)
	},
	"TestLambdaAccountSettings::test_account_settings_total_code_size":               codeSizes,
	"TestLambdaAccountSettings::test_account_settings_total_code_size_config_update": codeSizesOfVersions,
	"TestLambdaReservedConcurrency::test_function_concurrency_exceptions": func(r *replay) {
		put := func(step, target string, n int) {
			r.do(step, "PutFunctionConcurrency", m{"FunctionName": target, "ReservedConcurrentExecutions": n})
		}
		put("put_function_concurrency_with_function_name_doesnotexist", "doesnotexist", 1)
		put("put_function_concurrency_with_function_name_doesnotexist_and_invalid_concurrency", "doesnotexist", 0)
		f := name("f")
		r.help("", f)
		put("put_function_concurrency_with_qualified_arn", arnPrefix+"function:"+f+":$LATEST", 0)
	},
	"TestLambdaReservedConcurrency::test_function_concurrency_limits": func(r *replay) {
		f := name("f")
		r.help("", f)
		most := r.concurrency()
		r.do("put_function_concurrency_account_limit_exceeded", "PutFunctionConcurrency", m{"FunctionName": f, "ReservedConcurrentExecutions": most + 1})
		r.do("put_function_concurrency_below_unreserved_min_value", "PutFunctionConcurrency", m{"FunctionName": f, "ReservedConcurrentExecutions": most})
	},
	"TestLambdaReservedConcurrency::test_function_concurrency": func(r *replay) {
		f := name("f")
		r.help("", f)
		r.do("put_function_concurrency_with_reserved_0", "PutFunctionConcurrency", m{"FunctionName": f, "ReservedConcurrentExecutions": 0})
		r.do("put_function_concurrency_with_reserved_1", "PutFunctionConcurrency", m{"FunctionName": f, "ReservedConcurrentExecutions": 1})
		r.do("get_function_concurrency", "GetFunctionConcurrency", m{"FunctionName": f})
		r.do("delete_response", "DeleteFunctionConcurrency", m{"FunctionName": f})
		r.do("get_function_concurrency_after_delete", "GetFunctionConcurrency", m{"FunctionName": f})
		r.do("", "PutFunctionConcurrency", m{"FunctionName": f, "ReservedConcurrentExecutions": r.concurrency() - 101})
	},
	"TestLambdaProvisionedConcurrency::test_provisioned_concurrency_limits": func(r *replay) {
		f := name("f")
		r.help("", f)
		version := text(r.publish("", f), "Version")
		most := r.concurrency()
		r.provision("put_provisioned_concurrency_account_limit_exceeded", f, version, most+1)
		r.provision("put_provisioned_concurrency_below_unreserved_min_value", f, version, most)
	},
	"TestLambdaProvisionedConcurrency::test_provisioned_concurrency_exceptions": provisionedExceptions,
	"TestLambdaProvisionedConcurrency::test_lambda_provisioned_lifecycle":       provisionedLifecycle,
}

// zipOfZeros packs a file of n zero bytes, which is small.
func zipOfZeros(n int64) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.Create("handler.py")
	if err == nil {
		_, err = io.CopyN(f, zeros{}, n)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // into memory
	}
	return out.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func tooLargeUnzipped(r *replay) {
	r.put("bucket", "large.zip", zipOfZeros(262_144_000+1))
	r.do("invalid_param_exc", "CreateFunction", function(name("f"), m{"Code": m{"S3Bucket": "bucket", "S3Key": "large.zip"}}))
}

// oversized sends code of so many bytes that cannot be made smaller.
func (r *replay) oversized(size int, more m) {
	code := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(code) // it never fails
	r.do("invalid_param_exc", "CreateFunction", function(name("f"), m{"Code": m{"ZipFile": code}}, more))
}

// rawVariables are written in their order: the service's error repeats it.
type rawVariables [][2]string

func variables(v rawVariables) m { return m{"Environment": m{"Variables": v}} }

// MarshalJSON writes an object.
func (v rawVariables) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	for i, pair := range v {
		out.WriteByte("{,"[min(i, 1)])
		out.WriteString(`"` + pair[0] + `":"` + pair[1] + `"`)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// usage is an entry of the account's settings.
func (r *replay) usage(group, entry string) int {
	values, _ := r.call("GetAccountSettings", m{})[group].(m)
	n, _ := values[entry].(float64)
	return int(n)
}

func (r *replay) concurrency() int { return r.usage("AccountLimit", "ConcurrentExecutions") }

func codeSizes(r *replay) {
	f, size := name("f"), r.usage("AccountUsage", "TotalCodeSize")
	grown := func(step string) {
		now := r.usage("AccountUsage", "TotalCodeSize")
		r.check(step, now-size)
		size = now
	}
	const code, layer = 276, 169 // as recorded
	r.help("", f, m{"Code": m{"ZipFile": zipSized(code)}})
	grown("total_code_size_diff_create_function")
	r.do("", "UpdateFunctionCode", m{"FunctionName": f, "ZipFile": zipSized(code), "Publish": true})
	grown("total_code_size_diff_update_function")
	r.settle(f)
	for _, step := range []string{"total_code_size_diff_publish_layer", "total_code_size_diff_publish_layer_version"} {
		r.do("", "PublishLayerVersion", m{"LayerName": "sized", "Content": m{"ZipFile": zipSized(layer)}})
		grown(step)
	}
}

func codeSizesOfVersions(r *replay) {
	f, size := name("f"), r.usage("AccountUsage", "TotalCodeSize")
	grown := func() int {
		now := r.usage("AccountUsage", "TotalCodeSize")
		defer func() { size = now }()
		return now - size
	}
	r.help("", f, m{"Runtime": "nodejs18.x", "Code": m{"ZipFile": zipSized(400)}})
	r.check("is_total_code_size_diff_create_function_more_than_200", grown() > 200)
	r.update("", f, m{"Runtime": "nodejs20.x"})
	r.check("total_code_size_diff_update_function_configuration", grown())
	r.publish("", f)
	r.check("is_total_code_size_diff_publish_version_after_config_update_more_than_200", grown() > 200)
}

func (r *replay) provision(step, f, qualifier string, n int) {
	r.t.Helper()
	r.do(step, "PutProvisionedConcurrencyConfig", m{"FunctionName": f, "Qualifier": qualifier, "ProvisionedConcurrentExecutions": n})
}

func provisionedExceptions(r *replay) {
	f := name("f")
	r.help("", f)
	version := text(r.publish("publish_version_result", f), "Version")
	for verb, operation := range map[string]string{"get": "GetProvisionedConcurrencyConfig", "delete": "DeleteProvisionedConcurrencyConfig"} {
		call := func(step, f, qualifier string) {
			r.do(verb+"_provisioned_"+step, operation, m{"FunctionName": f, "Qualifier": qualifier})
		}
		call("config_doesnotexist", f, version)
		call("functionname_doesnotexist", "doesnotexist", map[string]string{"get": "noalias", "delete": version}[verb])
		call("qualifier_doesnotexist", f, "noalias")
		call("version_doesnotexist", f, "10")
		call("latest", f, "$LATEST")
	}
	r.do("list_provisioned_noconfigs", "ListProvisionedConcurrencyConfigs", m{"FunctionName": f})
	r.do("list_provisioned_functionname_doesnotexist", "ListProvisionedConcurrencyConfigs", m{"FunctionName": "doesnotexist"})
	r.provision("put_provisioned_invalid_param_0", f, version, 0)
	r.provision("put_provisioned_functionname_doesnotexist_alias", "doesnotexist", "noalias", 1)
	r.provision("put_provisioned_functionname_doesnotexist_version", "doesnotexist", "1", 1)
	r.provision("put_provisioned_qualifier_doesnotexist", f, "doesnotexist", 1)
	r.provision("put_provisioned_version_doesnotexist", f, "10", 1)
	r.provision("put_provisioned_latest", f, "$LATEST", 1)
}

func provisionedLifecycle(r *replay) {
	f := name("f")
	r.help("", f)
	version := text(r.publish("publish_version_result", f), "Version")
	alias := "alias-1"
	r.do("create_alias_result", "CreateAlias", m{"FunctionName": f, "Name": alias, "FunctionVersion": version})
	of := func(qualifier string) m { return m{"FunctionName": f, "Qualifier": qualifier} }
	r.provision("put_provisioned_on_version", f, version, 1)
	r.provision("put_provisioned_on_alias_versionconflict", f, alias, 1)
	r.do("delete_provisioned_version", "DeleteProvisionedConcurrencyConfig", of(version))
	r.do("get_provisioned_version_postdelete", "GetProvisionedConcurrencyConfig", of(version))
	r.provision("put_provisioned_on_alias", f, alias, 1)
	r.provision("put_provisioned_on_version_conflict", f, version, 1)
	r.do("delete_alias_result", "DeleteAlias", m{"FunctionName": f, "Name": alias})
	r.do("get_provisioned_alias_postaliasdelete", "GetProvisionedConcurrencyConfig", of(alias))
	r.do("list_response_postdeletes", "ListProvisionedConcurrencyConfigs", m{"FunctionName": f})
}
