{{/* Flags of etcd. Compaction is off: Berth compacts what all servers have read, and a second hand would cut their watches. */}}
{{- define "berth.etcd.args" -}}
{{- $scheme := include "berth.etcd.scheme" . }}
{{- $any := ternary "[::]" "0.0.0.0" (contains ":" .Values.server.listen) }}
{{- $self := printf "$(POD_NAME).%s" (include "berth.etcd.domain" .) }}
- --name=$(POD_NAME)
- --data-dir=/var/lib/etcd/data
- --listen-client-urls={{ $scheme }}://{{ $any }}:2379
- --advertise-client-urls={{ $scheme }}://{{ $self }}:2379
- --listen-peer-urls={{ $scheme }}://{{ $any }}:2380
- --initial-advertise-peer-urls={{ $scheme }}://{{ $self }}:2380
- --initial-cluster={{ include "berth.etcd.initialCluster" . }}
- --initial-cluster-state=new
- --initial-cluster-token={{ .Release.Namespace }}-{{ include "berth.etcd.name" . }}
- --listen-metrics-urls=http://{{ $any }}:2381
- --quota-backend-bytes={{ mul (int64 .Values.etcd.quotaMiB) 1048576 }}
- --auto-compaction-retention=0
- --heartbeat-interval={{ int .Values.etcd.heartbeatIntervalMs }}
- --election-timeout={{ int .Values.etcd.electionTimeoutMs }}
- --logger=zap
{{- if .Values.etcd.tls.enabled }}
{{- range $prefix := list "" "peer-" }}
- --{{ $prefix }}cert-file=/etc/etcd/tls/tls.crt
- --{{ $prefix }}key-file=/etc/etcd/tls/tls.key
- --{{ $prefix }}trusted-ca-file=/etc/etcd/tls/ca.crt
- --{{ $prefix }}client-cert-auth
{{- end }}
{{- end }}
{{- end }}
