{{- /* Names, labels and addresses. All take (dict "root" $ "component" "tasks"), and so may generated templates. */ -}}

{{- define "flowforge.name" -}}
{{- .root.Values.nameOverride | default .root.Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "flowforge.fullname" -}}
{{- $name := include "flowforge.name" . -}}
{{- if .root.Values.fullnameOverride -}}
{{- .root.Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .root.Release.Name -}}
{{- .root.Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .root.Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* Name of a component's Service, Deployment and everything else that it has one of. */ -}}
{{- define "flowforge.componentName" -}}
{{- printf "%s-%s" (include "flowforge.fullname" .) .component -}}
{{- end -}}

{{- /* Name of a Deployment: (dict "root" $ "component" "tasks" "track" "stable"). */ -}}
{{- define "flowforge.trackName" -}}
{{- include "flowforge.componentName" . }}{{ if eq .track "canary" }}-canary{{ end }}
{{- end -}}

{{- define "flowforge.serviceAccountName" -}}
{{- include "flowforge.componentName" . -}}
{{- end -}}

{{- /* Who a component is to the others in a mesh. */ -}}
{{- define "flowforge.identity" -}}
{{- printf "%s.%s.serviceaccount.identity.linkerd.%s" (include "flowforge.serviceAccountName" .) .root.Release.Namespace .root.Values.trustDomain -}}
{{- end -}}

{{- define "flowforge.selectorLabels" -}}
app.kubernetes.io/name: {{ include "flowforge.name" . }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "flowforge.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "flowforge.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/part-of: flowforge
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}

{{- /* The canary's image where the track is "canary". */ -}}
{{- define "flowforge.image" -}}
{{- $image := .root.Values.image -}}
{{- if eq (.track | default "stable") "canary" -}}
{{- $image = merge (dict "tag" .root.Values.canary.tag "digest" .root.Values.canary.digest) (omit $image "tag" "digest") -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s/%s@%s" $image.registry $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s/%s:%s" $image.registry $image.repository ($image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- /* host:port of a component's gRPC server. */ -}}
{{- define "flowforge.address" -}}
{{- printf "%s.%s.svc.%s:7101" (include "flowforge.componentName" .) .root.Release.Namespace .root.Values.clusterDomain -}}
{{- end -}}

{{- /*
host:port for a caller that keeps a connection to each pod of a component and takes turns by call: a Service's one address would
give it one pod for as long as its connection lives. In a mesh the proxy takes turns.
*/ -}}
{{- define "flowforge.podsAddress" -}}
{{- if .root.Values.mesh.enabled -}}
{{- include "flowforge.address" . -}}
{{- else -}}
{{- printf "%s-pods.%s.svc.%s:7101" (include "flowforge.componentName" .) .root.Release.Namespace .root.Values.clusterDomain -}}
{{- end -}}
{{- end -}}

{{- /* Where the trial or CloudNativePG database listens. */ -}}
{{- define "flowforge.databaseHost" -}}
{{- $service := ternary "postgres" "postgres-rw" (eq .root.Values.database.mode "trial") -}}
{{- printf "%s-%s.%s.svc.%s" (include "flowforge.fullname" .) $service .root.Release.Namespace .root.Values.clusterDomain -}}
{{- end -}}

{{- /* Where the trial Redis listens. */ -}}
{{- define "flowforge.redisHost" -}}
{{- printf "%s-redis.%s.svc.%s" (include "flowforge.fullname" .) .root.Release.Namespace .root.Values.clusterDomain -}}
{{- end -}}

{{- /* Names by which pods and people call the gateway; the certificate of its own port has them. */ -}}
{{- define "flowforge.gatewayHosts" -}}
{{- $name := include "flowforge.componentName" (dict "root" .root "component" "gateway") -}}
{{- $namespaced := printf "%s.%s" $name .root.Release.Namespace -}}
{{- concat (list $name $namespaced (printf "%s.svc" $namespaced) (printf "%s.svc.%s" $namespaced .root.Values.clusterDomain) "localhost") .root.Values.gateway.tls.hosts | toJson -}}
{{- end -}}

{{- /* Whether the gateway's own port speaks TLS. */ -}}
{{- define "flowforge.gatewayTls" -}}
{{- if .root.Values.gateway.tls.enabled -}}
{{- if .root.Values.mesh.enabled }}{{ fail "gateway.tls.enabled is for clusters without a mesh: with mesh.enabled its proxies encrypt" }}{{ end -}}
true
{{- end -}}
{{- end -}}

{{- /* Secret with the certificate of the gateway's own port; "public" is its name among those that are ours to issue. */ -}}
{{- define "flowforge.gatewayTlsSecret" -}}
{{- if .root.Values.gateway.tls.secret -}}
{{- .root.Values.gateway.tls.secret -}}
{{- else if eq .root.Values.certificates.mode "existing" -}}
{{- fail "gateway.tls.secret must name a Secret with keys tls.crt and tls.key, since certificates.mode is existing" -}}
{{- else -}}
{{- include "flowforge.certificateSecret" (dict "root" .root "component" "public") -}}
{{- end -}}
{{- end -}}

{{- /* What that Secret calls its authority, certificate and key. */ -}}
{{- define "flowforge.gatewayTlsKeys" -}}
{{- if and (not .root.Values.gateway.tls.secret) (eq .root.Values.certificates.mode "generated") -}}
{{- dict "authority" "ca.pem" "certificate" "certificate.pem" "key" "key.pem" | toJson -}}
{{- else -}}
{{- dict "authority" "ca.crt" "certificate" "tls.crt" "key" "tls.key" | toJson -}}
{{- end -}}
{{- end -}}

{{- /* Whether processes hold certificates: always, unless a mesh encrypts. */ -}}
{{- define "flowforge.hasCertificates" -}}
{{- if not .root.Values.mesh.enabled }}true{{ end -}}
{{- end -}}

{{- define "flowforge.certificateSecret" -}}
{{- $mode := .root.Values.certificates.mode -}}
{{- if eq $mode "existing" -}}
{{- printf "%s-%s" .root.Values.certificates.existingPrefix .component -}}
{{- else -}}
{{- printf "%s-certificates-%s" (include "flowforge.fullname" .) .component -}}
{{- end -}}
{{- end -}}

{{- /* Secret with key `url` of a component's database role. */ -}}
{{- define "flowforge.databaseSecret" -}}
{{- $database := .root.Values.database -}}
{{- if eq $database.mode "external" -}}
{{- index $database.external (printf "%sSecret" .component) | required (printf "database.external.%sSecret must name a Secret with key url" .component) -}}
{{- else -}}
{{- printf "%s-database-%s" (include "flowforge.fullname" .) .component -}}
{{- end -}}
{{- end -}}

{{- define "flowforge.adminKeySecret" -}}
{{- .root.Values.adminKeySecret | default (printf "%s-admin-key" (include "flowforge.fullname" .)) -}}
{{- end -}}

{{- /* Whether the setup Job has a Secret to make. */ -}}
{{- define "flowforge.needsSetup" -}}
{{- $values := .root.Values -}}
{{- if or (not $values.adminKeySecret) (ne $values.database.mode "external") (eq $values.redis.mode "trial") (and (not $values.mesh.enabled) (eq $values.certificates.mode "generated")) }}true{{ end -}}
{{- end -}}

{{- /* Whether certificates of the setup Job have to be renewed. */ -}}
{{- define "flowforge.renewsCertificates" -}}
{{- if and (not .root.Values.mesh.enabled) (eq .root.Values.certificates.mode "generated") }}true{{ end -}}
{{- end -}}

{{- /* Whether KEDA can ask somebody for the depth of the queues. */ -}}
{{- define "flowforge.scalesByDepth" -}}
{{- if and .root.Values.worker.autoscaling.prometheusUrl (.root.Capabilities.APIVersions.Has "keda.sh/v1alpha1") }}true{{ end -}}
{{- end -}}
