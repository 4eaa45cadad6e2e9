package recorded

// shape is where an operation is called, and which of its members are in the query.
type shape struct {
	method, path string
	query        map[string]string
}

var (
	qualified = map[string]string{"Qualifier": "Qualifier"}
	paged     = map[string]string{"Marker": "Marker", "MaxItems": "MaxItems"}
	revised   = map[string]string{"RevisionId": "RevisionId"}
)

// operations are those of AWS's API model for Lambda (2015-03-31) that the cases call.
var operations = map[string]shape{
	"CreateFunction":                     {"POST", "/2015-03-31/functions", nil},
	"ListFunctions":                      {"GET", "/2015-03-31/functions", map[string]string{"FunctionVersion": "FunctionVersion", "Marker": "Marker", "MaxItems": "MaxItems"}},
	"GetFunction":                        {"GET", "/2015-03-31/functions/{FunctionName}", qualified},
	"DeleteFunction":                     {"DELETE", "/2015-03-31/functions/{FunctionName}", qualified},
	"GetFunctionConfiguration":           {"GET", "/2015-03-31/functions/{FunctionName}/configuration", qualified},
	"UpdateFunctionConfiguration":        {"PUT", "/2015-03-31/functions/{FunctionName}/configuration", nil},
	"UpdateFunctionCode":                 {"PUT", "/2015-03-31/functions/{FunctionName}/code", nil},
	"Invoke":                             {"POST", "/2015-03-31/functions/{FunctionName}/invocations", qualified},
	"PublishVersion":                     {"POST", "/2015-03-31/functions/{FunctionName}/versions", nil},
	"ListVersionsByFunction":             {"GET", "/2015-03-31/functions/{FunctionName}/versions", paged},
	"CreateAlias":                        {"POST", "/2015-03-31/functions/{FunctionName}/aliases", nil},
	"GetAlias":                           {"GET", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", nil},
	"UpdateAlias":                        {"PUT", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", nil},
	"DeleteAlias":                        {"DELETE", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", nil},
	"ListAliases":                        {"GET", "/2015-03-31/functions/{FunctionName}/aliases", map[string]string{"FunctionVersion": "FunctionVersion", "Marker": "Marker", "MaxItems": "MaxItems"}},
	"PutFunctionConcurrency":             {"PUT", "/2017-10-31/functions/{FunctionName}/concurrency", nil},
	"GetFunctionConcurrency":             {"GET", "/2019-09-30/functions/{FunctionName}/concurrency", nil},
	"DeleteFunctionConcurrency":          {"DELETE", "/2017-10-31/functions/{FunctionName}/concurrency", nil},
	"PutProvisionedConcurrencyConfig":    {"PUT", "/2019-09-30/functions/{FunctionName}/provisioned-concurrency", qualified},
	"GetProvisionedConcurrencyConfig":    {"GET", "/2019-09-30/functions/{FunctionName}/provisioned-concurrency", qualified},
	"DeleteProvisionedConcurrencyConfig": {"DELETE", "/2019-09-30/functions/{FunctionName}/provisioned-concurrency", qualified},
	"ListProvisionedConcurrencyConfigs":  {"GET", "/2019-09-30/functions/{FunctionName}/provisioned-concurrency?List=ALL", paged},
	"TagResource":                        {"POST", "/2017-03-31/tags/{Resource}", nil},
	"UntagResource":                      {"DELETE", "/2017-03-31/tags/{Resource}", map[string]string{"TagKeys": "tagKeys"}},
	"ListTags":                           {"GET", "/2017-03-31/tags/{Resource}", nil},
	"GetAccountSettings":                 {"GET", "/2016-08-19/account-settings", nil},
	"PutFunctionRecursionConfig":         {"PUT", "/2024-08-31/functions/{FunctionName}/recursion-config", nil},
	"GetFunctionRecursionConfig":         {"GET", "/2024-08-31/functions/{FunctionName}/recursion-config", nil},
	"GetFunctionCodeSigningConfig":       {"GET", "/2020-06-30/functions/{FunctionName}/code-signing-config", nil},
	"PutFunctionCodeSigningConfig":       {"PUT", "/2020-06-30/functions/{FunctionName}/code-signing-config", nil},
	"DeleteFunctionCodeSigningConfig":    {"DELETE", "/2020-06-30/functions/{FunctionName}/code-signing-config", nil},
	"CreateCodeSigningConfig":            {"POST", "/2020-04-22/code-signing-configs", nil},
	"ListCodeSigningConfigs":             {"GET", "/2020-04-22/code-signing-configs", paged},
	"GetCodeSigningConfig":               {"GET", "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}", nil},
	"UpdateCodeSigningConfig":            {"PUT", "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}", nil},
	"DeleteCodeSigningConfig":            {"DELETE", "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}", nil},
	"ListFunctionsByCodeSigningConfig":   {"GET", "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}/functions", paged},
	"PublishLayerVersion":                {"POST", "/2018-10-31/layers/{LayerName}/versions", nil},
	"ListLayerVersions":                  {"GET", "/2018-10-31/layers/{LayerName}/versions", paged},
	"GetLayerVersion":                    {"GET", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}", nil},
	"DeleteLayerVersion":                 {"DELETE", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}", nil},
	"GetLayerVersionByArn":               {"GET", "/2018-10-31/layers?find=LayerVersion", map[string]string{"Arn": "Arn"}},
	"ListLayers":                         {"GET", "/2018-10-31/layers", map[string]string{"CompatibleRuntime": "CompatibleRuntime", "CompatibleArchitecture": "CompatibleArchitecture"}},
	"AddLayerVersionPermission":          {"POST", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy", revised},
	"GetLayerVersionPolicy":              {"GET", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy", nil},
	"RemoveLayerVersionPermission":       {"DELETE", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy/{StatementId}", revised},
	"GetFunctionUrlConfig":               {"GET", "/2021-10-31/functions/{FunctionName}/url", qualified},
	"GetFunctionEventInvokeConfig":       {"GET", "/2019-09-25/functions/{FunctionName}/event-invoke-config", qualified},
	"CreateFunctionUrlConfig":            {"POST", "/2021-10-31/functions/{FunctionName}/url", qualified},
	"UpdateFunctionUrlConfig":            {"PUT", "/2021-10-31/functions/{FunctionName}/url", qualified},
	"DeleteFunctionUrlConfig":            {"DELETE", "/2021-10-31/functions/{FunctionName}/url", qualified},
	"ListFunctionUrlConfigs":             {"GET", "/2021-10-31/functions/{FunctionName}/urls", paged},
	"PutFunctionEventInvokeConfig":       {"PUT", "/2019-09-25/functions/{FunctionName}/event-invoke-config", qualified},
	"UpdateFunctionEventInvokeConfig":    {"POST", "/2019-09-25/functions/{FunctionName}/event-invoke-config", qualified},
	"DeleteFunctionEventInvokeConfig":    {"DELETE", "/2019-09-25/functions/{FunctionName}/event-invoke-config", qualified},
	"ListFunctionEventInvokeConfigs":     {"GET", "/2019-09-25/functions/{FunctionName}/event-invoke-config/list", paged},
	"AddPermission":                      {"POST", "/2015-03-31/functions/{FunctionName}/policy", qualified},
	"GetPolicy":                          {"GET", "/2015-03-31/functions/{FunctionName}/policy", qualified},
	"RemovePermission":                   {"DELETE", "/2015-03-31/functions/{FunctionName}/policy/{StatementId}", map[string]string{"Qualifier": "Qualifier", "RevisionId": "RevisionId"}},
	"CreateEventSourceMapping":           {"POST", "/2015-03-31/event-source-mappings", nil},
	"GetEventSourceMapping":              {"GET", "/2015-03-31/event-source-mappings/{UUID}", nil},
	"UpdateEventSourceMapping":           {"PUT", "/2015-03-31/event-source-mappings/{UUID}", nil},
	"DeleteEventSourceMapping":           {"DELETE", "/2015-03-31/event-source-mappings/{UUID}", nil},
}
