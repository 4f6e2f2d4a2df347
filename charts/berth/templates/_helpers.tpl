{{/* Names, labels and images. */}}

{{- define "berth.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 40 characters: the longest suffix of ours, and the number of a pod, must fit into 63. */}}
{{- define "berth.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "berth.server.name" -}}{{ include "berth.fullname" . }}-server{{- end }}
{{- define "berth.server.headless" -}}{{ include "berth.fullname" . }}-server-headless{{- end }}
{{- define "berth.etcd.name" -}}{{ include "berth.fullname" . }}-etcd{{- end }}
{{- define "berth.etcd.headless" -}}{{ include "berth.fullname" . }}-etcd-headless{{- end }}
{{- define "berth.agent.name" -}}{{ include "berth.fullname" . }}-agent{{- end }}

{{- define "berth.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The labels that never change: selectors cannot. Call with (dict "root" $ "component" "server"). */}}
{{- define "berth.selectorLabels" -}}
app.kubernetes.io/name: {{ include "berth.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Call with (dict "root" $ "component" "server"). */}}
{{- define "berth.labels" -}}
{{- $own := dict "helm.sh/chart" (include "berth.chart" .root) "app.kubernetes.io/version" .root.Chart.AppVersion "app.kubernetes.io/managed-by" .root.Release.Service "app.kubernetes.io/part-of" "berth" }}
{{- $selector := include "berth.selectorLabels" . | fromYaml }}
{{- mergeOverwrite (deepCopy .root.Values.commonLabels) $own $selector | toYaml }}
{{- end }}

{{/* Of pods: nothing that changes with the version of the chart, or each upgrade of it would replace them all. */}}
{{- define "berth.podLabels" -}}
{{- mergeOverwrite (deepCopy .root.Values.commonLabels) (include "berth.selectorLabels" . | fromYaml) (dict "app.kubernetes.io/part-of" "berth") | toYaml }}
{{- end }}

{{/* metadata of an object. Call with (dict "root" $ "component" "server" "name" "x"); optional: namespace, labels, annotations. */}}
{{- define "berth.metadata" -}}
metadata:
  name: {{ .name }}
  namespace: {{ default .root.Release.Namespace .namespace }}
  labels:
    {{- mergeOverwrite (deepCopy (default dict .labels)) (include "berth.labels" . | fromYaml) | toYaml | nindent 4 }}
  {{- with mergeOverwrite (deepCopy .root.Values.commonAnnotations) (default dict .annotations) }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "berth.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "berth.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* Call with (dict "root" $ "image" .Values.etcd.image "tag" "fallback"). */}}
{{- define "berth.imageRef" -}}
{{- $registry := default .image.registry .root.Values.global.imageRegistry }}
{{- $version := ternary (printf "@%s" .image.digest) (printf ":%s" (default .tag .image.tag)) (ne .image.digest "") }}
{{- printf "%s/%s%s" (trimSuffix "/" $registry) .image.repository $version }}
{{- end }}

{{- define "berth.image" -}}
{{- if not (or .Values.image.registry .Values.global.imageRegistry) }}
{{- fail "image.registry must be set: no image of Berth is published yet. Build deploy/Dockerfile, push it, and give its registry (--set image.registry=registry.example.com)" }}
{{- end }}
{{- include "berth.imageRef" (dict "root" . "image" .Values.image "tag" .Chart.AppVersion) }}
{{- end }}

{{- define "berth.imagePullSecrets" -}}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Spread constraints with the pods' own labels where none are given. Call with (dict "root" $ "component" "server" "constraints" list). */}}
{{- define "berth.topologySpread" -}}
{{- $selector := dict "matchLabels" (include "berth.selectorLabels" . | fromYaml) }}
{{- $all := list }}
{{- range .constraints }}
{{- $all = append $all (merge (deepCopy .) (dict "labelSelector" $selector)) }}
{{- end }}
{{- with $all }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What the pods of every component may be given. Call with the component's values. */}}
{{- define "berth.scheduling" -}}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* A probe over HTTP. Call with (dict "probe" values "path" "/healthz" "port" "marathon" "scheme" "HTTP"). */}}
{{- define "berth.probe" -}}
{{- $asked := dict "httpGet" (dict "path" .path "port" .port "scheme" .scheme) }}
{{- mergeOverwrite $asked (deepCopy .probe) | toYaml }}
{{- end }}

{{/* `--name=value` for each entry of a map of flags, in a fixed order. Numbers stay whole numbers. */}}
{{- define "berth.flags" -}}
{{- range $name, $value := . }}
{{- if kindIs "float64" $value }}
- {{ printf "--%s=%v" $name (int64 $value) | quote }}
{{- else }}
- {{ printf "--%s=%v" $name $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "berth.scheme" -}}{{ ternary "https" "http" .Values.tls.enabled }}{{- end }}
