#!/bin/sh
# npm run testbed -- up | down | status | shell | fault | heal: see test/testbed/README.md.
set -eu
cd "$(dirname "$0")/../.."
. deploy/lib.sh

need_node || exit 1
install_missing etcd etcdctl dockerd containerd iptables ip busybox docker-registry htpasswd || exit 1
ensure_modules || exit 1
ensure_build || exit 1
node_modules/.bin/tsc -p tsconfig.bench.json
exec node dist-test/test/testbed/cli.js "$@"
