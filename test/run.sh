#!/bin/sh
# npm test: installs what is missing, checks types, style and format, runs every test, and ends with the line
# `N passed, N failed` (and skipped ones, if any) summed from jest's own results.
set -eu
cd "$(dirname "$0")/.."
. deploy/lib.sh

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

need_node || exit 1
install_missing etcd etcdctl dockerd containerd iptables ip busybox promtool docker-registry htpasswd faketime docker docker-compose || exit 1
ensure_modules || exit 1
ensure_build || exit 1
# The chart is checked with helm, which Go can build; the tests say themselves what they skip without it.
if have go; then sh deploy/setup-helm.sh || say "helm could not be built: its tests are skipped"; fi

# Tests of the last project drive the real kubectl. 1.27 is the first that explains from OpenAPI v3.
kubectl_usable() {
  have kubectl || return 1
  version=$(kubectl version --client 2>/dev/null | sed -n 's/.*v\(1\.[0-9][0-9.]*\).*/\1/p' | head -n 1)
  version_at_least "$version" 1.27
}

failed=0
say "types, lint, format"
npm run --silent lint >&2 || { failed=1; say "LINT FAILED (above)"; }

say "unit tests"
node_modules/.bin/jest --selectProjects unit --json --outputFile "$results/unit.json" >/dev/null || failed=1

skip=
if ! kubectl_usable; then
  skip='--testPathIgnorePatterns=\.kubectl\.test\.ts$'
  say "SKIPPED, $(find test -name '*.kubectl.test.ts' | wc -l) files: kubectl 1.27 or newer is not installed (https://kubernetes.io/docs/tasks/tools/#kubectl)"
fi
if [ "$(id -u)" -ne 0 ]; then
  skip="$skip --testPathIgnorePatterns=\\.(docker|net)\\.test\\.ts\$"
  say "SKIPPED, $(find test -name '*.docker.test.ts' -o -name '*.net.test.ts' | wc -l) files: tests with Docker engines of their own need root"
fi
say "tests on real etcd, Docker and kubectl (each starts its own)"
# Two at a time: each of them runs engines and clusters of its own.
# shellcheck disable=SC2086 -- no word, one or two
node_modules/.bin/jest --selectProjects real --maxWorkers 2 --json --outputFile "$results/real.json" $skip >/dev/null || failed=1

node test/summary.js "$failed" "$results/unit.json" "$results/real.json"
