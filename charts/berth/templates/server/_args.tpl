{{/* Flags of `berth server` that the chart knows. src/cli/server-flags.ts says what each means. */}}
{{- define "berth.server.args" -}}
- {{ printf "--listen=%v" (.Values.server.listen) | quote }}
- {{ printf "--marathon-port=%v" (.Values.service.ports.marathon) | quote }}
- {{ printf "--mesos-port=%v" (.Values.service.ports.mesos) | quote }}
- {{ printf "--kube-port=%v" (.Values.service.ports.kubernetes) | quote }}
- {{ printf "--hostname=%v" (include "berth.server.advertise" .) | quote }}
- {{ printf "--advertise-address=%v" (include "berth.server.advertise" .) | quote }}
- {{ printf "--cluster=%v" (.Values.server.clusterName) | quote }}
- --data-dir=/var/lib/berth/server
- {{ printf "--log-level=%v" (.Values.server.logLevel) | quote }}
- {{ printf "--etcd-endpoints=%v" (include "berth.etcd.endpoints" .) | quote }}
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
- {{ printf "--etcd-ca=/etc/berth/etcd-tls/%v" ($tls.caKey) | quote }}
{{- if $tls.certKey }}
- {{ printf "--etcd-cert=/etc/berth/etcd-tls/%v" ($tls.certKey) | quote }}
- {{ printf "--etcd-key=/etc/berth/etcd-tls/%v" ($tls.keyKey) | quote }}
{{- end }}
{{- end }}
{{- with .Values.externalEtcd.auth }}
{{- if .user }}
- {{ printf "--etcd-user=%v" (.user) | quote }}
- {{ printf "--etcd-password-file=/etc/berth/etcd-password/%v" (.passwordKey) | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
