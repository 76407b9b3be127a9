{{- /*
Who may open a connection to a trial database in a mesh, which no contract says: (dict "root" $ "component" "postgres" "callers"
(list "tasks")). Bytes, not calls: the proxy judges the connection by its caller's identity and looks no further. The proxy's own
metrics are open to viz, as those of the components are.
*/ -}}
{{- define "flowforge.meshStore" -}}
---
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata:
  name: {{ include "flowforge.mesh.objectName" (merge (dict "suffix" "connections") .) }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "flowforge.selectorLabels" . | nindent 6 }}
  port: {{ .component }}
  proxyProtocol: opaque
  accessPolicy: {{ ternary "audit" "deny" (eq .root.Values.mesh.policyMode "audit") }}
---
apiVersion: policy.linkerd.io/v1alpha1
kind: MeshTLSAuthentication
metadata:
  name: {{ include "flowforge.mesh.objectName" (merge (dict "suffix" "callers") .) }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
spec:
  identities:
    {{- range .callers }}
    - {{ include "flowforge.identity" (dict "root" $.root "component" .) }}
    {{- end }}
---
apiVersion: policy.linkerd.io/v1alpha1
kind: AuthorizationPolicy
metadata:
  name: {{ include "flowforge.mesh.objectName" (merge (dict "suffix" "connections") .) }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
spec:
  targetRef: { group: policy.linkerd.io, kind: Server, name: {{ include "flowforge.mesh.objectName" (merge (dict "suffix" "connections") .) }} }
  requiredAuthenticationRefs:
    - { group: policy.linkerd.io, kind: MeshTLSAuthentication, name: {{ include "flowforge.mesh.objectName" (merge (dict "suffix" "callers") .) }} }
---
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata:
  name: {{ include "flowforge.mesh.objectName" (merge (dict "suffix" "proxy-admin") .) }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "flowforge.selectorLabels" . | nindent 6 }}
  port: linkerd-admin
  proxyProtocol: HTTP/1
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ include "flowforge.mesh.objectName" (merge (dict "suffix" "proxy-admin") .) }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
spec:
  parentRefs:
    - { group: policy.linkerd.io, kind: Server, name: {{ include "flowforge.mesh.objectName" (merge (dict "suffix" "proxy-admin") .) }} }
  rules:
    - matches:
        - { method: GET, path: { type: Exact, value: /metrics } }
        - { method: GET, path: { type: Exact, value: /live } }
        - { method: GET, path: { type: Exact, value: /ready } }
---
apiVersion: policy.linkerd.io/v1alpha1
kind: NetworkAuthentication
metadata:
  name: {{ include "flowforge.mesh.objectName" (merge (dict "suffix" "anywhere") .) }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
spec:
  networks:
    - cidr: 0.0.0.0/0
    - cidr: "::/0"
---
apiVersion: policy.linkerd.io/v1alpha1
kind: AuthorizationPolicy
metadata:
  name: {{ include "flowforge.mesh.objectName" (merge (dict "suffix" "proxy-admin") .) }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
spec:
  targetRef: { group: gateway.networking.k8s.io, kind: HTTPRoute, name: {{ include "flowforge.mesh.objectName" (merge (dict "suffix" "proxy-admin") .) }} }
  requiredAuthenticationRefs:
    - { group: policy.linkerd.io, kind: NetworkAuthentication, name: {{ include "flowforge.mesh.objectName" (merge (dict "suffix" "anywhere") .) }} }
{{- end -}}
