#!/bin/sh
# npm run down: stops what npm run up started; npm run down -- --wipe removes its data too.
set -eu
cd "$(dirname "$0")/.."
. deploy/lib.sh

need_node || exit 1
if [ ! -f dist/main.js ]; then
  if [ ! -d .berth ]; then
    echo "nothing to stop: there is no .berth" >&2
    exit 0
  fi
  ensure_modules || exit 1
  ensure_build || exit 1
fi
exec node dist/main.js down "$@"
