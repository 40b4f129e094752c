{{- /* Generated from the models by `make generate`: don't edit. */ -}}
{{- define "operator.kinds" -}}[apiroutes, serviceconnections]{{- end }}
{{- define "operator.kinds.status" -}}[apiroutes/status, serviceconnections/status]{{- end }}
