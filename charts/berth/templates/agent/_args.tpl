{{/* Flags of `berth agent` that the chart knows. src/cli/agent-flags.ts says what each means. */}}
{{- define "berth.agent.args" -}}
{{- $agent := .Values.agent }}
{{- $isDind := eq $agent.mode "dind" }}
- --master={{ include "berth.agent.masters" . }}
- --cluster={{ .Values.server.clusterName }}
- --listen={{ .Values.server.listen }}
- --port={{ $agent.port }}
- --hostname={{ default (ternary "$(POD_IP)" "$(NODE_IP)" $isDind) $agent.hostname }}
- --work-dir={{ $agent.workDir }}
- --docker-socket={{ ternary "/run/berth-docker/docker.sock" $agent.dockerSocket $isDind }}
- --log-level={{ $agent.logLevel }}
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
