{{- define "operator.labels" -}}
app.kubernetes.io/name: integration-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
{{- define "operator.selector" -}}
app.kubernetes.io/name: integration-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{/* For what lies outside the release's namespace, where a release of the same name elsewhere has its own. */}}
{{- define "operator.name.cluster" -}}
{{ .Release.Namespace }}.{{ .Release.Name }}
{{- end }}
{{- define "operator.subjects" -}}
subjects:
- {kind: ServiceAccount, name: {{ include "operator.serviceAccount" . }}, namespace: {{ .Release.Namespace }}}
{{- end }}
{{/* Where pods may run, and how their image is pulled. */}}
{{- define "operator.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}
{{- define "operator.serviceAccount" -}}
{{- .Values.serviceAccount.name | default .Release.Name -}}
{{- end }}
{{- define "operator.tlsSecret" -}}
{{- .Values.gateway.tls.secretName | default (printf "%s-gateway-tls" .Release.Name) -}}
{{- end }}
{{/* Whether the operator makes the Gateway's certificate itself. */}}
{{- define "operator.localTls" -}}
{{- if and .Values.gateway.enabled (not (or .Values.gateway.tls.secretName .Values.gateway.tls.certManager.issuerRef)) }}true{{ end -}}
{{- end }}
{{/* What the operator may do with the objects of the namespaces that it serves. */}}
{{- define "operator.rules" -}}
- apiGroups: [integration.threehorizons.io]
  resources: {{ include "operator.kinds" . }}
  verbs: [get, list, watch, patch]
- apiGroups: [integration.threehorizons.io]
  resources: {{ include "operator.kinds.status" . }}
  verbs: [patch]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes, backendtlspolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways]
  verbs: [{{ if and (include "operator.localTls" .) (not .Values.watchNamespaces) }}get, {{ end }}list, watch]
- apiGroups: [gateway.envoyproxy.io]
  resources: [backends, backendtrafficpolicies, httproutefilters, securitypolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, {{ if .Values.secrets.watch }}list, watch, {{ end }}create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [get, create, patch]
{{- end }}
{{/* Link-local, and where clouds tell machines who they are: as in core/addresses.py, which a test compares. */}}
{{- define "operator.never.four" -}}
["169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32"]
{{- end }}
{{- define "operator.never.six" -}}
["fe80::/10", "fd00:42::42/128", "fd00:a9fe:a9fe::1/128", "fd00:c1::a9fe:a9fe/128", "fd00:ec2::/32", "fd20:ce::254/128"]
{{- end }}
{{/* Networks of one family that Envoy may not connect to: those that are never allowed, and outbound.deny. */}}
{{- define "operator.denied" -}}
{{- $denied := .never -}}
{{- range .values.outbound.deny }}{{ if eq $.six (contains ":" .) }}{{ $denied = append $denied . }}{{ end }}{{ end -}}
{{- toYaml $denied -}}
{{- end }}
