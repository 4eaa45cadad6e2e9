package cluster

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// variant is one way to install the chart. What is looked for is by object and
// path, as the API server has it.
type variant struct {
	name    string
	values  string
	want    map[string]string
	changed string // values of the upgrade
	then    map[string]string
}

const provider = "Deployment/aws-faas-lambda "

var variants = []variant{
	{
		name:   "irsa",
		values: "aws: {region: eu-west-1, executionRole: 'arn:aws:iam::123456789012:role/functions'}\nserviceAccount: {roleArn: 'arn:aws:iam::123456789012:role/provider'}\n",
		want: map[string]string{
			"ServiceAccount/aws-faas-lambda metadata.annotations.[eks.amazonaws.com/role-arn]":  "arn:aws:iam::123456789012:role/provider",
			provider + "spec.template.spec.serviceAccountName":                                  "aws-faas-lambda",
			provider + "spec.template.spec.containers.0.securityContext.readOnlyRootFilesystem": "true",
			provider + "spec.template.spec.securityContext.runAsNonRoot":                        "true",
			provider + "status.updatedReplicas":                                                 "2",
			provider + "env AWS_REGION":                                                         "eu-west-1",
			provider + "env lambda_execution_role":                                              "arn:aws:iam::123456789012:role/functions",
			"PodDisruptionBudget/aws-faas-lambda spec.maxUnavailable":                           "1",
			"Service/aws-faas-lambda spec.ports.0.targetPort":                                   "http",
		},
		changed: "aws: {region: eu-central-1, executionRole: 'arn:aws:iam::123456789012:role/functions'}\nserviceAccount: {roleArn: 'arn:aws:iam::123456789012:role/provider'}\nreplicas: 3\nsettings: {function_memory: 512}\n",
		then:    map[string]string{provider + "status.updatedReplicas": "3", provider + "env AWS_REGION": "eu-central-1", provider + "env function_memory": "512"},
	},
	{
		name:   "secret",
		values: "aws: {region: us-east-1, executionRole: 'arn:aws:iam::123456789012:role/functions', credentialsSecret: aws}\nbasicAuth: {secretName: login}\nregistrySecrets: [registry]\n",
		want: map[string]string{
			provider + "spec.template.spec.containers.0.envFrom.0.secretRef.name": "aws",
			provider + "env image_pull_secrets":                                   "/var/run/pull-secrets",
			provider + "env basic_auth":                                           "true",
		},
		changed: "aws: {region: us-east-1, executionRole: 'arn:aws:iam::123456789012:role/functions', credentialsSecret: rotated}\nbasicAuth: {enabled: false}\n",
		then:    map[string]string{provider + "spec.template.spec.containers.0.envFrom.0.secretRef.name": "rotated", provider + "env basic_auth": "false"},
	},
	{
		name: "federation",
		values: `backend: federation
config:
  federation:
    default: kubernetes
    children:
    - {name: kubernetes, remote: {url: "http://faas-netes:8081", userFile: /var/secrets/basic-auth/basic-auth-user, passwordFile: /var/secrets/basic-auth/basic-auth-password}}
    - {name: lambda, aws: {region: eu-west-1, executionRole: "arn:aws:iam::123456789012:role/functions"}}
    rules: [{function: "*-lambda", to: lambda}]
`,
		want: map[string]string{
			provider + "spec.template.spec.containers.0.args.2":                      "federation",
			provider + "spec.template.spec.containers.0.args.4":                      "/etc/faas-lambda/config.yaml",
			"ConfigMap/aws-faas-lambda-config data.[config.yaml] ~":                  "faas-netes:8081",
			provider + "spec.template.spec.containers.0.readinessProbe.httpGet.path": "/readyz",
		},
		changed: `backend: federation
config:
  federation:
    default: lambda
    children:
    - {name: lambda, aws: {region: eu-west-1, executionRole: "arn:aws:iam::123456789012:role/functions"}}
`,
		then: map[string]string{"ConfigMap/aws-faas-lambda-config data.[config.yaml] ~": "default: lambda"},
	},
	{
		name:   "monitored",
		values: "aws: {region: eu-west-1, executionRole: 'arn:aws:iam::123456789012:role/functions'}\nmetrics: {serviceMonitor: {enabled: true, labels: {release: prometheus}}, prometheusRule: {enabled: true}, dashboard: {enabled: true}}\n",
		want: map[string]string{
			"ServiceMonitor/aws-faas-lambda metadata.labels.release":                "prometheus",
			"ServiceMonitor/aws-faas-lambda spec.endpoints.0.path":                  "/metrics",
			"PrometheusRule/aws-faas-lambda spec.groups.0.name":                     "faas-lambda",
			"ConfigMap/aws-faas-lambda-dashboard data.[faas-lambda.json] ~":         "panels",
			"ConfigMap/aws-faas-lambda-dashboard metadata.labels.grafana_dashboard": "1",
		},
		changed: "aws: {region: eu-west-1, executionRole: 'arn:aws:iam::123456789012:role/functions'}\nmetrics: {serviceMonitor: {enabled: true, interval: 15s}}\n",
		then:    map[string]string{"ServiceMonitor/aws-faas-lambda spec.endpoints.0.interval": "15s"},
	},
	{
		name: "locked",
		values: "aws: {region: eu-west-1, executionRole: 'arn:aws:iam::123456789012:role/functions'}\nautoscaling: {enabled: true, minReplicas: 3, maxReplicas: 6}\n" +
			"networkPolicy: {restrictEgress: true, from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: openfaas}}}]}\ncache: {type: persistentVolumeClaim, existingClaim: packages}\n",
		want: map[string]string{
			"HorizontalPodAutoscaler/aws-faas-lambda spec.maxReplicas":                                                        "6",
			"HorizontalPodAutoscaler/aws-faas-lambda spec.scaleTargetRef.name":                                                "aws-faas-lambda",
			"NetworkPolicy/aws-faas-lambda spec.policyTypes.1":                                                                "Egress",
			"NetworkPolicy/aws-faas-lambda spec.ingress.0.from.1.namespaceSelector.matchLabels.[kubernetes.io/metadata.name]": "openfaas",
			"PodDisruptionBudget/aws-faas-lambda spec.maxUnavailable":                                                         "1",
		},
		changed: "aws: {region: eu-west-1, executionRole: 'arn:aws:iam::123456789012:role/functions'}\nnetworkPolicy: {enabled: false}\npodDisruptionBudget: {enabled: false}\ncache: {type: none}\n",
		then:    map[string]string{provider + "spec.replicas": "2"},
	},
}

// TestLifecycle installs, upgrades, rolls back and uninstalls the chart, waiting
// each time until Kubernetes has done it.
func TestLifecycle(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			r := newRelease(t, v.name)
			r.claim("packages")
			before, err := r.everything()
			if err != nil {
				t.Fatal(err)
			}
			r.must(append([]string{"install", r.name, chart}, r.with(v.values)...)...)
			r.check("installed", v.want)
			first := r.must("get", "manifest", r.name)
			least := r.leastReady(func() {
				r.must(append([]string{"upgrade", r.name, chart}, r.with(v.changed)...)...)
				r.check("upgraded", v.then)
				r.must(append([]string{"rollback", r.name, "1"}, wait...)...)
				r.check("rolled back", v.want)
			})
			// A deployment whose replicas an autoscaler counts begins with one.
			if least < 2 && !strings.Contains(v.values, "autoscaling") {
				t.Errorf("at one time %d replicas were ready", least)
			}
			if again := r.must("get", "manifest", r.name); again != first {
				t.Errorf("rolled back it is\n%s\nand was\n%s", again, first)
			}
			r.must(append([]string{"uninstall", r.name}, wait...)...)
			eventually(t, "an empty namespace", func() error {
				after, err := r.everything()
				if err == nil && !maps.Equal(after, before) {
					err = fmt.Errorf("there is %v, there was %v", after, before)
				}
				return err
			})
		})
	}
}

// leastReady returns how many replicas were ready at the worst time of what do
// does.
func (r *release) leastReady(do func()) int64 {
	r.t.Helper()
	deployments := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	watch, err := kubernetes.objects.Resource(deployments).Namespace(r.namespace).Watch(r.t.Context(), metav1.ListOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	seen, least := make(chan struct{}), int64(math.MaxInt64)
	go func() {
		defer close(seen)
		for event := range watch.ResultChan() {
			if object, ok := event.Object.(*unstructured.Unstructured); ok && event.Type != "DELETED" {
				ready, _, _ := unstructured.NestedInt64(object.Object, "status", "readyReplicas")
				least = min(least, ready)
			}
		}
	}()
	do()
	watch.Stop()
	<-seen
	return least
}

// claim makes a claim of a volume, as an administrator does.
func (r *release) claim(name string) {
	r.t.Helper()
	claims := schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
	volumes := schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumes"}
	objects, err := parse(fmt.Appendf(nil, `
{apiVersion: v1, kind: PersistentVolume, metadata: {name: %[1]s-%[2]s}, spec: {capacity: {storage: 10Gi}, accessModes: [ReadWriteMany],
  storageClassName: "", hostPath: {path: /packages}, claimRef: {namespace: %[2]s, name: %[1]s}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: %[1]s}, spec: {accessModes: [ReadWriteMany], storageClassName: "", volumeName: %[1]s-%[2]s, resources: {requests: {storage: 10Gi}}}}
`, name, r.namespace))
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := kubernetes.objects.Resource(volumes).Create(r.t.Context(), &objects[0], metav1.CreateOptions{}); err != nil {
		r.t.Fatal(err)
	}
	if _, err := kubernetes.objects.Resource(claims).Namespace(r.namespace).Create(r.t.Context(), &objects[1], metav1.CreateOptions{}); err != nil {
		r.t.Fatal(err)
	}
}

// check compares what the API server has with what the chart wrote, and with
// what is wanted.
func (r *release) check(when string, want map[string]string) {
	r.t.Helper()
	all, err := r.stored()
	if err != nil {
		r.t.Errorf("%s: %v", when, err)
	}
	for where, value := range want {
		parts := strings.Fields(where)
		object, ok := all[parts[0]]
		if !ok {
			r.t.Errorf("%s: there is no %s", when, parts[0])
			continue
		}
		var got any
		if parts[1] == "env" {
			got = environment(object)[parts[2]]
		} else {
			got = field(object, parts[1])
		}
		holds := fmt.Sprint(got) == value
		if parts[len(parts)-1] == "~" {
			holds = strings.Contains(fmt.Sprint(got), value)
		}
		if !holds {
			r.t.Errorf("%s: %s is %v, want %s", when, where, got, value)
		}
	}
}

// environment returns the variables of a deployment's container.
func environment(deployment map[string]any) map[string]any {
	out := map[string]any{}
	variables, _ := field(deployment, "spec.template.spec.containers.0.env").([]any)
	for _, v := range variables {
		out[fmt.Sprint(field(v, "name"))] = field(v, "value")
	}
	return out
}

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

// TestPodsAreSpread looks where the scheduler puts the replicas.
func TestPodsAreSpread(t *testing.T) {
	r := newRelease(t, "spread")
	r.must(append([]string{"install", r.name, chart}, r.with("replicas: 3\n"+strings.TrimPrefix(variants[0].values, ""))...)...)
	pods, err := kubernetes.objects.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace(r.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	nodes := map[string]int{}
	for _, p := range pods.Items {
		nodes[fmt.Sprint(field(p.Object, "spec.nodeName"))]++
	}
	if len(nodes) != 3 || len(pods.Items) != 3 {
		t.Errorf("three replicas are on %v", nodes)
	}
	r.must(append([]string{"uninstall", r.name}, wait...)...)
}
