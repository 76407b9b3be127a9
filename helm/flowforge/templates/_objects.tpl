{{- /* Objects that several components have in the same form: (dict "root" $ "component" "tasks"). */ -}}

{{- define "flowforge.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "flowforge.serviceAccountName" . }}
  namespace: {{ $.root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
automountServiceAccountToken: false
{{- end -}}

{{- /* A gRPC server. h2c, because Linkerd takes `grpc` for opaque bytes. */ -}}
{{- define "flowforge.grpcService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "flowforge.componentName" . }}
  namespace: {{ $.root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
  {{- if .root.Values.mesh.enabled }}
  annotations:
    {{- include "flowforge.mesh.serviceAnnotations" . | trim | nindent 4 }}
  {{- end }}
spec:
  type: ClusterIP
  ports:
    - name: grpc
      port: 7101
      targetPort: grpc
      protocol: TCP
      appProtocol: kubernetes.io/h2c
  selector:
    {{- include "flowforge.selectorLabels" . | nindent 4 }}
{{- end -}}

{{- /* The ready pods of a gRPC server, each by its own address. */ -}}
{{- define "flowforge.podsService" -}}
{{- if not .root.Values.mesh.enabled -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "flowforge.componentName" . }}-pods
  namespace: {{ $.root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
spec:
  clusterIP: None
  ports:
    - name: grpc
      port: 7101
      targetPort: grpc
      protocol: TCP
      appProtocol: kubernetes.io/h2c
  selector:
    {{- include "flowforge.selectorLabels" . | nindent 4 }}
{{- end -}}
{{- end -}}

{{- define "flowforge.podDisruptionBudget" -}}
{{- $values := index .root.Values .component -}}
{{- $autoscaling := $values.autoscaling | default dict -}}
{{- if gt (int (ternary $autoscaling.minReplicas $values.replicas ($autoscaling.enabled | default false))) 1 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "flowforge.componentName" . }}
  namespace: {{ $.root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "flowforge.selectorLabels" . | nindent 6 }}
{{- end -}}
{{- end -}}

{{- define "flowforge.horizontalPodAutoscaler" -}}
{{- $autoscaling := (index .root.Values .component).autoscaling -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "flowforge.componentName" . }}
  namespace: {{ $.root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "flowforge.componentName" . }}
  minReplicas: {{ $autoscaling.minReplicas }}
  maxReplicas: {{ $autoscaling.maxReplicas }}
  metrics:
    {{- with $autoscaling.externalMetric }}
    - type: External
      external:
        metric:
          name: {{ . }}
          selector:
            matchLabels:
              namespace: {{ $.root.Release.Namespace }}
        target:
          type: AverageValue
          averageValue: {{ $autoscaling.depthPerWorker | quote }}
    {{- end }}
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ $autoscaling.cpuPercent }}
    - type: Resource
      resource:
        name: memory
        target:
          type: Utilization
          averageUtilization: {{ $autoscaling.memoryPercent }}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: 0
      policies:
        - { type: Percent, value: 100, periodSeconds: 15 }
        - { type: Pods, value: 2, periodSeconds: 15 }
      selectPolicy: Max
    scaleDown:
      stabilizationWindowSeconds: {{ $autoscaling.scaleDownSeconds }}
      policies:
        - { type: Percent, value: 50, periodSeconds: 30 }
{{- end -}}

{{- define "flowforge.podMonitor" -}}
{{- $monitoring := .root.Values.monitoring -}}
{{- if and $monitoring.enabled (.root.Capabilities.APIVersions.Has "monitoring.coreos.com/v1") -}}
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ include "flowforge.componentName" . }}
  namespace: {{ $.root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
    {{- with $monitoring.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "flowforge.selectorLabels" . | nindent 6 }}
  podMetricsEndpoints:
    - port: admin
      path: /metrics
      interval: {{ $monitoring.interval }}
{{- end -}}
{{- end -}}

{{- /* A certificate by cert-manager; (dict … "hosts" (list …)) for a server that is not of ours. */ -}}
{{- define "flowforge.certificate" -}}
{{- if and (include "flowforge.hasCertificates" .) (eq .root.Values.certificates.mode "cert-manager") -}}
{{- $manager := .root.Values.certificates.certManager -}}
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: {{ include "flowforge.componentName" . }}
  namespace: {{ $.root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
spec:
  secretName: {{ include "flowforge.certificateSecret" . }}
  duration: {{ $manager.duration }}
  renewBefore: {{ $manager.renewBefore }}
  privateKey:
    algorithm: ECDSA
    size: 256
    rotationPolicy: Always
  usages: [digital signature, server auth, client auth]
  dnsNames:
    - {{ .component }}.{{ .root.Release.Namespace }}.serviceaccount.identity.linkerd.{{ .root.Values.trustDomain }}
    {{- range .hosts }}
    - {{ . }}
    {{- end }}
  issuerRef:
    name: {{ $manager.issuer.name | default (printf "%s-authority" (include "flowforge.fullname" .)) }}
    kind: {{ $manager.issuer.kind }}
    group: {{ $manager.issuer.group }}
{{- end -}}
{{- end -}}
