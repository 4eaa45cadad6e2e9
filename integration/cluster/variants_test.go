package cluster

// variant is one way to install the chart. What is looked for is by object and
// path, as the API server has it.
type variant struct {
	name    string
	values  string
	notes   string // among what Helm prints
	want    map[string]string
	changed string // values of the upgrade
	then    map[string]string
}

const provider = "Deployment/aws-faas-lambda "

var variants = []variant{
	{
		name:   "irsa",
		values: "aws: {region: eu-west-1, executionRole: 'arn:aws:iam::123456789012:role/functions'}\nserviceAccount: {roleArn: 'arn:aws:iam::123456789012:role/provider'}\n",
		notes:  "/faas-lambda doctor\n",
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
		notes:  "once the Secret login is there",
		want: map[string]string{
			provider + "env AWS_SECRET_ACCESS_KEY": "aws/AWS_SECRET_ACCESS_KEY",
			provider + "env image_pull_secrets":    "/var/run/pull-secrets",
			provider + "env basic_auth":            "true",
		},
		changed: "aws: {region: us-east-1, executionRole: 'arn:aws:iam::123456789012:role/functions', credentialsSecret: rotated}\nbasicAuth: {enabled: false}\n",
		then:    map[string]string{provider + "env AWS_SECRET_ACCESS_KEY": "rotated/AWS_SECRET_ACCESS_KEY", provider + "env basic_auth": "false"},
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
		notes: "/faas-lambda doctor --config /etc/faas-lambda/config.yaml",
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
		notes:  "networkPolicy.from is empty",
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
		notes: "http://aws-faas-lambda.locked:8080/",
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
