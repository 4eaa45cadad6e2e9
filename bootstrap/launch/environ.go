package launch

import "strings"

// platform holds what Lambda itself sets in every provided.al2023 sandbox
// (recorded on the real service). Such a value was not chosen by whoever
// deployed the function, so the image's own value goes before it; and
// LD_LIBRARY_PATH names directories whose glibc must never be loaded into the
// image's programs.
var platform = map[string]string{
	"PATH":            "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
	"LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
	"LANG":            "en_US.UTF-8",
	"TZ":              ":UTC",
}

// Environ returns the environment of the function's process: the image's ENV,
// overridden by the Lambda environment (what the deployment set in envVars and
// what Lambda sets), overridden by the deployment's envProcess as fprocess.
// lambda is the environment bootstrap was started with, as os.Environ gives it.
//
// A variable that still has Lambda's own default does not override the image's;
// LD_LIBRARY_PATH with that default is left out altogether. Every name occurs
// once in the result.
func (s Spec) Environ(lambda []string) []string {
	env := make([]string, 0, len(s.Env)+len(lambda))
	at := make(map[string]int, len(s.Env)+len(lambda))
	set := func(name, kv string) {
		if i, ok := at[name]; ok {
			env[i] = kv
			return
		}
		at[name] = len(env)
		env = append(env, kv)
	}
	for _, kv := range s.Env {
		name, _, _ := strings.Cut(kv, "=")
		set(name, kv)
	}
	process, override := "", false
	for _, kv := range lambda {
		name, value, _ := strings.Cut(kv, "=")
		if name == ProcessVariable {
			process, override = value, true
			continue
		}
		if value == platform[name] && value != "" {
			if _, image := at[name]; image || name == "LD_LIBRARY_PATH" {
				continue
			}
		}
		set(name, kv)
	}
	if override {
		set("fprocess", "fprocess="+process)
	}
	return env
}
