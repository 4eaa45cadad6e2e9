package recorded

import "strings"

// beyond are cases of what nothing here calls and the emulator does not have, by the beginning of their names.
var beyond = []struct{ prefix, reason string }{
	{"TestLambdaFunction::test_vpc_config", "needs EC2: subnets and security groups"},
	{"TestLambdaEventSourceMappings::test_event_source_mapping_lifecycle", "needs DynamoDB: tables and their streams"},
	{"TestLambdaPermissions::test_add_lambda_permission_optional_fields", "nothing was recorded"},
	{"TestLambdaPermissions::test_lambda_permission_versioning", "of 2022; newer is test_lambda_permission_fn_versioning, which has other revisions"},
	{"TestLambdaPermissions::test_lambda_permission_revisions", "of 2022; newer is test_lambda_permission_fn_versioning, which has other revisions"},
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
