{{- /*
NetworkPolicies of what is not a call between components; those are compiled from the contracts (mesh/). A meshed caller arrives at the proxy's port 4143, whatever port it asked for; then the component's own
port stays closed. Kubelets' probes come from the node and are not judged. Who calls whom over gRPC is not here: it is
compiled from the contracts, see the folder mesh; policies add up.
*/ -}}

{{- define "flowforge.networkPolicyHead" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "flowforge.componentName" . }}
  namespace: {{ $.root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "flowforge.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end -}}

{{- define "flowforge.networkPeer" -}}
podSelector:
  matchLabels:
    {{- include "flowforge.selectorLabels" . | nindent 4 }}
{{- end -}}

{{- /* From components to a port: (dict … "callers" (list "tasks") "port" 5432). */ -}}
{{- define "flowforge.ingressFrom" -}}
{{- $root := .root -}}
- from:
    {{- range .callers }}
    - {{- include "flowforge.networkPeer" (dict "root" $root "component" .) | nindent 6 }}
    {{- end }}
  ports:
    - { protocol: TCP, port: {{ ternary 4143 .port .root.Values.mesh.enabled }} }
{{- end -}}

{{- define "flowforge.ingressCommon" -}}
{{- if .root.Values.networkPolicy.monitoringNamespace }}
- from:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .root.Values.networkPolicy.monitoringNamespace }}
  ports:
    - { protocol: TCP, port: 9101 }
    {{- if .root.Values.mesh.enabled }}
    - { protocol: TCP, port: 4143 }
    - { protocol: TCP, port: 4191 }
    {{- end }}
{{- end }}
{{- if and .root.Values.mesh.enabled .root.Values.mesh.vizNamespace }}
- from:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .root.Values.mesh.vizNamespace }}
  ports:
    - { protocol: TCP, port: 4190 }
    - { protocol: TCP, port: 4191 }
{{- end }}
{{- end -}}

{{- /* To a component of ours: (dict … "component" "postgres" "port" 5432). */ -}}
{{- define "flowforge.egressTo" -}}
- to:
    - {{- include "flowforge.networkPeer" . | nindent 6 }}
  ports:
    - { protocol: TCP, port: {{ ternary 4143 .port .root.Values.mesh.enabled }} }
{{- end -}}

{{- define "flowforge.egressDatabase" -}}
{{- $database := .root.Values.database -}}
{{- if eq $database.mode "trial" }}
{{ include "flowforge.egressTo" (dict "root" .root "component" "postgres" "port" 5432) }}
{{- else if eq $database.mode "cnpg" }}
- to:
    - podSelector:
        matchLabels:
          cnpg.io/cluster: {{ include "flowforge.fullname" . }}-postgres
    - podSelector:
        matchLabels:
          cnpg.io/poolerName: {{ include "flowforge.fullname" . }}-pooler
  ports:
    - { protocol: TCP, port: 5432 }
{{- else }}
- to:
    - ipBlock:
        cidr: {{ $database.external.cidr }}
  ports:
    - { protocol: TCP, port: {{ $database.external.port }} }
{{- end }}
{{- end -}}

{{- define "flowforge.egressRedis" -}}
{{- $redis := .root.Values.redis -}}
{{- if eq $redis.mode "trial" -}}
{{ include "flowforge.egressTo" (dict "root" .root "component" "redis" "port" 6379) }}
{{- else if eq $redis.mode "external" -}}
- to:
    - ipBlock:
        cidr: {{ $redis.external.cidr }}
  ports:
    - { protocol: TCP, port: {{ $redis.external.port }} }
{{- end }}
{{- end -}}

{{- /* Prometheus alone, to a port that is not the admin port of a process of ours. */ -}}
{{- define "flowforge.ingressMetrics" -}}
{{- with .root.Values.networkPolicy.monitoringNamespace -}}
- from:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ . }}
  ports:
    - { protocol: TCP, port: {{ $.port }} }
{{- end -}}
{{- end -}}

{{- define "flowforge.egressDns" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
      podSelector:
        matchLabels:
          k8s-app: kube-dns
  ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
{{- end -}}

{{- define "flowforge.egressApiServer" -}}
- to:
    - ipBlock:
        cidr: {{ .root.Values.networkPolicy.apiServer.cidr }}
  ports:
    {{- range .root.Values.networkPolicy.apiServer.ports }}
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
{{- end -}}

{{- define "flowforge.egressCommon" -}}
{{ include "flowforge.egressDns" . | trim }}
{{- if .root.Values.mesh.enabled }}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .root.Values.mesh.namespace }}
  ports:
    - { protocol: TCP, port: 8080 }
    - { protocol: TCP, port: 8086 }
    - { protocol: TCP, port: 8090 }
{{- end }}
{{- with .root.Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end -}}
