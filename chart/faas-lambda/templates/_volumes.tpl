{{- define "faas-lambda.volumeMounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if ne .Values.cache.type "none" }}
- {name: cache, mountPath: /var/cache/faas-lambda}
{{- end }}
{{- if .Values.config }}
- {name: config, mountPath: /etc/faas-lambda, readOnly: true}
{{- end }}
{{- if .Values.basicAuth.enabled }}
- {name: basic-auth, mountPath: /var/secrets/basic-auth, readOnly: true}
{{- end }}
{{- range $i, $name := .Values.secretMounts }}
- {name: secret-{{ $i }}, mountPath: /var/secrets/{{ $name }}, readOnly: true}
{{- end }}
{{- range $i, $name := .Values.registrySecrets }}
- {name: registry-{{ $i }}, mountPath: /var/run/pull-secrets/{{ $name }}, readOnly: true}
{{- end }}
{{- if or .Values.caBundle.configMapName .Values.caBundle.secretName }}
- {name: ca-bundle, mountPath: /etc/ssl/extra, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "faas-lambda.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .Values.tmp.size }}}
{{- if eq .Values.cache.type "emptyDir" }}
- name: cache
  emptyDir: {sizeLimit: {{ .Values.cache.size }}}
{{- else if eq .Values.cache.type "persistentVolumeClaim" }}
- name: cache
  persistentVolumeClaim:
    claimName: {{ default (printf "%s-cache" (include "faas-lambda.fullname" .)) .Values.cache.existingClaim }}
{{- end }}
{{- if .Values.config }}
- name: config
  configMap: {name: {{ include "faas-lambda.fullname" . }}-config}
{{- end }}
{{- if .Values.basicAuth.enabled }}
- name: basic-auth
  secret: {secretName: {{ .Values.basicAuth.secretName }}}
{{- end }}
{{- range $i, $name := .Values.secretMounts }}
- name: secret-{{ $i }}
  secret: {secretName: {{ $name }}}
{{- end }}
{{- range $i, $name := .Values.registrySecrets }}
- name: registry-{{ $i }}
  secret: {secretName: {{ $name }}}
{{- end }}
{{- if .Values.caBundle.configMapName }}
- name: ca-bundle
  configMap: {name: {{ .Values.caBundle.configMapName }}}
{{- else if .Values.caBundle.secretName }}
- name: ca-bundle
  secret: {secretName: {{ .Values.caBundle.secretName }}}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
