{{/* How Prometheus shows the token. */}}
{{- define "berth.scrapeAuthorization" -}}
{{- if not .Values.auth.insecureNoAuth }}
authorization:
  type: Bearer
  credentials: { name: {{ include "berth.token.secretName" . }}, key: {{ .Values.auth.existingSecretKey }} }
{{- end }}
{{- end }}

{{/* When and how often, and what becomes of it. Call with the values of a monitor. */}}
{{- define "berth.scrapeRelabel" -}}
interval: {{ .interval }}
scrapeTimeout: {{ .scrapeTimeout }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
