{{/*
Secrets that this chart makes: the token, the authority, certificates. What is in the cluster already is kept; the rest is made
once in a run of Helm and remembered, so that every template sees the same.
*/}}

{{- define "berth.token.secretName" -}}
{{- default (printf "%s-token" (include "berth.fullname" .)) .Values.auth.existingSecret }}
{{- end }}

{{- define "berth.tls.secretName" -}}
{{- default (printf "%s-tls" (include "berth.fullname" .)) .Values.tls.existingSecret }}
{{- end }}

{{- define "berth.etcd.tls.secretName" -}}
{{- default (printf "%s-etcd-tls" (include "berth.fullname" .)) .Values.etcd.tls.existingSecret }}
{{- end }}

{{- define "berth.token.made" -}}{{ if not (or .Values.auth.existingSecret .Values.auth.insecureNoAuth) }}true{{ end }}{{- end }}
{{- define "berth.tls.made" -}}{{ if not (or .Values.tls.existingSecret .Values.tls.certManager.enabled) }}true{{ end }}{{- end }}
{{- define "berth.etcd.tls.made" -}}
{{- if and .Values.etcd.enabled .Values.etcd.tls.enabled (not (or .Values.etcd.tls.existingSecret .Values.etcd.tls.certManager.enabled)) }}true{{ end }}
{{- end }}
{{- define "berth.ca.made" -}}{{ if or (include "berth.tls.made" .) (include "berth.etcd.tls.made" .) }}true{{ end }}{{- end }}

{{/* Names in the servers' certificate, as JSON. */}}
{{- define "berth.tls.names" -}}
{{- $service := include "berth.fullname" . }}
{{- $headless := include "berth.server.headless" . }}
{{- $space := .Release.Namespace }}
{{- $names := list $service (printf "%s.%s" $service $space) (printf "%s.%s.svc" $service $space) (printf "%s.%s.svc.%s" $service $space .Values.clusterDomain) }}
{{- range list "" "*." }}
{{- $names = concat $names (list (printf "%s%s.%s.svc" . $headless $space) (printf "%s%s.%s.svc.%s" . $headless $space $.Values.clusterDomain)) }}
{{- end }}
{{- $advertised := .Values.server.advertiseAddress }}
{{- if and $advertised (not (contains "_IP)" $advertised)) }}
{{- range until (int .Values.server.replicas) }}
{{- $names = append $names ($advertised | replace "$(POD_NAME)" (printf "%s-%d" (include "berth.server.name" $) .)) }}
{{- end }}
{{- end }}
{{- concat $names (list "localhost") .Values.tls.names | uniq | toJson }}
{{- end }}

{{- define "berth.tls.addresses" -}}
{{- concat (list "127.0.0.1" "::1") .Values.tls.addresses .Values.service.perReplica.loadBalancerIPs | uniq | toJson }}
{{- end }}

{{/*
Names in the certificate of etcd's members, as JSON. Each member by itself: a member looks the names of a peer's certificate up
and wants to find the address that it comes from.
*/}}
{{- define "berth.etcd.tls.names" -}}
{{- $domain := include "berth.etcd.domain" . }}
{{- $names := list (include "berth.etcd.headless" .) }}
{{- range until (int .Values.etcd.replicas) }}
{{- $names = append $names (printf "%s-%d.%s" (include "berth.etcd.name" $) . $domain) }}
{{- end }}
{{- concat $names (list $domain "localhost") | toJson }}
{{- end }}

{{/* The token in base64. */}}
{{- define "berth.token.data" -}}
{{- if not (hasKey .Values.auth "made") }}
{{- $name := include "berth.token.secretName" . }}
{{- $there := (lookup "v1" "Secret" .Release.Namespace $name) | default dict }}
{{- $kept := dig "data" .Values.auth.existingSecretKey "" $there }}
{{- if .Values.auth.token }}
{{- $_ := set .Values.auth "made" (b64enc .Values.auth.token) }}
{{- else }}
{{- $_ := set .Values.auth "made" (default (randAlphaNum 48 | b64enc) $kept) }}
{{- end }}
{{- end }}
{{- .Values.auth.made }}
{{- end }}

{{/* Puts the authority (Cert, Key) into .Values.tls.authority. */}}
{{- define "berth.ca.prepare" -}}
{{- if not (hasKey .Values.tls "authority") }}
{{- $there := (lookup "v1" "Secret" .Release.Namespace (printf "%s-ca" (include "berth.fullname" .))) | default dict }}
{{- $cert := dig "data" "tls.crt" "" $there }}
{{- $key := dig "data" "tls.key" "" $there }}
{{- if and $cert $key }}
{{- $_ := set .Values.tls "authority" (buildCustomCert $cert $key) }}
{{- else }}
{{- $_ := set .Values.tls "authority" (genCA (printf "%s CA" (include "berth.fullname" .)) 3650) }}
{{- end }}
{{- end }}
{{- end }}

{{/*
data of a Secret with a certificate of the authority. Kept as long as names and revision (its annotation) and the authority are
the same. Call with (dict "root" $ "secret" name "names" list "addresses" list).
*/}}
{{- define "berth.certificate.data" -}}
{{- include "berth.ca.prepare" .root }}
{{- $authority := .root.Values.tls.authority }}
{{- $made := .root.Values.tls.certificates | default dict }}
{{- if not (hasKey $made .secret) }}
{{- $mark := include "berth.certificate.mark" . }}
{{- $there := (lookup "v1" "Secret" .root.Release.Namespace .secret) | default dict }}
{{- $data := dig "data" dict $there }}
{{- $isSame := and (eq $mark (dig "metadata" "annotations" "berth/certificate" "" $there)) (eq (b64enc $authority.Cert) (get $data "ca.crt")) (hasKey $data "tls.crt") (hasKey $data "tls.key") }}
{{- if not $isSame }}
{{- $fresh := genSignedCert (first .names) .addresses .names (int .root.Values.tls.generated.days) $authority }}
{{- $data = dict "ca.crt" (b64enc $authority.Cert) "tls.crt" (b64enc $fresh.Cert) "tls.key" (b64enc $fresh.Key) }}
{{- end }}
{{- $_ := set $made .secret (pick $data "ca.crt" "tls.crt" "tls.key") }}
{{- $_ := set .root.Values.tls "certificates" $made }}
{{- end }}
{{- get $made .secret | toYaml }}
{{- end }}

{{- define "berth.certificate.mark" -}}
{{- printf "%s %s %v" (toJson .names) (toJson .addresses) .root.Values.tls.generated.revision | sha256sum }}
{{- end }}

{{- define "berth.tls.request" -}}
{{- dict "names" (include "berth.tls.names" . | fromJsonArray) "addresses" (include "berth.tls.addresses" . | fromJsonArray) | toJson }}
{{- end }}

{{- define "berth.tls.data" -}}
{{- $request := include "berth.tls.request" . | fromJson }}
{{- include "berth.certificate.data" (merge (dict "root" . "secret" (include "berth.tls.secretName" .)) $request) }}
{{- end }}

{{- define "berth.etcd.tls.data" -}}
{{- include "berth.certificate.data" (dict "root" . "secret" (include "berth.etcd.tls.secretName" .) "names" (include "berth.etcd.tls.names" . | fromJsonArray) "addresses" (list "127.0.0.1" "::1")) }}
{{- end }}

{{/* Changes when the Secrets that this chart makes for the pods change: new pods then take the new ones up. */}}
{{- define "berth.checksum" -}}
{{- $seen := list }}
{{- if include "berth.token.made" . }}{{ $seen = append $seen (include "berth.token.data" .) }}{{ end }}
{{- if include "berth.tls.made" . }}{{ $seen = append $seen (include "berth.tls.data" .) }}{{ end }}
{{- if include "berth.etcd.tls.made" . }}{{ $seen = append $seen (include "berth.etcd.tls.data" .) }}{{ end }}
{{- toJson $seen | sha256sum }}
{{- end }}
