{{/* How Prometheus shows the token. */}}
{{- define "berth.scrapeAuthorization" -}}
{{- if not .Values.auth.insecureNoAuth }}
authorization:
  type: Bearer
  credentials: { name: {{ include "berth.token.secretName" . }}, key: {{ .Values.auth.existingSecretKey }} }
{{- end }}
{{- end }}

{{/*
When and how often, and what becomes of it. Call with the values of a monitor as own, and job: alerts know the jobs of
deploy/prometheus by name. With cluster for what does not name its cluster itself.
*/}}
{{- define "berth.scrapeRelabel" -}}
{{- $job := .job }}
{{- $cluster := .cluster }}
{{- with .own }}
interval: {{ .interval }}
scrapeTimeout: {{ .scrapeTimeout }}
relabelings:
  - targetLabel: job
    replacement: {{ $job }}
  {{- with $cluster }}
  - targetLabel: cluster
    replacement: {{ . }}
  {{- end }}
  {{- with .relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
