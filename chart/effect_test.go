package chart

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// effects are for each value another one, with what else it needs to be seen.
var effects = map[string]string{
	"image.repository":              "image.repository=registry.example.com/x",
	"image.tag":                     "image.tag=1.2.3",
	"image.digest":                  "image.digest=sha256:" + strings.Repeat("0", 64),
	"image.pullPolicy":              "image.pullPolicy=Always",
	"imagePullSecrets":              "imagePullSecrets={a}",
	"nameOverride":                  "nameOverride=other",
	"fullnameOverride":              "fullnameOverride=other",
	"commonLabels":                  "commonLabels.a=b",
	"backend":                       "backend=memory",
	"config":                        "config.aws.memory=512",
	"aws.region":                    "aws.region=us-east-1",
	"aws.executionRole":             "aws.executionRole=arn:aws:iam::123456789012:role/other",
	"aws.credentialsSecret":         "aws.credentialsSecret=a",
	"aws.endpointUrl":               "aws.endpointUrl=http://a",
	"serviceAccount.create":         "serviceAccount.create=false",
	"serviceAccount.name":           "serviceAccount.name=a",
	"serviceAccount.roleArn":        "serviceAccount.roleArn=arn:aws:iam::123456789012:role/a",
	"serviceAccount.annotations":    "serviceAccount.annotations.a=b",
	"serviceAccount.automountToken": "serviceAccount.automountToken=true",
	"basicAuth.enabled":             "basicAuth.enabled=false",
	"basicAuth.secretName":          "basicAuth.secretName=a",
	"secretMounts":                  "secretMounts={a}",
	"registrySecrets":               "registrySecrets={a}",
	"settings":                      "settings.log_level=debug",
	"caBundle.configMapName":        "caBundle.configMapName=a",
	"caBundle.secretName":           "caBundle.secretName=a",
	"proxy.http":                    "proxy.http=http://a",
	"proxy.https":                   "proxy.https=http://a",
	"proxy.noProxy":                 "proxy.http=http://a,proxy.noProxy=b",
	"cache.type":                    "cache.type=none",
	"cache.size":                    "cache.size=1Gi",
	"cache.storageClassName":        "cache.type=persistentVolumeClaim,cache.storageClassName=a",
	"cache.accessModes":             "cache.type=persistentVolumeClaim,cache.accessModes={ReadWriteOnce}",
	"cache.existingClaim":           "cache.type=persistentVolumeClaim,cache.existingClaim=a",
	"tmp.size":                      "tmp.size=1Gi",
	"port":                          "port=9090",
	"service.type":                  "service.type=NodePort",
	"service.port":                  "service.port=80",
	"service.annotations":           "service.annotations.a=b",
	"replicas":                      "replicas=3",
	"updateStrategy":                "updateStrategy.type=Recreate",
	"minReadySeconds":               "minReadySeconds=1",
	"revisionHistoryLimit":          "revisionHistoryLimit=1",
	"shutdown.drainSeconds":         "shutdown.drainSeconds=0",
	"shutdown.timeoutSeconds":       "shutdown.timeoutSeconds=60",

	"podDisruptionBudget.enabled":         "podDisruptionBudget.enabled=false",
	"podDisruptionBudget.maxUnavailable":  "podDisruptionBudget.maxUnavailable=50%",
	"autoscaling.enabled":                 "autoscaling.enabled=true",
	"autoscaling.minReplicas":             "autoscaling.enabled=true,autoscaling.minReplicas=3",
	"autoscaling.maxReplicas":             "autoscaling.enabled=true,autoscaling.maxReplicas=3",
	"autoscaling.targetCPUUtilization":    "autoscaling.enabled=true,autoscaling.targetCPUUtilization=0,autoscaling.targetMemoryUtilization=70",
	"autoscaling.targetMemoryUtilization": "autoscaling.enabled=true,autoscaling.targetMemoryUtilization=70",
	"topologySpreadConstraints":           "topologySpreadConstraints=null",
	"resources":                           "resources.limits.cpu=2",
	"probes.startup":                      "probes.startup.periodSeconds=3",
	"probes.liveness":                     "probes.liveness.periodSeconds=3",
	"probes.readiness":                    "probes.readiness.periodSeconds=3",
	"podSecurityContext":                  "podSecurityContext.runAsUser=1000",
	"securityContext":                     "securityContext.privileged=false",
	"networkPolicy.enabled":               "networkPolicy.enabled=false",
	"networkPolicy.from":                  "networkPolicy.from[0].ipBlock.cidr=10.0.0.0/8",
	"networkPolicy.restrictEgress":        "networkPolicy.restrictEgress=true",
	"networkPolicy.to":                    "networkPolicy.restrictEgress=true,networkPolicy.to[0].to[0].ipBlock.cidr=10.0.0.0/8",
	"metrics.scrapeAnnotations":           "metrics.scrapeAnnotations=false",
	"metrics.serviceMonitor.enabled":      "metrics.serviceMonitor.enabled=true",
	"metrics.serviceMonitor.interval":     "metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.interval=5s",
	"metrics.serviceMonitor.labels":       "metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.labels.a=b",
	"metrics.prometheusRule.enabled":      "metrics.prometheusRule.enabled=true",
	"metrics.prometheusRule.labels":       "metrics.prometheusRule.enabled=true,metrics.prometheusRule.labels.a=b",
	"metrics.dashboard.enabled":           "metrics.dashboard.enabled=true",
	"metrics.dashboard.labels":            "metrics.dashboard.enabled=true,metrics.dashboard.labels.a=b",
	"metrics.dashboard.annotations":       "metrics.dashboard.enabled=true,metrics.dashboard.annotations.a=b",
	"podAnnotations":                      "podAnnotations.a=b",
	"podLabels":                           "podLabels.a=b",
	"deploymentAnnotations":               "deploymentAnnotations.a=b",
	"nodeSelector":                        "nodeSelector.a=b",
	"tolerations":                         "tolerations[0].operator=Exists",
	"affinity":                            "affinity.podAntiAffinity.a=b",
	"priorityClassName":                   "priorityClassName=a",
	"extraEnv":                            "extraEnv[0].name=A,extraEnv[0].value=b",
	"extraEnvFrom":                        "extraEnvFrom[0].secretRef.name=a",
	"extraArgs":                           "extraArgs={--a}",
	"extraVolumes":                        "extraVolumes[0].name=a",
	"extraVolumeMounts":                   "extraVolumeMounts[0].name=a,extraVolumeMounts[0].mountPath=/a",
}

// TestEveryValueDoesSomething changes each value of the README by itself: what is
// rendered is another than without it.
func TestEveryValueDoesSomething(t *testing.T) {
	known := maps.Clone(aroundIt)
	for _, row := range rows(t) {
		name, _, _ := strings.Cut(strings.TrimPrefix(row, "| `"), "`")
		known[name] = true
		if effects[name] == "" && !aroundIt[name] {
			t.Errorf("%s has no effect that is tested", name)
		}
	}
	seen := map[string]string{}
	output := func(set string) string {
		if out, ok := seen[set]; ok {
			return out
		}
		out, err := template(t, tool(t, "helm"), append(slices.Clone(required), "--set", set)...)
		if err != nil {
			t.Errorf("%s: %v", set, err)
		}
		seen[set] = out
		return out
	}
	for name, set := range effects {
		if !known[name] {
			t.Errorf("%s is no value", name)
		}
		// What else is set is set in both.
		var others []string
		for _, one := range strings.Split(set, ",") {
			if !strings.HasPrefix(one, name) {
				others = append(others, one)
			}
		}
		if output(set) == output(strings.Join(others, ",")) {
			t.Errorf("%s changes nothing", set)
		}
	}
}
