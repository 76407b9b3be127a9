{{- /*
A pod of `helm test`: (dict "root" $ "name" "access-worker" "component" "worker" "args" (list "access" "worker")). It has the
labels, the ServiceAccount and so the identity of the component that it plays, also in a mesh; `test` is nobody.
*/ -}}
{{- define "flowforge.testPod" -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "flowforge.fullname" . }}-test-{{ .name }}
  namespace: {{ $.root.Release.Namespace }}
  labels:
    {{- include "flowforge.labels" . | nindent 4 }}
  annotations:
    helm.sh/hook: test
    # It is over in seconds and nobody waits for it to be ready.
    kube-score/ignore: pod-probes
    checkov.io/skip1: CKV_K8S_8=it is over in seconds
    checkov.io/skip2: CKV_K8S_9=nobody waits for it to be ready
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
    {{- include "flowforge.podAnnotations" (dict "root" .root "component" "test") | nindent 4 }}
spec:
  restartPolicy: Never
  {{- if ne .component "test" }}
  serviceAccountName: {{ include "flowforge.serviceAccountName" . }}
  {{- end }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext:
    {{- include "flowforge.podSecurityContext" . | nindent 4 }}
  containers:
    - name: verify
      image: {{ include "flowforge.image" . }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args:
        - deploy/setup/verify.mjs
        {{- range .args }}
        - {{ . }}
        {{- end }}
      env:
        {{- include "flowforge.environment" . | nindent 8 }}
        - name: FLOWFORGE_VERIFY_GATEWAY
          value: {{ ternary "https" "http" (eq (include "flowforge.gatewayTls" .) "true") }}://{{ include "flowforge.componentName" (dict "root" .root "component" "gateway") }}:{{ .root.Values.gateway.service.port }}
        {{- if and (eq .component "test") (include "flowforge.gatewayTls" .) }}
        - name: NODE_EXTRA_CA_CERTS
          value: /run/flowforge/tls/ca.pem
        {{- end }}
        {{- range $server := list "tasks" "accounts" "notifications" }}
        - name: FLOWFORGE_{{ upper $server }}_ADDRESS
          value: {{ include "flowforge.address" (dict "root" $.root "component" $server) }}
        {{- end }}
      resources:
        {{- toYaml .root.Values.setup.resources | nindent 8 }}
      securityContext:
        {{- include "flowforge.containerSecurityContext" . | nindent 8 }}
      volumeMounts:
        {{- if eq .component "test" }}
        - name: tmp
          mountPath: /tmp
        - name: admin-key
          mountPath: /run/flowforge/admin-key
          readOnly: true
        {{- if include "flowforge.gatewayTls" . }}
        - name: tls
          mountPath: /run/flowforge/tls
          readOnly: true
        {{- end }}
        {{- else }}
        {{- include "flowforge.volumeMounts" . | nindent 8 }}
        {{- end }}
  volumes:
    {{- if eq .component "test" }}
    - name: tmp
      emptyDir:
        sizeLimit: 32Mi
    - name: admin-key
      secret:
        secretName: {{ include "flowforge.adminKeySecret" . }}
        defaultMode: 0440
    {{- if include "flowforge.gatewayTls" . }}
    - name: tls
      secret:
        secretName: {{ include "flowforge.gatewayTlsSecret" . }}
        defaultMode: 0440
        # A certificate of a public authority comes without it.
        optional: true
        items:
          - { key: {{ (include "flowforge.gatewayTlsKeys" . | fromJson).authority }}, path: ca.pem }
    {{- end }}
    {{- else }}
    {{- include "flowforge.volumes" . | nindent 4 }}
    {{- end }}
  {{- include "flowforge.scheduling" . | nindent 2 }}
{{- end -}}
