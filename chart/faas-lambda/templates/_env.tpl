{{/* The variables of docs/configuration.md and of AWS's SDK. */}}
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
{{- with .Values.extraEnv }}
{{ toYaml . }}
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
