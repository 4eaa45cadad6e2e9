{{- define "faas-lambda.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* A release's name may have dots, and a Service's may not. */}}
{{- define "faas-lambda.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := include "faas-lambda.name" . }}
{{- $release := replace "." "-" .Release.Name }}
{{- if contains $name $release }}
{{- $release | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" $release $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* The labels by which the provider's pods are found; they never change. */}}
{{- define "faas-lambda.selector" -}}
app.kubernetes.io/name: {{ include "faas-lambda.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The labels that the chart sets itself. */}}
{{- define "faas-lambda.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "faas-lambda.selector" . }}
app.kubernetes.io/version: {{ include "faas-lambda.version" . | quote }}
app.kubernetes.io/component: provider
app.kubernetes.io/part-of: openfaas
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "faas-lambda.labels" -}}
{{ include "faas-lambda.ownLabels" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The image's tag as a label: shorter, and with a letter or digit at either end. */}}
{{- define "faas-lambda.version" -}}
{{- default .Chart.AppVersion .Values.image.tag | trunc 63 | trimAll "-_." }}
{{- end }}

{{- define "faas-lambda.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "faas-lambda.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "faas-lambda.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* How long a pod may take to end: the drain, invocations under way, last spans. */}}
{{- define "faas-lambda.grace" -}}
{{- add (int .Values.shutdown.drainSeconds) (int .Values.shutdown.timeoutSeconds) 15 }}
{{- end }}

{{/* A value as text; Helm reads numbers as floats, and would write 1e+06. */}}
{{- define "faas-lambda.text" -}}
{{- if kindIs "float64" . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}
