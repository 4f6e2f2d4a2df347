#!/bin/sh
# npm run up: everything from a fresh clone to a running app. Installs what is missing, builds, and leaves the rest to
# `berth up` (src/cli/up). Flags are handed on: npm run up -- --marathon-port 8081
set -eu
# npm starts us at the root of the project; by hand we may be called from anywhere.
cd "$(dirname "$0")/.."
. deploy/lib.sh

need_node || exit 1
# busybox is the base of the sample image where no registry can be reached.
install_missing etcd dockerd containerd iptables busybox || exit 1
ensure_modules || exit 1
ensure_build || exit 1
exec node dist/main.js up "$@"
