#!/bin/sh
# npm run test:faults: every single fault on the test bed, one file after the other. Arguments of jest choose some of them.
# npm run test:faults -- --minutes M --seed S: random faults and edits instead. Needs root; see test/testbed/README.md.
set -eu
cd "$(dirname "$0")/../.."
. deploy/lib.sh

need_node || exit 1
install_missing etcd etcdctl dockerd containerd iptables ip busybox docker-registry htpasswd faketime || exit 1
ensure_modules || exit 1
ensure_build || exit 1

case "${1:-}" in
--minutes | --seed | --round | --judge | --help)
  node_modules/.bin/tsc -p tsconfig.bench.json
  exec node dist-test/test/faults/random.js "$@"
  ;;
esac
FAULTS=long exec node_modules/.bin/jest "${@:-test/faults}" --selectProjects real --maxWorkers 1
