#!/bin/sh
# npm run package: berth-VERSION.tar.gz, the program with its modules of production, for machines where systemd runs it. Needs
# Node.js on the target and nothing of npm's. Takes the folder to put it in (default: the present one).
set -eu
out=$(cd "${1:-.}" && pwd)
cd "$(dirname "$0")/.."
. deploy/lib.sh

need_node || exit 1
ensure_modules || exit 1
ensure_build || exit 1
name=berth-$(node -p 'require("./package.json").version')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/$name"
cp package.json package-lock.json "$work/$name"
say "fetching the modules of production"
(cd "$work/$name" && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
mkdir "$work/$name/deploy"
cp -R dist LICENSE README.md CHANGELOG.md "$work/$name"
cp -R deploy/systemd deploy/INSTALL.md deploy/UPGRADE.md deploy/prometheus deploy/grafana "$work/$name/deploy"
chmod 755 "$work/$name/dist/main.js"
# Files of the archive are root's, whoever makes it.
tar -C "$work" --owner=0 --group=0 --numeric-owner -czf "$out/$name.tar.gz" "$name"
say "made $out/$name.tar.gz"
