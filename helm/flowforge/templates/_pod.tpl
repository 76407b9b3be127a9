{{- /* What every pod of ours has in common; all take (dict "root" $ "component" "tasks"). */ -}}

{{- define "flowforge.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "flowforge.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "flowforge.podAnnotations" -}}
{{- if .root.Values.mesh.enabled }}
linkerd.io/inject: enabled
config.linkerd.io/default-inbound-policy: {{ .root.Values.mesh.policyMode }}
{{- end }}
{{- with (index .root.Values .component | default dict).podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "flowforge.scheduling" -}}
# Our names are whole: asked for as they are, and not first in every search domain.
dnsConfig:
  options:
    - { name: ndots, value: "2" }
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Pods of a component prefer different nodes and different zones. */ -}}
{{- define "flowforge.spreading" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "flowforge.selectorLabels" . | nindent 8 }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "flowforge.selectorLabels" . | nindent 14 }}
{{- end -}}

{{- /* Alive means that the process answers; ready, that it wants work. Only the latter may look at anything else. */ -}}
{{- define "flowforge.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: admin }
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /livez, port: admin }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
lifecycle:
  preStop:
    sleep:
      seconds: {{ .root.Values.shutdown.delaySeconds }}
{{- end -}}

{{- define "flowforge.gracePeriod" -}}
{{- add .root.Values.shutdown.delaySeconds .root.Values.shutdown.drainSeconds 4 -}}
{{- end -}}

{{- /* Environment that every process has. */ -}}
{{- define "flowforge.environment" -}}
{{- $values := .root.Values }}
- name: FLOWFORGE_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: FLOWFORGE_TRUST_DOMAIN
  value: {{ $values.trustDomain }}
- name: FLOWFORGE_LOG_LEVEL
  value: {{ $values.logLevel }}
{{- if $values.mesh.enabled }}
- name: FLOWFORGE_TRANSPORT
  value: mesh
- name: FLOWFORGE_RETRY_OWNER
  value: {{ ternary "mesh" "process" $values.mesh.retries }}
- name: FLOWFORGE_POLICY_MODE
  value: {{ ternary "audit" "enforce" (eq $values.mesh.policyMode "audit") }}
{{- $accounts := list }}
{{- range $component := list "gateway" "tasks" "accounts" "notifications" "worker" }}
{{- $accounts = append $accounts (printf "%s=%s" $component (include "flowforge.serviceAccountName" (dict "root" $.root "component" $component))) }}
{{- end }}
- name: FLOWFORGE_SERVICE_ACCOUNTS
  value: {{ join "," $accounts }}
{{- else }}
- name: FLOWFORGE_CERTIFICATES
  value: /run/flowforge/certificates
{{- end }}
{{- with $values.telemetryEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . }}
- name: OTEL_SERVICE_NAME
  value: {{ $.component }}
{{- end }}
{{- range $name, $value := (index $values .component | default dict).env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- /* A component's own URL. Its name differs where one job holds several: (dict … "variable" "FLOWFORGE_TASKS_DATABASE_URL"). */ -}}
{{- define "flowforge.databaseEnvironment" -}}
{{- $variable := .variable | default "FLOWFORGE_DATABASE_URL" }}
{{- if eq .root.Values.database.mode "external" }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ include "flowforge.databaseSecret" . }}
      key: url
{{- else }}
- name: {{ $variable }}_USER
  valueFrom:
    secretKeyRef:
      name: {{ include "flowforge.databaseSecret" . }}
      key: username
- name: {{ $variable }}_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "flowforge.databaseSecret" . }}
      key: password
- name: {{ $variable }}
  value: postgres://$({{ $variable }}_USER):$({{ $variable }}_PASSWORD)@{{ include "flowforge.databaseHost" . }}:5432/{{ .root.Values.database.name }}{{ include "flowforge.databaseTls" . }}
{{- end }}
{{- end -}}

{{- /* In a mesh the proxies encrypt, but not to CloudNativePG's servers, which have certificates of their own authority. */ -}}
{{- define "flowforge.databaseTls" -}}
{{- if eq .root.Values.database.mode "cnpg" -}}
?sslmode=verify-full&sslrootcert=/run/flowforge/database-authority/ca.crt
{{- else if include "flowforge.hasCertificates" . -}}
?sslmode=verify-full&sslrootcert=/run/flowforge/certificates/ca.pem
{{- end -}}
{{- end -}}

{{- /* Where the gateway shares limits and cache. The trial's server has a certificate of our authority. */ -}}
{{- define "flowforge.redisEnvironment" -}}
{{- $redis := .root.Values.redis -}}
{{- if eq $redis.mode "trial" }}
- name: FLOWFORGE_REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "flowforge.fullname" . }}-redis
      key: password
- name: FLOWFORGE_REDIS_URL
  value: {{ ternary "rediss" "redis" (eq (include "flowforge.hasCertificates" .) "true") }}://:$(FLOWFORGE_REDIS_PASSWORD)@{{ include "flowforge.redisHost" . }}:6379
{{- if include "flowforge.hasCertificates" . }}
- name: FLOWFORGE_REDIS_AUTHORITY
  value: /run/flowforge/certificates/ca.pem
{{- end }}
{{- else if eq $redis.mode "external" }}
- name: FLOWFORGE_REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ $redis.external.secret | required "redis.external.secret must name a Secret with key url" }}
      key: url
{{- end }}
{{- end -}}

{{- /* CloudNativePG's own authority: it makes the Secret with the cluster; only the certificate of it is mounted. */ -}}
{{- define "flowforge.databaseAuthorityVolume" -}}
- name: database-authority
  secret:
    secretName: {{ include "flowforge.fullname" . }}-postgres-ca
    defaultMode: 0440
    items:
      - { key: ca.crt, path: ca.crt }
{{- end -}}

{{- define "flowforge.databaseAuthorityMount" -}}
- name: database-authority
  mountPath: /run/flowforge/database-authority
  readOnly: true
{{- end -}}

{{- /* Whether a component's process connects to a CloudNativePG cluster. */ -}}
{{- define "flowforge.usesCnpg" -}}
{{- if and (eq .root.Values.database.mode "cnpg") (has .component (list "tasks" "accounts" "notifications" "migrate")) }}true{{ end -}}
{{- end -}}

{{- define "flowforge.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if include "flowforge.hasCertificates" . }}
- name: certificates
  mountPath: /run/flowforge/certificates
  readOnly: true
{{- end }}
{{- if include "flowforge.usesCnpg" . }}
{{ include "flowforge.databaseAuthorityMount" . }}
{{- end }}
{{- end -}}

{{- define "flowforge.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 32Mi
{{- if include "flowforge.hasCertificates" . }}
- name: certificates
  secret:
    secretName: {{ include "flowforge.certificateSecret" . }}
    defaultMode: 0440
    {{- if eq .root.Values.certificates.mode "cert-manager" }}
    items:
      - { key: ca.crt, path: ca.pem }
      - { key: tls.crt, path: certificate.pem }
      - { key: tls.key, path: key.pem }
    {{- end }}
{{- end }}
{{- if include "flowforge.usesCnpg" . }}
{{ include "flowforge.databaseAuthorityVolume" . }}
{{- end }}
{{- end -}}

{{- /*
A Deployment's spec up to its pod: (dict "root" $ "component" "tasks" "track" "stable"). Services, budgets and NetworkPolicies
select both tracks; the autoscaler counts the stable one only.
*/ -}}
{{- define "flowforge.rollout" -}}
{{- $values := index .root.Values .component -}}
{{- if eq .track "canary" }}
replicas: {{ .root.Values.canary.replicas }}
{{- else if not (dig "autoscaling" "enabled" false $values) }}
replicas: {{ $values.replicas }}
{{- end }}
revisionHistoryLimit: 3
strategy:
  type: RollingUpdate
  rollingUpdate:
    maxUnavailable: 0
    maxSurge: 1
selector:
  matchLabels:
    {{- include "flowforge.selectorLabels" . | nindent 4 }}
    flowforge.dev/track: {{ .track }}
{{- end -}}
