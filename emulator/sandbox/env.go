package sandbox

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Function is what a function's environment says about it.
type Function struct {
	Name      string
	Version   string
	Handler   string
	Region    string
	LogGroup  string
	LogStream string
	MemoryMB  int
	Variables map[string]string // the function's own
	// Initialization is OnDemand, which the empty string is too, or Provisioned.
	Initialization string
}

// Values of AWS_LAMBDA_INITIALIZATION_TYPE.
const (
	OnDemand    = "on-demand"
	Provisioned = "provisioned-concurrency"
)

// environ is the environment on provided.al2023 (recorded from the real service). The credentials are made up: nothing checks them.
func environ(f Function, api bool) []string {
	env := maps.Clone(f.Variables)
	if env == nil {
		env = map[string]string{}
	}
	defaults := map[string]string{
		"PATH":            "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
		"TZ":              ":UTC",
		"LANG":            "en_US.UTF-8",
	}
	if api {
		defaults["AWS_ENDPOINT_URL"] = "http://" + awsAddr // absent on Lambda: there the SDKs know where AWS is
	}
	for name, value := range defaults {
		if _, set := env[name]; !set {
			env[name] = value
		}
	}
	env["LAMBDA_TASK_ROOT"], env["LAMBDA_RUNTIME_DIR"] = "/var/task", "/var/runtime"
	return f.complete(env)
}

// imageEnviron is the environment of a container image: its own variables, the function's over them, and Lambda's.
func imageEnviron(image []string, f Function, api bool) []string {
	env := map[string]string{
		"PATH":             "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LAMBDA_TASK_ROOT": "/var/task", "LAMBDA_RUNTIME_DIR": "/var/runtime",
	}
	if api {
		env["AWS_ENDPOINT_URL"] = "http://" + awsAddr
	}
	for _, variable := range image {
		if name, value, ok := strings.Cut(variable, "="); ok {
			env[name] = value
		}
	}
	maps.Copy(env, f.Variables)
	return f.complete(env)
}

// complete adds what no function can set, and makes a list of all.
func (f Function) complete(env map[string]string) []string {
	maps.Copy(env, map[string]string{
		"_HANDLER":                        f.Handler,
		"AWS_LAMBDA_RUNTIME_API":          runtimeAddr,
		"AWS_REGION":                      f.Region,
		"AWS_DEFAULT_REGION":              f.Region,
		"AWS_LAMBDA_FUNCTION_NAME":        f.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     f.Version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": fmt.Sprint(f.MemoryMB),
		"AWS_LAMBDA_LOG_GROUP_NAME":       f.LogGroup,
		"AWS_LAMBDA_LOG_STREAM_NAME":      f.LogStream,
		"AWS_LAMBDA_INITIALIZATION_TYPE":  cmp.Or(f.Initialization, OnDemand),
		"AWS_XRAY_CONTEXT_MISSING":        "LOG_ERROR",
		"AWS_XRAY_DAEMON_ADDRESS":         runtimeHost + ":2000",
		"AWS_ACCESS_KEY_ID":               "ASIAEMULATOREMULATOR",
		"AWS_SECRET_ACCESS_KEY":           "emulator",
		"AWS_SESSION_TOKEN":               "emulator",
	})
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}
