package aws

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// processVariable carries a deployment's envProcess to bootstrap.
const processVariable = "FAAS_LAMBDA_PROCESS"

// deploymentVariable holds the digest of a deployment. It makes each version
// another one for Lambda, and tells a function which deployment it is of.
const deploymentVariable = "FAAS_LAMBDA_DEPLOYMENT"

// maxEnvironment is Lambda's limit in bytes, for the variables as compact JSON
// (recorded on the real service).
const maxEnvironment = 4096

// variable is the pattern of a name in Lambda's API (CreateFunction,
// Environment): two characters at least, no underscore in front.
var variable = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]+$`)

// reserved are the names that Lambda sets by itself and refuses
// (docs.aws.amazon.com/lambda, "Defined runtime environment variables").
var reserved = []string{
	"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_REGION",
	"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
	"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
	"AWS_LAMBDA_MAX_CONCURRENCY", "AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN", "AWS_LAMBDA_RUNTIME_API",
	"LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
}

// environment returns the Lambda environment of a deployment: its envVars as
// they are, its envProcess, and what the provider gives it. The error names the
// variable that Lambda would refuse.
func environment(vars map[string]string, process string, given map[string]string) (map[string]string, error) {
	env := make(map[string]string, len(vars)+len(given)+2)
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		switch {
		case name == deploymentVariable:
			return nil, backend.Errorf(backend.ErrInvalid, "envVars: %s is set by the provider", name)
		case given[name] != "":
			return nil, backend.Errorf(backend.ErrInvalid, "envVars: %s is set by the provider for the function's secrets", name)
		case name == processVariable:
			return nil, backend.Errorf(backend.ErrInvalid, "envVars: %s is kept for envProcess: set that instead", name)
		case strings.HasPrefix(name, "_") && (name == "_HANDLER" || name == "_X_AMZN_TRACE_ID"), slices.Contains(reserved, name):
			return nil, backend.Errorf(backend.ErrInvalid, "envVars: %s is set by Lambda and cannot be deployed", name)
		case !variable.MatchString(name):
			return nil, backend.Errorf(backend.ErrInvalid, "envVars: %q is no name that Lambda takes: a letter, then letters, digits and _, two characters at least", name)
		case strings.ContainsRune(vars[name], 0):
			return nil, backend.Errorf(backend.ErrInvalid, "envVars: the value of %s holds a NUL byte", name)
		}
		env[name] = vars[name]
	}
	if strings.ContainsRune(process, 0) {
		return nil, backend.Errorf(backend.ErrInvalid, "envProcess holds a NUL byte")
	}
	if process != "" {
		env[processVariable] = process
	}
	maps.Copy(env, given)
	env[deploymentVariable] = strings.Repeat("0", 16) // as long as a digest is
	if n := compactSize(env); n > maxEnvironment {
		return nil, backend.Errorf(backend.ErrInvalid, "envVars: %d bytes as JSON, of which %d are the provider's: more than the %d that Lambda takes", n, n-compactSize(vars), maxEnvironment)
	}
	return env, nil
}

// compactSize returns how many bytes env has as compact JSON.
func compactSize(env map[string]string) int {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(env); err != nil {
		return 0 // strings always encode
	}
	return out.Len() - 1
}

// deployed is the reverse of environment; secrets are those of the deployment,
// without which a variable that would tell of them is the user's own.
func deployed(env map[string]string, secrets []string) (vars map[string]string, process string) {
	vars = maps.Clone(env)
	process = vars[processVariable]
	delete(vars, processVariable)
	delete(vars, deploymentVariable)
	if len(secrets) > 0 {
		delete(vars, secretsVariable)
	}
	if len(vars) == 0 {
		vars = nil
	}
	return vars, process
}
