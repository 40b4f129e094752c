{{- /* Generated from the models by `make generate`: don't edit. */ -}}
{{- define "operator.kinds" -}}[apiroutes, identityfederations, serviceconnections]{{- end }}
{{- define "operator.kinds.status" -}}[apiroutes/status, identityfederations/status, serviceconnections/status]{{- end }}
