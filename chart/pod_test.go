package chart

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestThePodIsRestricted: the pod fits the restricted profile
// (kubernetes.io/docs/concepts/security/pod-security-standards) and writes only
// to volumes of its own.
func TestThePodIsRestricted(t *testing.T) {
	for _, values := range examples(t) {
		o := render(t, "--values", values, "--set", "fullnameOverride=faas-lambda")
		spec := at(o[deployment], "spec", "template", "spec")
		c := o.container(t)
		for what, ok := range map[string]bool{
			"not root":              at(spec, "securityContext", "runAsNonRoot") == true && fmt.Sprint(at(spec, "securityContext", "runAsUser")) == "65532",
			"seccomp":               at(spec, "securityContext", "seccompProfile", "type") == "RuntimeDefault",
			"no more privileges":    at(c, "securityContext", "allowPrivilegeEscalation") == false,
			"no capabilities":       fmt.Sprint(at(c, "securityContext", "capabilities", "drop")) == "[ALL]" && at(c, "securityContext", "capabilities", "add") == nil,
			"read-only root":        at(c, "securityContext", "readOnlyRootFilesystem") == true,
			"no host":               at(spec, "hostNetwork") == nil && at(spec, "hostPID") == nil && at(spec, "hostIPC") == nil,
			"no token":              at(spec, "automountServiceAccountToken") == false,
			"no links of services":  at(spec, "enableServiceLinks") == false,
			"no ports of the host":  at(c, "ports", 0, "hostPort") == nil,
			"one container":         len(at(spec, "containers").([]any)) == 1 && at(spec, "initContainers") == nil,
			"memory has a limit":    at(c, "resources", "limits", "memory") != nil,
			"processors have none":  at(c, "resources", "limits", "cpu") == nil,
			"a port above 1023":     at(c, "ports", 0, "containerPort") != uint64(80),
			"volumes for its files": mounted(c, "/tmp"),
		} {
			if !ok {
				t.Errorf("%s: %s", values, what)
			}
		}
		if env := o.environment(t); !mounted(c, env["cache_dir"]) && !strings.HasPrefix(env["cache_dir"], "/tmp/") {
			t.Errorf("%s: the cache is at %s, where nothing is mounted", values, env["cache_dir"])
		}
		checkVolumes(t, values, spec, c)
	}
}

func mounted(container map[string]any, path string) bool {
	mounts, _ := container["volumeMounts"].([]any)
	return slices.ContainsFunc(mounts, func(m any) bool { return at(m, "mountPath") == path && at(m, "readOnly") != true })
}

// checkVolumes: what is mounted is there, what is there is mounted, nothing
// twice, and nothing of the node.
func checkVolumes(t *testing.T, values string, spec any, c map[string]any) {
	t.Helper()
	var volumes, mounts []string
	for _, v := range at(spec, "volumes").([]any) {
		volumes = append(volumes, at(v, "name").(string))
		if at(v, "hostPath") != nil {
			t.Errorf("%s: %v", values, v)
		}
	}
	for _, m := range c["volumeMounts"].([]any) {
		mounts = append(mounts, at(m, "name").(string))
	}
	slices.Sort(volumes)
	slices.Sort(mounts)
	if !slices.Equal(volumes, mounts) || len(slices.Compact(slices.Clone(volumes))) != len(volumes) {
		t.Errorf("%s: volumes %v, mounted %v", values, volumes, mounts)
	}
}

// TestAPodEndsAfterItsInvocations: the kubelet waits longer than the drain and
// the provider's own wait together.
func TestAPodEndsAfterItsInvocations(t *testing.T) {
	for _, c := range []struct{ drain, timeout int }{{10, 900}, {0, 0}, {300, 25}} {
		o := render(t, append(slices.Clone(required), "--set", fmt.Sprintf("shutdown.drainSeconds=%d,shutdown.timeoutSeconds=%d", c.drain, c.timeout))...)
		grace := at(o[deployment], "spec", "template", "spec", "terminationGracePeriodSeconds")
		if fmt.Sprint(grace) != fmt.Sprint(c.drain+c.timeout+15) {
			t.Errorf("%+v: %v seconds", c, grace)
		}
		for name, want := range map[string]int{"shutdown_delay": c.drain, "shutdown_timeout": c.timeout} {
			own, err := time.ParseDuration(o.environment(t)[name])
			if err != nil || own != time.Duration(want)*time.Second {
				t.Errorf("%+v: %s %s, %v", c, name, own, err)
			}
		}
	}
}

func TestCredentials(t *testing.T) {
	const account = "ServiceAccount/faas-lambda"
	irsa := render(t, append(slices.Clone(required), "--set", "serviceAccount.roleArn=arn:aws:iam::123456789012:role/p")...)
	if role := at(irsa[account], "metadata", "annotations", "eks.amazonaws.com/role-arn"); role != "arn:aws:iam::123456789012:role/p" {
		t.Errorf("IRSA: role %v", role)
	}
	identity := render(t, required...)
	if notes := at(identity[account], "metadata", "annotations"); notes != nil || identity.environment(t)["AWS_ACCESS_KEY_ID"] != "" {
		t.Errorf("pod identity: annotations %v, %v", notes, identity.environment(t))
	}
	keys := render(t, append(slices.Clone(required), "--set", "aws.credentialsSecret=keys")...)
	for _, key := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		if from := keys.environment(t)[key]; from != "keys/"+key {
			t.Errorf("%s is from %q", key, from)
		}
	}
	for kind := range irsa {
		if strings.HasPrefix(kind, "Secret/") {
			t.Errorf("the chart makes %s", kind)
		}
	}
}

// TestWhoFindsThePods: the Service, the budget, the policy, the spread and the
// monitor select what the Deployment makes, and only labels that never change.
func TestWhoFindsThePods(t *testing.T) {
	o := render(t, append(slices.Clone(required), "--set", "metrics.serviceMonitor.enabled=true,podLabels.a=b,image.tag=v9")...)
	want := map[string]any{"app.kubernetes.io/name": "faas-lambda", "app.kubernetes.io/instance": "faas-lambda"}
	labels := at(o[deployment], "spec", "template", "metadata", "labels").(map[string]any)
	for key, value := range want {
		if labels[key] != value {
			t.Errorf("pods have %s=%v", key, labels[key])
		}
	}
	for who, got := range map[string]any{
		"Deployment":    at(o[deployment], "spec", "selector", "matchLabels"),
		"Service":       at(o["Service/faas-lambda"], "spec", "selector"),
		"budget":        at(o["PodDisruptionBudget/faas-lambda"], "spec", "selector", "matchLabels"),
		"NetworkPolicy": at(o["NetworkPolicy/faas-lambda"], "spec", "podSelector", "matchLabels"),
		"spread":        at(o[deployment], "spec", "template", "spec", "topologySpreadConstraints", 1, "labelSelector", "matchLabels"),
		"monitor":       at(o["ServiceMonitor/faas-lambda"], "spec", "selector", "matchLabels"),
	} {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s selects %v", who, got)
		}
	}
	if port := at(o["Service/faas-lambda"], "spec", "ports", 0, "targetPort"); port != at(o.container(t), "ports", 0, "name") {
		t.Errorf("the Service's port leads to %v", port)
	}
}

// TestNames: whatever Helm takes as a release's name, and a registry as a tag,
// gives names and labels that Kubernetes takes, or an error that says what to do.
func TestNames(t *testing.T) {
	long := strings.Repeat("a", 53)
	for release, want := range map[string]string{
		"faas-lambda":    "faas-lambda",
		"prod":           "prod-faas-lambda",
		"my-faas-lambda": "my-faas-lambda",
		"v1.2":           "v1-2-faas-lambda",
		long:             long + "-faas-lamb",
		"7":              "",
	} {
		text, err := templateOf(t, tool(t, "helm"), release, required...)
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "set fullnameOverride") {
				t.Errorf("release %s: %v", release, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("release %s: %v", release, err)
		} else if o := parse(t, text); o["Service/"+want] == nil || o["Deployment/"+want] == nil {
			t.Errorf("release %s: no Service and Deployment are named %s", release, want)
		}
	}
	for tag, want := range map[string]string{"1.2.3": "1.2.3", "_x": "x", "v1.": "v1", strings.Repeat("a", 62) + "-b": strings.Repeat("a", 62)} {
		o := render(t, append(slices.Clone(required), "--set", "image.tag="+tag)...)
		if got := at(o[deployment], "metadata", "labels", "app.kubernetes.io/version"); got != want {
			t.Errorf("tag %s: label %v", tag, got)
		}
	}
}

// TestAChangedConfigRollsThePods: pods are made anew when the file changes, and
// for nothing that does not concern them.
func TestAChangedConfigRollsThePods(t *testing.T) {
	pods := func(set string) string {
		o := render(t, append(slices.Clone(required), "--set", set)...)
		return fmt.Sprint(at(o[deployment], "spec", "template"))
	}
	if pods("config.aws.memory=512") == pods("config.aws.memory=1024") {
		t.Error("another config leaves the pods as they are")
	}
	for _, set := range []string{"replicas=5", "service.port=80", "metrics.prometheusRule.enabled=true", "podDisruptionBudget.enabled=false"} {
		if pods(set) != pods("replicas=2") {
			t.Errorf("%s makes the pods anew", set)
		}
	}
}

func TestGoKnowsTheMemoryLimit(t *testing.T) {
	for limit, want := range map[string]string{"2Gi": "1932735283", "512Mi": "483183820", "1.5G": "1350000000", "1000000": "900000", "1e9": "", "null": ""} {
		env := render(t, append(slices.Clone(required), "--set", "resources.limits.memory="+limit)...).environment(t)
		if env["GOMEMLIMIT"] != want {
			t.Errorf("limit %s: GOMEMLIMIT is %q, want %q", limit, env["GOMEMLIMIT"], want)
		}
	}
	env := render(t, append(slices.Clone(required), "--set", "extraEnv[0].name=GOMEMLIMIT,extraEnv[0].value=1GiB")...).environment(t)
	if env["GOMEMLIMIT"] != "1GiB" {
		t.Errorf("GOMEMLIMIT is %q, not what extraEnv says", env["GOMEMLIMIT"])
	}
}
