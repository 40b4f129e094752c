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
{{- define "operator.serviceAccount" -}}
{{- .Values.serviceAccount.name | default .Release.Name -}}
{{- end }}
{{- define "operator.tlsSecret" -}}
{{- .Values.gateway.tls.secretName | default (printf "%s-gateway-tls" .Release.Name) -}}
{{- end }}
{{/* What the operator may do with the objects of the namespaces that it serves. */}}
{{- define "operator.rules" -}}
- apiGroups: [integration.threehorizons.io]
  resources: {{ include "operator.kinds" . }}
  verbs: [get, list, watch, patch]
- apiGroups: [integration.threehorizons.io]
  resources: {{ include "operator.kinds.status" . }}
  verbs: [patch]
- apiGroups: [integration.threehorizons.io]
  resources: {{ include "operator.kinds.finalizers" . }}
  verbs: [update]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes, backendtlspolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways]
  verbs: [get, list, watch]
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
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [get, create, patch]
{{- end }}
{{/* Networks of one family that Envoy may not connect to: those that are never allowed, and outbound.deny. */}}
{{- define "operator.denied" -}}
{{- $denied := .never -}}
{{- range .values.outbound.deny }}{{ if eq $.six (contains ":" .) }}{{ $denied = append $denied . }}{{ end }}{{ end -}}
{{- toYaml $denied -}}
{{- end }}
