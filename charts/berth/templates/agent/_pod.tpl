{{/* Secrets of an agent's pod, as mounts and as volumes. */}}
{{- define "berth.agent.secretMounts" -}}
{{- if not .Values.auth.insecureNoAuth }}
- { name: token, mountPath: /etc/berth/token, readOnly: true }
{{- end }}
{{- if .Values.tls.enabled }}
- { name: ca, mountPath: /etc/berth/ca, readOnly: true }
{{- end }}
{{- if .Values.agent.tls.existingSecret }}
- { name: agent-tls, mountPath: /etc/berth/agent-tls, readOnly: true }
{{- end }}
{{- if .Values.agent.dockerConfigSecret }}
- { name: docker-config, mountPath: /etc/berth/docker, readOnly: true }
{{- end }}
{{- end }}

{{- define "berth.agent.secretVolumes" -}}
{{- if not .Values.auth.insecureNoAuth }}
- name: token
  secret:
    secretName: {{ include "berth.token.secretName" . }}
    defaultMode: 0400
    items:
      - { key: {{ .Values.auth.existingSecretKey }}, path: token }
{{- end }}
{{- if .Values.tls.enabled }}
- name: ca
  secret:
    secretName: {{ include "berth.tls.secretName" . }}
    items:
      - { key: {{ .Values.tls.caKey }}, path: ca.crt }
{{- end }}
{{- with .Values.agent.tls.existingSecret }}
- name: agent-tls
  secret:
    secretName: {{ . }}
    defaultMode: 0400
{{- end }}
{{- with .Values.agent.dockerConfigSecret }}
- name: docker-config
  secret:
    secretName: {{ . }}
    defaultMode: 0400
    items:
      - { key: .dockerconfigjson, path: config.json }
{{- end }}
{{- end }}

{{/* The Docker engine beside the agent. `dockerd` as first word keeps the image from opening a TCP port of its own. */}}
{{- define "berth.agent.dind" -}}
{{- $dind := .Values.agent.dind }}
- name: dind
  image: {{ include "berth.imageRef" (dict "root" $ "image" $dind.image "tag" "") }}
  imagePullPolicy: {{ $dind.image.pullPolicy }}
  args:
    - dockerd
    - --host=unix:///run/berth-docker/docker.sock
    - --data-root=/var/lib/docker
    {{- with $dind.extraArgs }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  startupProbe:
    exec: { command: [docker, --host=unix:///run/berth-docker/docker.sock, version] }
    periodSeconds: 2
    failureThreshold: 60
    timeoutSeconds: 5
  resources:
    {{- toYaml $dind.resources | nindent 4 }}
  securityContext:
    {{- toYaml $dind.securityContext | nindent 4 }}
  volumeMounts:
    - { name: docker-run, mountPath: /run/berth-docker }
    - { name: docker-data, mountPath: /var/lib/docker }
    - { name: work, mountPath: {{ .Values.agent.workDir }} }
{{- end }}
