{{- define "faas-lambda.pod" -}}
serviceAccountName: {{ include "faas-lambda.serviceAccount" . }}
automountServiceAccountToken: {{ .Values.serviceAccount.automountToken }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ include "faas-lambda.grace" . }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
securityContext: {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
{{- range . }}
{{- list (merge (dict) . (dict "labelSelector" (dict "matchLabels" (include "faas-lambda.selector" $ | fromYaml)))) | toYaml | nindent 0 }}
{{- end }}
{{- end }}
containers:
- name: provider
  image: {{ include "faas-lambda.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: {{- concat (list "serve" "--backend" .Values.backend) (ternary (list "--config" "/etc/faas-lambda/config.yaml") (list) (not (empty .Values.config))) (default list .Values.extraArgs) | toYaml | nindent 2 }}
  env:
  {{- include "faas-lambda.env" . | nindent 2 }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .Values.extraEnvFrom }}
  envFrom: {{- toYaml . | nindent 2 }}
  {{- end }}
  ports:
  - {name: http, containerPort: {{ .Values.port }}, protocol: TCP}
  startupProbe: {{- merge (dict "httpGet" (dict "path" "/healthz" "port" "http")) .Values.probes.startup | toYaml | nindent 4 }}
  livenessProbe: {{- merge (dict "httpGet" (dict "path" "/healthz" "port" "http")) .Values.probes.liveness | toYaml | nindent 4 }}
  readinessProbe: {{- merge (dict "httpGet" (dict "path" "/readyz" "port" "http")) .Values.probes.readiness | toYaml | nindent 4 }}
  resources: {{- toYaml .Values.resources | nindent 4 }}
  securityContext: {{- toYaml .Values.securityContext | nindent 4 }}
  volumeMounts: {{- include "faas-lambda.volumeMounts" . | nindent 2 }}
volumes: {{- include "faas-lambda.volumes" . | nindent 0 }}
{{- end }}
