{{/* Flags of `berth server` that the chart knows. src/cli/server-flags.ts says what each means. */}}
{{- define "berth.server.args" -}}
- --listen={{ .Values.server.listen }}
- --marathon-port={{ .Values.service.ports.marathon }}
- --mesos-port={{ .Values.service.ports.mesos }}
- --kube-port={{ .Values.service.ports.kubernetes }}
- --hostname={{ include "berth.server.advertise" . }}
- --advertise-address={{ include "berth.server.advertise" . }}
- --cluster={{ .Values.server.clusterName }}
- --data-dir=/var/lib/berth/server
- --log-level={{ .Values.server.logLevel }}
- --etcd-endpoints={{ include "berth.etcd.endpoints" . }}
{{- include "berth.server.etcdArgs" . }}
{{- if .Values.auth.insecureNoAuth }}
- --insecure-no-auth
{{- else }}
- --token-file=/etc/berth/token/token
{{- end }}
{{- if .Values.tls.enabled }}
- --tls-cert=/var/lib/berth/server/pki/server.crt
- --tls-key=/var/lib/berth/server/pki/server.key
{{- end }}
{{- end }}

{{- define "berth.server.etcdArgs" -}}
{{- if .Values.etcd.enabled }}
{{- if .Values.etcd.tls.enabled }}
- --etcd-ca=/etc/berth/etcd-tls/ca.crt
- --etcd-cert=/etc/berth/etcd-tls/tls.crt
- --etcd-key=/etc/berth/etcd-tls/tls.key
{{- end }}
{{- else }}
{{- $tls := .Values.externalEtcd.tls }}
{{- if $tls.existingSecret }}
- --etcd-ca=/etc/berth/etcd-tls/{{ $tls.caKey }}
{{- if $tls.certKey }}
- --etcd-cert=/etc/berth/etcd-tls/{{ $tls.certKey }}
- --etcd-key=/etc/berth/etcd-tls/{{ $tls.keyKey }}
{{- end }}
{{- end }}
{{- with .Values.externalEtcd.auth }}
{{- if .user }}
- --etcd-user={{ .user }}
- --etcd-password-file=/etc/berth/etcd-password/{{ .passwordKey }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
