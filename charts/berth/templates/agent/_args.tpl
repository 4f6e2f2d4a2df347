{{/* Flags of `berth agent` that the chart knows. src/cli/agent-flags.ts says what each means. */}}
{{- define "berth.agent.args" -}}
{{- $agent := .Values.agent }}
{{- $isDind := eq $agent.mode "dind" }}
- {{ printf "--master=%v" (include "berth.agent.masters" .) | quote }}
- {{ printf "--cluster=%v" (.Values.server.clusterName) | quote }}
- {{ printf "--listen=%v" (.Values.server.listen) | quote }}
- {{ printf "--port=%v" ($agent.port) | quote }}
- {{ printf "--hostname=%v" (default (ternary "$(POD_IP)" "$(NODE_IP)" $isDind) $agent.hostname) | quote }}
- {{ printf "--work-dir=%v" ($agent.workDir) | quote }}
- {{ printf "--docker-socket=%v" (printf "/run/berth-docker/%s" (ternary "docker.sock" (base $agent.dockerSocket) $isDind)) | quote }}
- {{ printf "--log-level=%v" ($agent.logLevel) | quote }}
{{- with $agent.nodeResources }}
- {{ printf "--resources=%s" . | quote }}
{{- end }}
{{- with $agent.attributes }}
- {{ printf "--attributes=%s" . | quote }}
{{- end }}
{{- if $agent.dockerConfigSecret }}
- --docker-config=/etc/berth/docker/config.json
{{- end }}
{{- if .Values.auth.insecureNoAuth }}
- --insecure-no-auth
{{- else }}
- --token-file=/etc/berth/token/token
{{- end }}
{{- if .Values.tls.enabled }}
- --master-ca=/etc/berth/ca/ca.crt
{{- end }}
{{- if $agent.tls.existingSecret }}
- --tls-cert=/etc/berth/agent-tls/tls.crt
- --tls-key=/etc/berth/agent-tls/tls.key
{{- end }}
{{- end }}

{{- define "berth.agent.checksum" -}}
{{- $seen := list }}
{{- if include "berth.token.made" . }}{{ $seen = append $seen (include "berth.token.data" .) }}{{ end }}
{{- if and .Values.tls.enabled (include "berth.tls.made" .) }}{{ $seen = append $seen (get (include "berth.tls.data" . | fromYaml) "ca.crt") }}{{ end }}
{{- toJson $seen | sha256sum }}
{{- end }}
