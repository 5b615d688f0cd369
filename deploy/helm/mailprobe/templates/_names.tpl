{{- define "mailprobe.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What the objects are called: the release, with the chart's name if it is not in it already.
At most 52 characters: Kubernetes makes a label of 63 from it and a hash. */}}
{{- define "mailprobe.fullname" -}}
{{- $name := include "mailprobe.name" . }}
{{- $both := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- default $both .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "mailprobe.selector" -}}
app.kubernetes.io/name: {{ include "mailprobe.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mailprobe.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "mailprobe.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "mailprobe.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* Those files that the chart has by symbolic links, which not everything that fetches it follows. */}}
{{- define "mailprobe.linked" -}}
{{- if not (.root.Files.Glob .path) }}
{{- fail (printf "%s is missing: take the chart from a full checkout, or what `helm package` makes there" .path) }}
{{- end }}
{{- end }}
