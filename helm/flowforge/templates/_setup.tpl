{{- /*
The setup Job runs before each install and upgrade, so what it needs are hooks as well, and go when the hooks are done. What
renews certificates every day has the same, under a name of its own: (dict "root" $ "component" "setup" "hook" "true").
*/ -}}

{{- define "flowforge.setupAnnotations" -}}
{{- if .hook }}
annotations:
  helm.sh/hook: pre-install,pre-upgrade
  helm.sh/hook-weight: {{ .weight | default "-10" | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
{{- end -}}

{{- /* Names of all Secrets that it may read and replace; no other. */ -}}
{{- define "flowforge.setupSecrets" -}}
{{- $prefix := include "flowforge.fullname" . -}}
{{- range list "admin-key" "authority" "database-owner" "database-tasks" "database-accounts" "database-notifications" "redis" "certificates-gateway" "certificates-tasks" "certificates-accounts" "certificates-notifications" "certificates-worker" "certificates-operator" "certificates-postgres" "certificates-redis" "certificates-public" }}
- {{ $prefix }}-{{ . }}
{{- end }}
{{- end -}}

{{- define "flowforge.setupRole" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ include "flowforge.componentName" . }}
  namespace: {{ $.root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
  {{- include "flowforge.setupAnnotations" . | nindent 2 }}
rules:
  - apiGroups: [""]
    resources: [secrets]
    resourceNames:
      {{- include "flowforge.setupSecrets" . | nindent 6 }}
    verbs: [get, update]
  # Kubernetes cannot limit what is made by its name.
  - apiGroups: [""]
    resources: [secrets]
    verbs: [create]
{{- end -}}

{{- define "flowforge.setupRoleBinding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ include "flowforge.componentName" . }}
  namespace: {{ $.root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
  {{- include "flowforge.setupAnnotations" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ include "flowforge.componentName" . }}
subjects:
  - kind: ServiceAccount
    name: {{ include "flowforge.serviceAccountName" . }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}

{{- define "flowforge.setupServiceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "flowforge.serviceAccountName" . }}
  namespace: {{ $.root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
  {{- include "flowforge.setupAnnotations" . | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}

{{- define "flowforge.setupNetworkPolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "flowforge.componentName" . }}
  namespace: {{ $.root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
  {{- include "flowforge.setupAnnotations" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "flowforge.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress: []
  egress:
    {{- include "flowforge.egressCommon" . | nindent 4 }}
    {{- include "flowforge.egressApiServer" . | nindent 4 }}
{{- end -}}

{{- /* The pod: it talks to the Kubernetes API only, so no mesh proxy is needed. */ -}}
{{- define "flowforge.setupPod" -}}
metadata:
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
  annotations:
    linkerd.io/inject: disabled
spec:
  restartPolicy: OnFailure
  serviceAccountName: {{ include "flowforge.serviceAccountName" . }}
  automountServiceAccountToken: true
  enableServiceLinks: false
  securityContext:
    {{- include "flowforge.podSecurityContext" . | nindent 4 }}
  containers:
    - name: setup
      image: {{ include "flowforge.image" . }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: [deploy/setup/secrets.mjs]
      env:
        - name: NODE_EXTRA_CA_CERTS
          value: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
        - name: FLOWFORGE_SETUP_PREFIX
          value: {{ include "flowforge.fullname" . }}
        - name: FLOWFORGE_SETUP_RELEASE
          value: {{ .root.Release.Name }}
        - name: FLOWFORGE_SETUP_ADMIN_KEY
          value: {{ empty .root.Values.adminKeySecret | quote }}
        {{- if ne .root.Values.database.mode "external" }}
        - name: FLOWFORGE_SETUP_DATABASE_ROLES
          value: {{ ternary "owner," "" (eq .root.Values.database.mode "trial") }}tasks,accounts,notifications
        {{- end }}
        {{- if eq .root.Values.redis.mode "trial" }}
        - name: FLOWFORGE_SETUP_REDIS
          value: "true"
        {{- end }}
        {{- if and (include "flowforge.hasCertificates" .) (eq .root.Values.certificates.mode "generated") }}
        - name: FLOWFORGE_SETUP_CERTIFICATES
          value: gateway,tasks,accounts,notifications,worker,operator{{ if eq .root.Values.database.mode "trial" }},postgres={{ include "flowforge.databaseHost" . }}{{ end }}
            {{- if eq .root.Values.redis.mode "trial" }},redis={{ include "flowforge.redisHost" . }}{{ end }}
            {{- if and (include "flowforge.gatewayTls" .) (not .root.Values.gateway.tls.secret) }},public={{ include "flowforge.gatewayHosts" . | fromJsonArray | join "+" }}{{ end }}
        {{- end }}
        - name: FLOWFORGE_NAMESPACE
          value: {{ .root.Release.Namespace }}
        - name: FLOWFORGE_TRUST_DOMAIN
          value: {{ .root.Values.trustDomain }}
      resources:
        {{- toYaml .root.Values.setup.resources | nindent 8 }}
      securityContext:
        {{- include "flowforge.containerSecurityContext" . | nindent 8 }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
  volumes:
    - name: tmp
      emptyDir:
        sizeLimit: 32Mi
  {{- include "flowforge.scheduling" . | nindent 2 }}
{{- end -}}
