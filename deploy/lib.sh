# Shared by deploy/up.sh, deploy/down.sh and test/run.sh: what a machine needs, and how it gets it. POSIX sh; to be
# sourced with the working directory at the root of the project. Functions print what they do and return non-zero with
# the reason on stderr.

say() { printf '%s\n' "- $*" >&2; }
fail() { printf '%s\n' "FAILED: $*" >&2; return 1; }

have() { path_of "$1" >/dev/null; }

path_of() (
  PATH="$PATH:/usr/sbin:/sbin:/usr/local/sbin"
  command -v "$1"
)

# --- Node.js -------------------------------------------------------------------------------------------------------

# version_at_least 20.19.2 20.19
version_at_least() {
  have_major=${1%%.*} have_rest=${1#*.} want_major=${2%%.*} want_minor=${2#*.}
  have_minor=${have_rest%%.*} want_minor=${want_minor%%.*}
  case "$have_major$have_minor" in *[!0-9]* | '') return 1 ;; esac
  [ "$have_major" -gt "$want_major" ] || { [ "$have_major" -eq "$want_major" ] && [ "$have_minor" -ge "$want_minor" ]; }
}

need_node() {
  if ! have node || ! have npm; then
    fail "Node.js (20.19 or newer) with npm is not installed: https://nodejs.org/en/download, or the package nodejs of nodesource"
    return 1
  fi
  found=$(node --version) && found=${found#v}
  version_at_least "$found" 20.19 && return 0
  fail "Node.js $found is too old: 20.19 or newer is needed (https://nodejs.org/en/download)"
}

# --- System packages -----------------------------------------------------------------------------------------------

# What a program is called where it comes from: program, Debian/Ubuntu packages (first that exists), Fedora, Alpine, Arch.
package_table() {
  cat <<'TABLE'
etcd etcd-server|etcd etcd etcd etcd
etcdctl etcd-client|etcd etcd etcd-ctl etcd
dockerd docker.io moby-engine docker docker
containerd containerd containerd containerd containerd
iptables iptables iptables-nft iptables iptables
busybox busybox-static busybox busybox-static busybox
ip iproute2 iproute iproute2 iproute2
promtool prometheus golang-github-prometheus prometheus prometheus
docker-registry docker-registry docker-distribution docker-registry docker-registry
htpasswd apache2-utils httpd-tools apache2-utils apache
faketime faketime libfaketime libfaketime libfaketime
kubectl kubectl kubernetes-client kubectl kubectl
docker-compose docker-compose docker-compose docker-cli-compose docker-compose
docker docker-cli|docker.io docker-cli docker-cli docker
TABLE
}

package_manager() {
  for manager in apt-get dnf apk pacman; do have "$manager" && echo "$manager" && return 0; done
  echo none
}

# packages_for MANAGER PROGRAM -> alternatives separated by |
packages_for() {
  case $1 in apt-get) column=2 ;; dnf) column=3 ;; apk) column=4 ;; pacman) column=5 ;; *) column=1 ;; esac
  package_table | awk -v program="$2" -v column="$column" '$1 == program { print $column }'
}

missing_of() {
  for program in "$@"; do is_there "$program" || printf '%s ' "$program"; done
}

is_there() {
  have "$1" || return 1
  # Only a static busybox runs in an image of its own.
  [ "$1" != busybox ] || ! grep -q -e /ld-linux -e /ld-musl "$(path_of busybox)"
}

# install_missing PROGRAM... : installs the packages of those that are not there. On Debian and Ubuntu with root or sudo it
# does it; elsewhere it says what to install.
install_missing() {
  missing=$(missing_of "$@")
  [ -z "$missing" ] && return 0
  manager=$(package_manager)
  if [ "$manager" != apt-get ]; then
    say_how_to_install "$manager" $missing
    return 1
  fi
  if [ "$(id -u)" -ne 0 ] && ! have sudo; then
    fail "not installed: $missing; installing needs root. As root: apt-get install $(flat_packages apt-get $missing)"
    return 1
  fi
  say "installing: $missing"
  apt_install $missing || return 1
  still=$(missing_of $missing)
  [ -z "$still" ] || fail "still not there after the installation: $still"
}

flat_packages() {
  manager=$1
  shift
  for program in "$@"; do packages_for "$manager" "$program" | cut -d'|' -f1; done | tr '\n' ' '
}

say_how_to_install() {
  manager=$1
  shift
  case $manager in
    dnf) command="dnf install" ;;
    apk) command="apk add" ;;
    pacman) command="pacman -S" ;;
    *) fail "not installed: $*. This system has no package manager that is known here: install them by hand (etcd: https://github.com/etcd-io/etcd/releases, Docker Engine: https://docs.docker.com/engine/install)"; return 1 ;;
  esac
  fail "not installed: $*. Install them: $command $(flat_packages "$manager" "$@")"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

# The first of the alternatives a|b that the package lists know.
apt_choice() {
  for name in $(printf '%s' "$1" | tr '|' ' '); do
    apt-cache show "$name" >/dev/null 2>&1 && echo "$name" && return 0
  done
  return 1
}

apt_names() {
  for program in "$@"; do
    apt_choice "$(packages_for apt-get "$program")" || return 1
    # Newer releases ship Docker's client apart; people expect it beside the engine.
    [ "$program" = dockerd ] && { apt_choice docker-cli || :; }
  done
  apt_choice ca-certificates || :
}

apt_install() {
  log=$(mktemp)
  if ! names=$(apt_names "$@") || ! no_services apt_get install --no-install-recommends $names >"$log" 2>&1; then
    say "refreshing the package lists"
    apt_get update >"$log" 2>&1 || { show_log "apt-get update" "$log"; return 1; }
    names=$(apt_names "$@") || { fail "this release has no package for one of: $*"; rm -f "$log"; return 1; }
    no_services apt_get install --no-install-recommends $names >"$log" 2>&1 || { show_log "apt-get install" "$log"; return 1; }
  fi
  rm -f "$log"
}

show_log() {
  fail "$1 failed; its output:" || :
  # npm tells the reason first, apt last.
  if [ "$(wc -l <"$2")" -le 30 ]; then cat "$2"; else head -n 15 "$2"; echo ...; tail -n 15 "$2"; fi | sed 's/^/    | /' >&2
  rm -f "$2"
}

# Debian starts services as they are installed. Ours are started by `berth up`, on ports it has looked at: an etcd that sits
# on 2379 for ever because of us is nobody's wish. A policy of the machine's own stays.
no_services() {
  policy=/usr/sbin/policy-rc.d
  if [ -e "$policy" ]; then "$@"; return; fi
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod 755 "$policy"
  "$@" && result=0 || result=$?
  as_root rm -f "$policy"
  return $result
}

# --- The project's own parts ---------------------------------------------------------------------------------------

# node_modules as package-lock.json wants it.
ensure_modules() {
  mark=node_modules/.berth-lock
  [ -f "$mark" ] && [ "$(cat "$mark")" = "$(cksum <package-lock.json)" ] && return 0
  # A link to somebody else's folder (a second work tree) is theirs to keep up to date: npm ci would empty it.
  [ -L node_modules ] && return 0
  # Put there by a plain `npm ci` or `npm install`: as good.
  if [ ! -f "$mark" ] && [ -f node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ]; then
    return 0
  fi
  say "installing npm packages (npm ci)"
  log=$(mktemp)
  npm ci --include=dev --no-audit --no-fund --loglevel=error >"$log" 2>&1 || { show_log "npm ci" "$log"; return 1; }
  rm -f "$log"
  cksum <package-lock.json >"$mark"
}

# dist as src wants it. Compiled beside and swapped in, so that a server that runs from dist never sees half of it.
ensure_build() {
  if [ -f dist/main.js ] && [ -z "$(find src package.json tsconfig.json tsconfig.build.json -newer dist/main.js -print | head -n 1)" ]; then
    return 0
  fi
  say "building"
  fresh=node_modules/.cache/berth-dist
  rm -rf "$fresh"
  node_modules/.bin/tsc -p tsconfig.build.json --outDir "$fresh" >&2 || { fail "the build failed (tsc, above)"; return 1; }
  [ -f "$fresh/main.js" ] || { fail "the build made no main.js"; return 1; }
  touch "$fresh/main.js"
  rm -rf dist
  mv "$fresh" dist
}
