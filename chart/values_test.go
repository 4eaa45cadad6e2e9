package chart

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/config"
)

// badValues are values that are refused, and what the error names.
var badValues = []struct{ set, names string }{
	{"replica=3", "replica"},
	{"image.name=x", "name"},
	{"settings.function_memroy=256", "function_memroy"},
	{"settings.function_memory=64", "function_memory"},
	{"settings.function_memory=lots", "function_memory"},
	{"settings.log_level=loud", "log_level"},
	{"settings.read_timeout=soon", "read_timeout"},
	{"settings.port=80", "port"},
	{"replicas=-1", "replicas"},
	{"replicas=two", "replicas"},
	{"backend=lambda", "backend"},
	{"image.digest=sha256:abc", "digest"},
	{"image.tag=a/b", "tag"},
	{"aws.executionRole=functions", "executionRole"},
	{"aws.executionRole=", "aws.executionRole is not set"},
	{"aws.region=", "aws.region is not set"},
	{"aws.region=Frankfurt", "region"},
	{"aws.endpointUrl=lambda.example.com", "endpointUrl"},
	{"serviceAccount.roleArn=arn:aws:iam::1:role/x", "roleArn"},
	{"basicAuth.secretName=", "secretName"},
	{"basicAuth.enabled=yes", "enabled"},
	{"secretMounts={Upper}", "secretMounts"},
	{"secretMounts={basic-auth}", "secretMounts names basic-auth"},
	{"registrySecrets={a,a}", "registrySecrets"},
	{"cache.type=redis", "type"},
	{"cache.size=big", "size"},
	{"port=80", "port"},
	{"service.type=ExternalName", "type"},
	{"shutdown.timeoutSeconds=1800", "timeoutSeconds"},
	{"podDisruptionBudget.maxUnavailable=half", "maxUnavailable"},
	{"proxy.https=proxy.example.com", "https"},
	{"metrics.serviceMonitor.interval=often", "interval"},
	{"updateStrategy.type=Slow", "updateStrategy"},
	{"extraEnv[0].value=x", "extraEnv"},
	{"extraEnv[0].name=port,extraEnv[0].value=x", "extraEnv sets port"},
	{"extraEnv[0].name=log_level,extraEnv[0].value=x,settings.log_level=debug", "extraEnv sets log_level"},
	{"autoscaling.enabled=true,autoscaling.minReplicas=20", "autoscaling.minReplicas"},
	{"autoscaling.enabled=true,autoscaling.targetCPUUtilization=0", "autoscaling.targetCPUUtilization"},
	{"extraEnv[0].name=A,extraEnv[0].value=x,extraEnv[1].name=A,extraEnv[1].value=y", "extraEnv sets a variable twice: A"},
	{`podLabels.app\.kubernetes\.io/name=x`, "podLabels sets app.kubernetes.io/name"},
	{`commonLabels.app\.kubernetes\.io/instance=x`, "commonLabels sets app.kubernetes.io/instance"},
	{"commonLabels.a=x,podLabels.a=y", "podLabels sets a,"},
	{"commonLabels.a=x,metrics.dashboard.labels.a=y", "metrics.dashboard.labels sets a,"},
	{`podAnnotations.prometheus\.io/scrape=no`, "podAnnotations sets prometheus.io/scrape"},
	{"caBundle.secretName=a,caBundle.configMapName=b", "caBundle.configMapName"},
	{"serviceAccount.create=false,serviceAccount.roleArn=arn:aws:iam::123456789012:role/x", "serviceAccount.roleArn"},
	{"aws.credentialsSecret=keys,serviceAccount.roleArn=arn:aws:iam::123456789012:role/x", "aws.credentialsSecret"},
	{"backend=federation", "config.federation is not set"},
	{"backend=remote", "config.remote is not set"},
	{"config.memory.stateFile=/x", "config.memory is set, but backend is aws"},
	{"config.aws.regions=x", "regions"},
	{"config.aws.timeout=long", "timeout"},
	{"config.aws.secretAccessKey=x", "secretAccessKey"},
	{"backend=remote,config.remote.url=http://x,config.remote.password=x", "password"},
	{"backend=remote,config.remote.url=http://x,config.remote.token=x", "token"},
	{"backend=federation,config.federation.children[0].aws.secretAccessKey=x", "secretAccessKey"},
	{"backend=federation,config.federation.rules[0].too=x", "too"},
}

func TestBadValuesAreRefusedByName(t *testing.T) {
	for _, program := range helms(t) {
		for _, bad := range badValues {
			out, err := template(t, program, append(slices.Clone(required), "--set", bad.set)...)
			if err == nil {
				t.Errorf("%s: %s is taken:\n%s", program, bad.set, out)
			} else if !strings.Contains(err.Error(), bad.names) {
				t.Errorf("%s: %s: %v does not name %s", program, bad.set, err, bad.names)
			}
		}
	}
}

// TestAValueTakenAway: null takes away what values.yaml has. Where the chart can
// do without it, it renders; else the error names what is missing.
func TestAValueTakenAway(t *testing.T) {
	names := slices.Collect(maps.Keys(yamlFile(t, valuesFile)))
	for _, name := range append(names, "probes.startup", "probes.liveness", "probes.readiness", "metrics.serviceMonitor", "metrics.prometheusRule", "metrics.dashboard") {
		_, err := template(t, tool(t, "helm"), append(slices.Clone(required), "--set", name+"=null")...)
		key := name[strings.LastIndex(name, ".")+1:]
		if err != nil && !strings.Contains(err.Error(), "missing property '"+key+"'") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// sample is a value that a setting may be set to and is not by itself, as a value
// of the chart and as the program reads it.
func sample(s config.Setting) string {
	if allowed, ok := words[s.Name]; ok {
		return allowed[len(allowed)-1]
	}
	low, high, _ := strings.Cut(s.Range, " to ")
	if _, err := strconv.Atoi(low); err == nil {
		return high // the largest: numbers of Helm are floats
	}
	if from, err := time.ParseDuration(low); err == nil {
		return (from + 90*time.Second).String()
	}
	switch s.Name {
	case "managed_role_path":
		return "/teams/functions/"
	case "signature_policy":
		return "/etc/containers/policy.json"
	case "insecure_registries":
		return `registry.example.com:5000\,other.example.com`
	case "function_namespace":
		return "functions"
	}
	return "sample"
}

// TestEverySettingArrives sets every variable of the provider through the chart,
// and has the provider's own code read what the pod would start with.
func TestEverySettingArrives(t *testing.T) {
	var set []string
	want := map[string]string{}
	for _, s := range config.Settings() {
		if _, ok := managed[s.Name]; ok {
			continue
		}
		value := sample(s)
		set = append(set, "settings."+s.Name+"="+value)
		want[s.Name] = strings.ReplaceAll(value, `\`, "")
	}
	env := render(t, append(slices.Clone(required), "--set", strings.Join(set, ","))...).environment(t)
	for name, value := range want {
		if env[name] != value {
			t.Errorf("%s is %q, not %q", name, env[name], value)
		}
	}
	cfg, err := config.Read(func(name string) string { return env[name] })
	if err != nil {
		t.Error(err)
	}
	if cfg.ShutdownTimeout != 15*time.Minute || !cfg.BasicAuth || cfg.Lambda.PayloadMemory != 1<<40 || cfg.Port != 8080 {
		t.Errorf("%+v", cfg)
	}
	if err := cfg.Serve(); err != nil {
		t.Error(err)
	}
	if env["AWS_REGION"] != "eu-central-1" {
		t.Errorf("AWS_REGION is %q", env["AWS_REGION"])
	}
}

// TestExamplesStart: the provider takes the variables and the file that each of
// the examples gives it.
func TestExamplesStart(t *testing.T) {
	for _, values := range examples(t) {
		o := render(t, "--values", values, "--set", "fullnameOverride=faas-lambda")
		env, args := o.environment(t), o.container(t)["args"].([]any)
		cfg, err := config.Read(func(name string) string { return env[name] })
		if err != nil {
			t.Errorf("%s: %v", values, err)
			continue
		}
		kind, file := "", ""
		for i, arg := range args {
			switch arg {
			case "--backend":
				kind = args[i+1].(string)
			case "--config":
				file = filepath.Join(t.TempDir(), "config.yaml")
				text := at(o["ConfigMap/faas-lambda-config"], "data", "config.yaml").(string)
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		if cfg, err = cfg.ReadFile(file, kind); err == nil {
			err = cfg.Serve()
		}
		if err != nil {
			t.Errorf("%s: %v", values, err)
		}
		if cfg.File.Kind != kind {
			t.Errorf("%s: backend %q, not %q", values, cfg.File.Kind, kind)
		}
		if f := cfg.File.Federation; kind == "federation" && (f == nil || len(f.Children) != 2 || f.ReplayBytes != 16<<20) {
			t.Errorf("%s: %+v", values, f)
		}
	}
}
