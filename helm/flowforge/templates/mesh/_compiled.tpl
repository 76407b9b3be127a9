{{- /* Compiled from the policy options of the contracts by `npm run generate`. Do not edit. */ -}}

{{- /* An object of a component, at most 63 characters: a long name of the component is cut and told apart by a hash. */ -}}
{{- define "flowforge.mesh.objectName" -}}
{{- $name := include "flowforge.componentName" (dict "root" .root "component" .component) -}}
{{- $room := int (sub 62 (len .suffix)) -}}
{{- if gt (len $name) $room -}}
{{- $name = printf "%s-%s" ($name | trunc (int (sub $room 7)) | trimSuffix "-") (sha256sum $name | trunc 6) -}}
{{- end -}}
{{- printf "%s-%s" $name .suffix -}}
{{- end }}

{{- /* Annotations of a component's Service in a mesh: its callers' circuit breakers. Suffixes take 40 characters at most. */ -}}
{{- define "flowforge.mesh.serviceAnnotations" -}}
{{- if eq .component "tasks" }}
balancer.linkerd.io/failure-accrual: consecutive
balancer.linkerd.io/failure-accrual-consecutive-max-failures: "7"
balancer.linkerd.io/failure-accrual-consecutive-min-penalty: "1s"
balancer.linkerd.io/failure-accrual-consecutive-max-penalty: "5s"
{{- else if eq .component "accounts" }}
balancer.linkerd.io/failure-accrual: consecutive
balancer.linkerd.io/failure-accrual-consecutive-max-failures: "7"
balancer.linkerd.io/failure-accrual-consecutive-min-penalty: "1s"
balancer.linkerd.io/failure-accrual-consecutive-max-penalty: "5s"
{{- else if eq .component "notifications" }}
balancer.linkerd.io/failure-accrual: consecutive
balancer.linkerd.io/failure-accrual-consecutive-max-failures: "7"
balancer.linkerd.io/failure-accrual-consecutive-min-penalty: "1s"
balancer.linkerd.io/failure-accrual-consecutive-max-penalty: "5s"
{{- end }}
{{- end }}
