#!/bin/sh
# npm run setup:helm: builds helm and kubeconform with the Go toolchain into ~/.cache/berth/tools (or below XDG_CACHE_HOME), and
# there the JSON schemas of Kubernetes that kubeconform checks with. `npm run setup:helm -- apiserver` builds kube-apiserver and kube-controller-manager too: the
# strongest check of the chart needs nothing else. Harmless to repeat; what is there in the wanted version is kept.
set -eu
cd "$(dirname "$0")/.."
. deploy/lib.sh

HELM=v3.19.5
KUBECONFORM=v0.7.0
# Staging modules of Kubernetes v1.N.P are published as v0.N.P.
KUBERNETES=1.34.4

# Not below .berth: `npm run down -- --wipe` removes that.
tools=${XDG_CACHE_HOME:-$HOME/.cache}/berth/tools
mkdir -p "$tools"

need_go() {
  if ! have go; then
    fail "Go is not installed. helm and kubeconform are built with it: https://go.dev/dl, or put both on the PATH yourself (https://helm.sh/docs/intro/install, https://github.com/yannh/kubeconform/releases)"
    return 1
  fi
  found=$(go env GOVERSION) && found=${found#go}
  version_at_least "$found" 1.24 || [ "$(go env GOTOOLCHAIN)" != local ] && return 0
  fail "Go $found is too old to build helm $HELM: 1.24 or newer is needed (https://go.dev/dl)"
}

# is_marked NAME VERSION: built before, in this version.
is_marked() { [ -e "$tools/$1" ] && [ "$(cat "$tools/.$1.version" 2>/dev/null)" = "$2" ]; }
mark() { printf '%s\n' "$2" >"$tools/.$1.version"; }

# step NAME VERSION COMMAND...
step() {
  name=$1 version=$2
  shift 2
  if is_marked "$name" "$version"; then
    say "$name $version is there"
    return 0
  fi
  say "building $name $version (minutes, the first time)"
  log=$(mktemp)
  "$@" >"$log" 2>&1 || { show_log "$name $version" "$log"; return 1; }
  rm -f "$log"
  mark "$name" "$version"
}

# Helm learns from the linker which Kubernetes it assumes when it renders without a cluster; without it, 1.20.
build_helm() {
  minor=${KUBERNETES#1.} minor=${minor%%.*}
  assume="-X helm.sh/helm/v3/internal/version.version=$HELM"
  for package in pkg/chartutil pkg/lint/rules; do
    assume="$assume -X helm.sh/helm/v3/$package.k8sVersionMajor=1 -X helm.sh/helm/v3/$package.k8sVersionMinor=$minor"
  done
  GOBIN=$tools go install -trimpath -ldflags "-s -w $assume" "helm.sh/helm/v3/cmd/helm@$HELM"
}

build_kubeconform() {
  GOBIN=$tools go install -trimpath -ldflags "-s -w -X main.version=$KUBECONFORM" "github.com/yannh/kubeconform/cmd/kubeconform@$KUBECONFORM"
}

# The OpenAPI document comes with the module of Kubernetes; one schema for each kind is made of it.
make_schemas() {
  folder=$(go mod download -json "k8s.io/kubernetes@v$KUBERNETES" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
  [ -n "$folder" ] || { fail "the module k8s.io/kubernetes v$KUBERNETES cannot be had"; return 1; }
  node deploy/kube-schemas.js "$folder/api/openapi-spec/swagger.json" "$tools/schemas"
}

# The module of Kubernetes replaces its staging modules by folders that are not in it; the published ones are the same code.
build_kubernetes() {
  work=$(mktemp -d)
  folder=$(go mod download -json "k8s.io/kubernetes@v$KUBERNETES" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
  staging="v0.${KUBERNETES#1.}"
  {
    printf 'module berth.invalid/kubernetes\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' "$KUBERNETES"
    sed -n "s|^[[:space:]]*\(k8s.io/[a-z-]*\) v0\.0\.0\$|\t\1 => \1 $staging|p" "$folder/go.mod"
    printf ')\n'
  } >"$work/go.mod"
  cp "$folder/go.sum" "$work/go.sum"
  printf '//go:build tools\n\npackage tools\n\nimport (\n\t_ "k8s.io/kubernetes/cmd/kube-apiserver"\n\t_ "k8s.io/kubernetes/cmd/kube-controller-manager"\n)\n' >"$work/tools.go"
  version="-X k8s.io/component-base/version.gitVersion=v$KUBERNETES"
  (
    cd "$work"
    go mod tidy -e &&
      go build -mod=mod -trimpath -ldflags "-s -w $version" -o "$tools/" \
        k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager
  )
  result=$?
  rm -rf "$work"
  return $result
}

need_go || exit 1
step helm "$HELM" build_helm
step kubeconform "$KUBECONFORM" build_kubeconform
step schemas "$KUBERNETES" make_schemas
if [ "${1:-}" = apiserver ]; then step kube-apiserver "$KUBERNETES" build_kubernetes; fi
say "helm, kubeconform and schemas are in $tools; npm test finds them there"
