{{/* The variables of docs/configuration.md, of AWS's SDK and of Go. */}}
{{- define "faas-lambda.env" -}}
- name: port
  value: {{ .Values.port | toString | quote }}
- name: shutdown_delay
  value: {{ printf "%ds" (int .Values.shutdown.drainSeconds) }}
- name: shutdown_timeout
  value: {{ printf "%ds" (int .Values.shutdown.timeoutSeconds) }}
- name: basic_auth
  value: {{ .Values.basicAuth.enabled | quote }}
{{- if .Values.basicAuth.enabled }}
- name: secret_mount_path
  value: /var/secrets/basic-auth
{{- end }}
- name: cache_dir
  value: {{ ternary "/tmp/cache" "/var/cache/faas-lambda" (eq .Values.cache.type "none") }}
{{- if .Values.registrySecrets }}
- name: image_pull_secrets
  value: /var/run/pull-secrets
{{- end }}
{{- with .Values.aws.executionRole }}
- name: lambda_execution_role
  value: {{ . | quote }}
{{- end }}
{{- with .Values.aws.region }}
- name: AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- with .Values.aws.credentialsSecret }}
{{- range $key := list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" "AWS_SESSION_TOKEN" }}
- name: {{ $key }}
  valueFrom: {secretKeyRef: {name: {{ $.Values.aws.credentialsSecret }}, key: {{ $key }}, optional: {{ eq $key "AWS_SESSION_TOKEN" }}}}
{{- end }}
{{- end }}
{{- with .Values.aws.endpointUrl }}
- name: AWS_ENDPOINT_URL
  value: {{ . | quote }}
{{- end }}
{{- if or .Values.caBundle.configMapName .Values.caBundle.secretName }}
- name: SSL_CERT_DIR
  value: /etc/ssl/extra
{{- end }}
{{- include "faas-lambda.proxy" . }}
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ include "faas-lambda.text" $value | quote }}
{{- end }}
{{- $limit := include "faas-lambda.memoryLimit" . }}
{{- if and $limit (not (has "GOMEMLIMIT" (include "faas-lambda.extraNames" . | fromYamlArray))) }}
- name: GOMEMLIMIT
  value: {{ $limit | quote }}
{{- end }}
{{- end }}

{{- define "faas-lambda.proxy" -}}
{{- with .Values.proxy }}
{{- if .http }}
- name: HTTP_PROXY
  value: {{ .http | quote }}
{{- end }}
{{- if .https }}
- name: HTTPS_PROXY
  value: {{ .https | quote }}
{{- end }}
{{- if or .http .https }}
- name: NO_PROXY
  value: {{ .noProxy | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "faas-lambda.extraNames" -}}
{{- range .Values.extraEnv }}
- {{ .name }}
{{- end }}
{{- end }}

{{/* Nine tenths of the container's memory, in bytes: Go collects garbage before the
kernel ends the program. Empty where the limit is of no form that is known. */}}
{{- define "faas-lambda.memoryLimit" -}}
{{- $limit := dig "limits" "memory" "" .Values.resources | toString }}
{{- $number := regexFind "^[0-9.]+" $limit }}
{{- $unit := get (dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824) (trimPrefix $number $limit) }}
{{- if and $number $unit }}
{{- mulf (float64 $number) (float64 $unit) 0.9 | int64 }}
{{- end }}
{{- end }}
