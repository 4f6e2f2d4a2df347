{{/* What the schema cannot say: values that only make sense, or no sense, together. Fails with what to change. */}}
{{- define "berth.validate" -}}
{{- include "berth.validate.etcd" . }}
{{- include "berth.validate.secrets" . }}
{{- include "berth.validate.addresses" . }}
{{- include "berth.validate.times" . }}
{{- end }}

{{- define "berth.validate.etcd" -}}
{{- $external := gt (len .Values.externalEtcd.endpoints) 0 }}
{{- if and .Values.etcd.enabled $external }}
{{- fail "two etcds: set either etcd.enabled=true (an etcd of Berth's own) or externalEtcd.endpoints, not both. For an external etcd add etcd.enabled=false" }}
{{- end }}
{{- if and (not .Values.etcd.enabled) (not $external) }}
{{- fail "no etcd: set etcd.enabled=true (an etcd of Berth's own) or externalEtcd.endpoints (one that is there already)" }}
{{- end }}
{{- range .Values.externalEtcd.endpoints }}
{{- if and (hasPrefix "http://" .) $.Values.externalEtcd.tls.existingSecret }}
{{- fail (printf "externalEtcd.endpoints: %s is not https, but externalEtcd.tls.existingSecret is set" .) }}
{{- end }}
{{- end }}
{{- $tls := .Values.externalEtcd.tls }}
{{- if ne (empty $tls.certKey) (empty $tls.keyKey) }}
{{- fail "externalEtcd.tls.certKey and externalEtcd.tls.keyKey must be given together, or both be empty" }}
{{- end }}
{{- $auth := .Values.externalEtcd.auth }}
{{- if ne (empty $auth.user) (empty $auth.existingSecret) }}
{{- fail "externalEtcd.auth.user and externalEtcd.auth.existingSecret must be given together" }}
{{- end }}
{{- if and .Values.etcd.tls.existingSecret .Values.etcd.tls.certManager.enabled }}
{{- fail "etcd.tls: set either existingSecret or certManager.enabled, not both" }}
{{- end }}
{{- end }}

{{- define "berth.validate.secrets" -}}
{{- $auth := .Values.auth }}
{{- if and $auth.existingSecret $auth.token }}
{{- fail "auth: set either existingSecret or token, not both" }}
{{- end }}
{{- if and $auth.insecureNoAuth (or $auth.existingSecret $auth.token) }}
{{- fail "auth: insecureNoAuth contradicts a token; set one of them" }}
{{- end }}
{{- if and .Values.tls.existingSecret .Values.tls.certManager.enabled }}
{{- fail "tls: set either existingSecret or certManager.enabled, not both" }}
{{- end }}
{{- if and (or .Values.tls.certManager.enabled (and .Values.etcd.enabled .Values.etcd.tls.enabled .Values.etcd.tls.certManager.enabled)) (not .Values.tls.certManager.issuerRef.name) }}
{{- fail "tls.certManager.issuerRef.name must name the issuer of the certificates" }}
{{- end }}
{{- end }}

{{- define "berth.validate.addresses" -}}
{{- $advertised := .Values.server.advertiseAddress }}
{{- if and .Values.tls.enabled (not .Values.tls.existingSecret) (not .Values.tls.addresses) (or (contains "$(POD_IP)" $advertised) (contains "$(NODE_IP)" $advertised)) }}
{{- fail "server.advertiseAddress is an address of a pod or node, which no certificate knows: list all of them in tls.addresses, use names, or set tls.enabled=false" }}
{{- end }}
{{- if and .Values.server.hostNetwork .Values.networkPolicy.enabled .Values.etcd.enabled (not .Values.networkPolicy.nodeCIDRs) }}
{{- fail "server.hostNetwork: servers reach etcd from the addresses of their nodes; list those in networkPolicy.nodeCIDRs, or set networkPolicy.enabled=false" }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.parentRefs must name the gateway" }}
{{- end }}
{{- end }}

{{- define "berth.validate.times" -}}
{{- if ge (int .Values.server.drainSeconds) (int .Values.server.terminationGracePeriodSeconds) }}
{{- fail "server.drainSeconds: the server would be killed before it may hand leadership over; server.terminationGracePeriodSeconds must be longer" }}
{{- end }}
{{- end }}
