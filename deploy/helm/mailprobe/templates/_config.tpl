{{/* The configuration: what the chart knows, and over it what was given. */}}
{{- define "mailprobe.config" -}}
{{- $own := dict "journal" "/data/journal.sqlite3" "web" (dict "listen" "0.0.0.0:9841") }}
{{- if .Values.secrets }}{{ $own = set $own "secrets_dir" "/run/secrets" }}{{ end }}
{{- mergeOverwrite $own (deepCopy .Values.config) | toYaml }}
{{- end }}

{{/* The port and the scheme that this configuration listens with. */}}
{{- define "mailprobe.port" -}}
{{- (include "mailprobe.config" . | fromYaml).web.listen | splitList ":" | last }}
{{- end }}

{{- define "mailprobe.scheme" -}}
{{- dig "web" "tls" "" .Values.config | empty | ternary "HTTP" "HTTPS" }}
{{- end }}

{{/* A probe of the kubelet's, of a path; it asks the pod itself, which needs no login there. */}}
{{- define "mailprobe.get" -}}
httpGet:
  path: {{ .path }}
  port: http
  scheme: {{ include "mailprobe.scheme" .root }}
{{- end }}

{{/* The TCP ports that are gone out to, as JSON: those of the values, and those that the
configuration names, which may still be anything. */}}
{{- define "mailprobe.egress" -}}
{{- $ports := list }}
{{- range .Values.networkPolicy.ports }}{{ $ports = append $ports (int .) }}{{ end }}
{{- range .Values.config.relays }}
{{- with . }}
{{- with .port }}{{ $ports = append $ports (int .) }}{{ end }}
{{- if kindIs "slice" .nodes }}
{{- range .nodes }}
{{- with regexFind "(^[^:]*|\\]):[0-9]+$" . }}{{ $ports = append $ports (splitList ":" . | last | int) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- range .Values.config.mailboxes }}
{{- with . }}{{ with .imap }}{{ with .port }}{{ $ports = append $ports (int .) }}{{ end }}{{ end }}{{ end }}
{{- end }}
{{- uniq $ports | toJson }}
{{- end }}

{{/* An address in the links of the alerts, as it stands in the rules: `NAME = URL` in base_urls.txt. */}}
{{- define "mailprobe.link" -}}
{{- .root.Files.Get "files/prometheus/base_urls.txt" | regexFind (printf "(?m)^%s = .*$" .name) | trimPrefix (printf "%s = " .name) }}
{{- end }}
