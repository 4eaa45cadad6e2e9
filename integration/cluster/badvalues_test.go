package cluster

import (
	"maps"
	"strings"
	"testing"
)

// TestBadValues has values that must not get as far as a pod, each refused in
// words that name it.
func TestBadValues(t *testing.T) {
	r := newRelease(t, "bad")
	before, err := r.everything()
	if err != nil {
		t.Fatal(err)
	}
	const good = "aws: {region: eu-west-1, executionRole: 'arn:aws:iam::123456789012:role/functions'}\n"
	for name, c := range map[string]struct {
		values string
		says   []string
	}{
		"a number that is a word":         {good + "replicas: two\n", []string{"replicas"}},
		"a key that there is not":         {good + "replica: 3\n", []string{"replica"}},
		"a setting that there is not":     {good + "settings: {function_memroy: 512}\n", []string{"function_memroy"}},
		"a setting out of its range":      {good + "settings: {function_memory: 64}\n", []string{"function_memory"}},
		"a role that is none":             {"aws: {region: eu-west-1, executionRole: functions}\n", []string{"executionRole"}},
		"no role":                         {"aws: {region: eu-west-1}\n", []string{"aws.executionRole"}},
		"no region":                       {"aws: {executionRole: 'arn:aws:iam::123456789012:role/functions'}\n", []string{"aws.region"}},
		"a backend that there is not":     {"backend: azure\n", []string{"backend"}},
		"a federation that is not told":   {"backend: federation\n", []string{"config.federation"}},
		"a role and a key":                {"aws: {region: eu-west-1, executionRole: 'arn:aws:iam::123456789012:role/functions', credentialsSecret: aws}\nserviceAccount: {roleArn: 'arn:aws:iam::123456789012:role/provider'}\n", []string{"serviceAccount.roleArn", "aws.credentialsSecret"}},
		"refused by Kubernetes: affinity": {good + "affinity: {nodeAffinity: somewhere}\n", []string{"nodeAffinity"}},
		"refused by Kubernetes: a volume": {good + "extraVolumes: [{name: more, emptyDir: {medium: 5}}]\n", []string{"medium"}},
		"refused by Kubernetes: a mount":  {good + "extraVolumeMounts: [{name: missing, mountPath: /missing}]\n", []string{"missing", "volumeMounts"}},
		"refused by Kubernetes: a label":  {good + "podLabels: {team: 'a b'}\n", []string{"a b"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := r.helm(append([]string{"install", r.name, chart}, r.with(c.values)...)...)
			if err == nil {
				t.Errorf("it was installed\n%s", out)
			}
			for _, says := range c.says {
				if !strings.Contains(out, says) {
					t.Errorf("it does not say %q:\n%s", says, out)
				}
			}
			r.must("uninstall", r.name, "--ignore-not-found", "--wait") // Helm keeps a release that failed
			if after, err := r.everything(); err != nil || !maps.Equal(after, before) {
				t.Errorf("there is %v, there was %v, %v", after, before, err)
			}
		})
	}
}
