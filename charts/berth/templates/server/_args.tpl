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

{{/*
How etcd is reached, in the environment and not in the arguments: `berth backup` and `berth doctor` find it there too when they are
run in the pod of a server.
*/}}
{{- define "berth.server.etcdEnv" -}}
{{- $env := dict "BERTH_ETCD_ENDPOINTS" (include "berth.etcd.endpoints" .) }}
{{- $folder := "/etc/berth/etcd-tls" }}
{{- if .Values.etcd.enabled }}
{{- if .Values.etcd.tls.enabled }}
{{- $_ := merge $env (dict "BERTH_ETCD_CA" (printf "%s/ca.crt" $folder) "BERTH_ETCD_CERT" (printf "%s/tls.crt" $folder) "BERTH_ETCD_KEY" (printf "%s/tls.key" $folder)) }}
{{- end }}
{{- else }}
{{- $tls := .Values.externalEtcd.tls }}
{{- if $tls.existingSecret }}
{{- $_ := set $env "BERTH_ETCD_CA" (printf "%s/%s" $folder $tls.caKey) }}
{{- if $tls.certKey }}
{{- $_ := merge $env (dict "BERTH_ETCD_CERT" (printf "%s/%s" $folder $tls.certKey) "BERTH_ETCD_KEY" (printf "%s/%s" $folder $tls.keyKey)) }}
{{- end }}
{{- end }}
{{- with .Values.externalEtcd.auth }}
{{- if .user }}
{{- $_ := merge $env (dict "BERTH_ETCD_USER" .user "BERTH_ETCD_PASSWORD_FILE" (printf "/etc/berth/etcd-password/%s" .passwordKey)) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $value := $env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* For `berth status`, `berth logs` and `berth doctor` in the pod of a server: which cluster, whose certificate, what secret. */}}
{{- define "berth.server.clientEnv" -}}
- name: BERTH_ROLE
  value: server
- name: BERTH_URL
  value: {{ printf "%s://localhost:%d" (include "berth.scheme" .) (int .Values.service.ports.marathon) }}
{{- if not .Values.auth.insecureNoAuth }}
- name: BERTH_TOKEN_FILE
  value: /etc/berth/token/token
{{- end }}
{{- if .Values.tls.enabled }}
- name: NODE_EXTRA_CA_CERTS
  value: /var/lib/berth/server/pki/ca.crt
{{- end }}
{{- end }}
