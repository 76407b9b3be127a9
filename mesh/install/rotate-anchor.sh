#!/usr/bin/env bash
# Replaces Linkerd's trust anchor without a moment in which two proxies do not trust each other: the new one is trusted by
# all before it signs, the old one until nothing is signed by it. Run it again if it was cut short.
#
#   mesh/install/rotate-anchor.sh [--dry-run] NAMESPACE...     the namespaces whose pods are in the mesh
set -euo pipefail
dry_run=
[ "${1:-}" != --dry-run ] || { dry_run=yes; shift; }
[ $# -gt 0 ] || { sed -n '2,6p' "$0" >&2; exit 2; }
do_() { if [ "$dry_run" ]; then printf '+ %s\n' "$*"; else "$@"; fi; }
anchor() { kubectl get secret "$1" --namespace cert-manager --output 'jsonpath={.data.tls\.crt}' 2>/dev/null || true; }

# 1. Keep trusting what is.
if [ -z "$(anchor linkerd-previous-anchor)" ]; then
  if [ "$dry_run" ]; then echo '+ copy secret linkerd-trust-anchor to linkerd-previous-anchor'; else
    kubectl create secret generic linkerd-previous-anchor --namespace cert-manager \
      --from-literal=tls.crt="$(anchor linkerd-trust-anchor | base64 -d)"
  fi
fi
# 2. A new anchor; trust-manager gives it to everybody.
if [ "$dry_run" ] || [ "$(anchor linkerd-previous-anchor)" = "$(anchor linkerd-trust-anchor)" ]; then
  do_ kubectl delete secret linkerd-trust-anchor --namespace cert-manager
fi
do_ kubectl wait --for=condition=Ready certificate/linkerd-trust-anchor --namespace cert-manager --timeout 2m
do_ kubectl wait --for=condition=Synced bundle/linkerd-identity-trust-roots --timeout 2m
# 3. Proxies read their anchors when they start.
for namespace in linkerd "$@"; do
  do_ kubectl rollout restart deployment,statefulset,daemonset --namespace "$namespace"
done
for namespace in linkerd "$@"; do
  do_ kubectl rollout status deployment --namespace "$namespace" --timeout 10m
done
# 4. Only now sign with it, and let the proxies take new certificates.
do_ kubectl delete secret linkerd-identity-issuer --namespace linkerd
do_ kubectl wait --for=condition=Ready certificate/linkerd-identity-issuer --namespace linkerd --timeout 2m
do_ kubectl rollout restart deployment --namespace linkerd
for namespace in "$@"; do
  do_ kubectl rollout restart deployment,statefulset --namespace "$namespace"
  do_ kubectl rollout status deployment --namespace "$namespace" --timeout 10m
done
# 5. Nothing is signed by the old one any more. Both are the same again, since trust-manager wants both to be there.
if [ "$dry_run" ]; then echo '+ copy secret linkerd-trust-anchor to linkerd-previous-anchor'; else
  kubectl create secret generic linkerd-previous-anchor --namespace cert-manager --dry-run=client --output yaml \
    --from-literal=tls.crt="$(anchor linkerd-trust-anchor | base64 -d)" | kubectl apply --server-side --force-conflicts --filename -
fi
