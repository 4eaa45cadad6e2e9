{{/* What the schema cannot say: values that only fit together. */}}
{{- define "faas-lambda.check" -}}
{{- $v := .Values }}
{{- $section := get $v.config "aws" | default dict }}
{{- if eq $v.backend "aws" }}
{{- if not (or $v.aws.executionRole $section.executionRole) }}
{{- fail "aws.executionRole is not set: it is the ARN of the IAM role that functions run as, or managed" }}
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
{{- if and $v.basicAuth.enabled (has "basic-auth" (default list $v.secretMounts)) }}
{{- fail "secretMounts names basic-auth, but /var/secrets/basic-auth is there already: it has the Secret of basicAuth.secretName" }}
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
{{- if and $v.autoscaling.enabled (not (or $v.autoscaling.targetCPUUtilization $v.autoscaling.targetMemoryUtilization)) }}
{{- fail "autoscaling.targetCPUUtilization and autoscaling.targetMemoryUtilization are both 0: there is nothing to scale by" }}
{{- end }}
{{- if not (regexMatch "^[a-z]" (include "faas-lambda.fullname" .)) }}
{{- fail (printf "the name %s, made of the release's, does not begin with a letter, as that of a Service must: set fullnameOverride" (include "faas-lambda.fullname" .)) }}
{{- end }}
{{- include "faas-lambda.checkLabels" . }}
{{- $extra := include "faas-lambda.extraNames" . | fromYamlArray }}
{{- if ne (len $extra) (len (uniq $extra)) }}
{{- fail (printf "extraEnv sets a variable twice: %s" (join ", " $extra)) }}
{{- end }}
{{- range include "faas-lambda.env" . | fromYamlArray }}
{{- if has .name $extra }}
{{- fail (printf "extraEnv sets %s, which another value sets already" .name) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Labels and annotations that are there already: by those of the chart itself the
pods are found. */}}
{{- define "faas-lambda.checkLabels" -}}
{{- $own := include "faas-lambda.ownLabels" . | fromYaml }}
{{- $all := include "faas-lambda.labels" . | fromYaml }}
{{- $metrics := .Values.metrics }}
{{- $taken := dict
  "commonLabels" (list $own .Values.commonLabels)
  "podLabels" (list $all .Values.podLabels)
  "metrics.serviceMonitor.labels" (list $all $metrics.serviceMonitor.labels)
  "metrics.prometheusRule.labels" (list $all $metrics.prometheusRule.labels)
  "metrics.dashboard.labels" (list $all $metrics.dashboard.labels)
}}
{{- if $metrics.scrapeAnnotations }}
{{- $_ := set $taken "podAnnotations" (list (dict "prometheus.io/scrape" "" "prometheus.io/port" "" "prometheus.io/path" "") .Values.podAnnotations) }}
{{- end }}
{{- range $value, $sets := $taken }}
{{- range $key, $_ := last $sets }}
{{- if hasKey (first $sets) $key }}
{{- fail (printf "%s sets %s, which another value or the chart itself sets already" $value $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
