package recorded

import "strings"

// beyond are cases of what nothing here calls and the emulator does not have, by the beginning of their names.
var beyond = []struct{ prefix, reason string }{
	{"TestLambdaFunction::test_vpc_config", "needs EC2: subnets and security groups"},
	{"TestLambdaEventSourceMappings::", "event source mappings"},
	{"TestLambdaTag::test_tag_lifecycle[event_source_mapping]", "event source mappings"},
	{"TestLambdaTag::test_tag_exceptions[event_source_mapping]", "event source mappings"},
	{"TestLambdaTag::test_create_tag_on_esm_create", "event source mappings"},
	{"TestLambdaPermissions::", "permissions"},
	{"TestLambdaRevisions::test_function_revisions_permissions", "permissions"},
	{"TestLambdaUrl::", "function URLs"},
	{"TestLambdaEventInvokeConfig::", "event invoke configs"},
	{"TestLambdaTag::test_tag_exceptions[capacity_provider]", "capacity providers"},
}

// scope returns why a case is out of scope; "" where it is not.
func scope(name string) string {
	for _, b := range beyond {
		if strings.HasPrefix(name, b.prefix) {
			return b.reason
		}
	}
	return ""
}

// differs are cases in which the emulator does not do what was recorded, with the reason.
var differs = map[string]string{}
