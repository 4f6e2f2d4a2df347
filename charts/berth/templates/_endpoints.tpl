{{/* Who reaches whom, and how. */}}

{{- define "berth.server.domain" -}}
{{ include "berth.server.headless" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- end }}

{{- define "berth.server.advertise" -}}
{{- default (printf "$(POD_NAME).%s" (include "berth.server.domain" .)) .Values.server.advertiseAddress }}
{{- end }}

{{/* The Service knows servers that are ready, the headless one all that run; neither changes with the number of servers. */}}
{{- define "berth.agent.masters" -}}
{{- $port := int .Values.service.ports.mesos }}
{{- $service := printf "%s.%s.svc.%s" (include "berth.fullname" .) .Release.Namespace .Values.clusterDomain }}
{{- $scheme := include "berth.scheme" . }}
{{- printf "%s://%s:%d,%s://%s:%d" $scheme $service $port $scheme (include "berth.server.domain" .) $port }}
{{- end }}

{{- define "berth.etcd.domain" -}}
{{ include "berth.etcd.headless" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- end }}

{{- define "berth.etcd.scheme" -}}{{ ternary "https" "http" .Values.etcd.tls.enabled }}{{- end }}

{{- define "berth.etcd.endpoints" -}}
{{- if .Values.etcd.enabled }}
{{- $all := list }}
{{- range until (int .Values.etcd.replicas) }}
{{- $all = append $all (printf "%s://%s-%d.%s:2379" (include "berth.etcd.scheme" $) (include "berth.etcd.name" $) . (include "berth.etcd.domain" $)) }}
{{- end }}
{{- join "," $all }}
{{- else }}
{{- join "," .Values.externalEtcd.endpoints }}
{{- end }}
{{- end }}

{{- define "berth.etcd.initialCluster" -}}
{{- $all := list }}
{{- range until (int .Values.etcd.replicas) }}
{{- $all = append $all (printf "%s-%d=%s://%s-%d.%s:2380" (include "berth.etcd.name" $) . (include "berth.etcd.scheme" $) (include "berth.etcd.name" $) . (include "berth.etcd.domain" $)) }}
{{- end }}
{{- join "," $all }}
{{- end }}

{{/* The Secret with certificates for etcd's clients, or nothing. */}}
{{- define "berth.etcd.clientSecret" -}}
{{- if not .Values.etcd.enabled }}
{{- .Values.externalEtcd.tls.existingSecret }}
{{- else if .Values.etcd.tls.enabled }}
{{- include "berth.etcd.tls.secretName" . }}
{{- end }}
{{- end }}
