#!/usr/bin/env bash
# Installs Linkerd as FlowForge wants it: trust by cert-manager, plugin for the network, highly available, with viz.
# Run again, it changes only what differs. See README.md beside it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'END'
Usage: mesh/install/install.sh [options]

  --dry-run        checks the prerequisites and prints what would be done
  --single         one replica of everything, for a cluster of one node
  --no-viz         without linkerd-viz
  --init-container without the CNI plugin: pods then need NET_ADMIN, which the restricted standard forbids
  --charts REPO    where Linkerd's charts are (https://helm.linkerd.io/edge), or a folder with them
  --version V      chart version of the control plane (2026.8.3)
END
}

dry_run= single= viz=yes cni=yes charts=https://helm.linkerd.io/edge version=2026.8.3
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry_run=yes ;;
    --single) single=yes ;;
    --no-viz) viz= ;;
    --init-container) cni= ;;
    --charts) charts=${2:?--charts needs a value}; shift ;;
    --version) version=${2:?--version needs a value}; shift ;;
    --help) usage; exit ;;
    *) echo "unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

# Changes the cluster, or tells how it would.
do_() {
  if [ "$dry_run" ]; then printf '+ %s\n' "$*"; else "$@"; fi
}

wrong=0
need() { # CLAIM COMMAND...
  local claim=$1
  shift
  if "$@" >/dev/null 2>&1; then echo "ok      $claim"; else echo "MISSING $claim"; wrong=1; fi
}
has_crd() { kubectl get crd "$1"; }
gateway_api() { # 1.2.1 or later, as Linkerd asks
  local v
  v=$(kubectl get crd grpcroutes.gateway.networking.k8s.io -o 'jsonpath={.metadata.annotations.gateway\.networking\.k8s\.io/bundle-version}')
  [ "$(printf '%s\nv1.2.1\n' "$v" | sort -V | head -1)" = v1.2.1 ]
}
kubernetes() { # 1.30 to 1.36
  local minor
  minor=$(kubectl version -o json | sed -n '/serverVersion/,/}/s/.*"minor": "\([0-9]*\).*/\1/p')
  [ "$minor" -ge 30 ] && [ "$minor" -le 36 ]
}

need 'kubectl and a cluster that answers' kubectl get --raw /readyz
need 'helm 3 or later' helm version
need 'Kubernetes 1.30 to 1.36' kubernetes
need 'the right to make cluster roles' kubectl auth can-i create clusterroles
need 'Gateway API CRDs, 1.2.1 or later' gateway_api
need 'cert-manager' has_crd certificates.cert-manager.io
need 'trust-manager' has_crd bundles.trust.cert-manager.io
if [ "$wrong" = 1 ]; then
  echo 'README.md says how to get what is missing.' >&2
  [ "$dry_run" ] || exit 1
fi

chart() { # NAME: as helm wants it
  if [ -d "$charts" ]; then echo "$charts/$1"; else echo "$1 --repo $charts"; fi
}
release() { # NAME NAMESPACE ARG...
  local name=$1 namespace=$2
  shift 2
  # shellcheck disable=SC2046 # two words where it is a repository
  do_ helm upgrade --install "$name" $(chart "$name") --namespace "$namespace" --wait --timeout 5m "$@"
}
values() { # NAME: its values, and those of high availability
  echo "--values $here/$1.yaml"
  [ "$single" ] || [ ! -f "$here/$1-ha.yaml" ] || echo "--values $here/$1-ha.yaml"
}

# 1. Who is trusted, before anybody asks.
do_ kubectl apply --server-side --filename "$here/namespaces.yaml"
do_ kubectl apply --server-side --filename "$here/trust.yaml"
do_ kubectl wait --for=condition=Ready certificate/linkerd-trust-anchor --namespace cert-manager --timeout 2m
# trust-manager writes no bundle while one of its sources is missing; until a rotation both anchors are the same.
if [ "$dry_run" ]; then echo '+ copy secret linkerd-trust-anchor to linkerd-previous-anchor, if there is none'
elif ! kubectl get secret linkerd-previous-anchor --namespace cert-manager >/dev/null 2>&1; then
  kubectl create secret generic linkerd-previous-anchor --namespace cert-manager \
    --from-literal=tls.crt="$(kubectl get secret linkerd-trust-anchor --namespace cert-manager --output 'jsonpath={.data.tls\.crt}' | base64 -d)"
fi
do_ kubectl wait --for=condition=Ready certificate/linkerd-identity-issuer --namespace linkerd --timeout 2m

# 2. The plugin, before the first pod whose traffic it redirects. 3. The control plane. 4. What shows it.
release linkerd-crds linkerd --version "$version"
# shellcheck disable=SC2046
[ ! "$cni" ] || release linkerd2-cni linkerd-cni $(values linkerd2-cni)
# shellcheck disable=SC2046
release linkerd-control-plane linkerd --version "$version" $(values linkerd-control-plane) --set "cniEnabled=$([ "$cni" ] && echo true || echo false)"
# shellcheck disable=SC2046
[ ! "$viz" ] || release linkerd-viz linkerd-viz --version "$version" $(values linkerd-viz)

if [ ! "$dry_run" ] && command -v linkerd >/dev/null; then
  # It runs every linkerd-* on the PATH, and waits for ever for one that is not an extension.
  timeout 180 linkerd check --wait 2m || echo 'linkerd check found something, or did not end within three minutes' >&2
fi
echo 'Next: helm upgrade --install flowforge helm/flowforge --set mesh.enabled=true'
