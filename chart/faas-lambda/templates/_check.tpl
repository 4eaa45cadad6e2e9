{{/* What the schema cannot say: values that only fit together. */}}
{{- define "faas-lambda.check" -}}
{{- $v := .Values }}
{{- $section := get $v.config "aws" | default dict }}
{{- if eq $v.backend "aws" }}
{{- if not (or $v.aws.executionRole $section.executionRole) }}
{{- fail "aws.executionRole is not set: it is the ARN of the IAM role that functions run as" }}
{{- end }}
{{- if not (or $v.aws.region $section.region) }}
{{- fail "aws.region is not set: it is the AWS region of the functions" }}
{{- end }}
{{- else if and (ne $v.backend "memory") (not (hasKey $v.config $v.backend)) }}
{{- fail (printf "config.%s is not set: the backend %s is described there" $v.backend $v.backend) }}
{{- end }}
{{- range $name, $_ := $v.config }}
{{- if ne $name $v.backend }}
{{- fail (printf "config.%s is set, but backend is %s" $name $v.backend) }}
{{- end }}
{{- end }}
{{- if and $v.caBundle.configMapName $v.caBundle.secretName }}
{{- fail "caBundle.configMapName and caBundle.secretName are both set: name one of them" }}
{{- end }}
{{- if and $v.serviceAccount.roleArn (not $v.serviceAccount.create) }}
{{- fail "serviceAccount.roleArn is set, but serviceAccount.create is false: annotate the service account that is there" }}
{{- end }}
{{- if and $v.serviceAccount.roleArn $v.aws.credentialsSecret }}
{{- fail "serviceAccount.roleArn and aws.credentialsSecret are both set: the Secret's access key would be used and the role never" }}
{{- end }}
{{- if and (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) $v.autoscaling.enabled }}
{{- fail "autoscaling.minReplicas is larger than autoscaling.maxReplicas" }}
{{- end }}
{{- $extra := include "faas-lambda.extraNames" . | fromYamlArray }}
{{- range include "faas-lambda.env" . | fromYamlArray }}
{{- if has .name $extra }}
{{- fail (printf "extraEnv sets %s, which another value sets already" .name) }}
{{- end }}
{{- end }}
{{- end }}
