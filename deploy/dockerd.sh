#!/bin/sh
# Runs Docker's daemons in the foreground for `berth up` on machines where no service manager does.
#   dockerd.sh containerd DATA RUN
#   dockerd.sh dockerd DATA RUN SOCKET
#   dockerd.sh clean DATA          (after both have ended: bridge and firewall rules)
# DATA keeps images and containers, RUN holds sockets and mounts. containerd is a process of its own because the one that
# dockerd starts by itself dies with it, and then every container would go too when dockerd is killed.
set -eu

# Docker needs its control groups mounted; in a container or a bare chroot they may not be.
prepare_cgroups() {
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    # Version 2. In the root group of a container no controller can be handed down while processes sit in it.
    if ! grep -q memory /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
      mkdir -p /sys/fs/cgroup/init
      while read -r pid; do echo "$pid" >/sys/fs/cgroup/init/cgroup.procs 2>/dev/null || :; done </sys/fs/cgroup/cgroup.procs
      for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
        echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || :
      done
    fi
    return 0
  fi
  for tasks in /sys/fs/cgroup/*/tasks; do [ -e "$tasks" ] && return 0; done
  mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
  awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups | while read -r controller; do
    mkdir -p "/sys/fs/cgroup/$controller"
    mount -t cgroup -o "$controller" "$controller" "/sys/fs/cgroup/$controller" || rmdir "/sys/fs/cgroup/$controller"
  done
}

# Docker leaves its bridge, its firewall chains and a FORWARD policy of DROP behind. Where none of that was there before,
# `clean` puts the network back as it was; where another engine had been at work, nothing is touched.
remember_network() {
  [ ! -e /sys/class/net/docker0 ] && ! iptables-save 2>/dev/null | grep -q -i docker || return 0
  iptables -S FORWARD 2>/dev/null | sed -n 's/^-P FORWARD //p' >"$data/forward-policy"
}

clean_network() {
  [ -f "$data/forward-policy" ] || return 0
  policy=$(cat "$data/forward-policy")
  rm -f "$data/forward-policy"
  ip link delete docker0 2>/dev/null || :
  iptables-save 2>/dev/null | grep -v -i docker | iptables-restore 2>/dev/null || :
  [ -z "$policy" ] || iptables -P FORWARD "$policy" 2>/dev/null || :
}

role=$1 data=$2 run=${3:-}
mkdir -p "$data"
[ -z "$run" ] || mkdir -p "$run"
case $role in
  containerd)
    cat >"$data/containerd.toml" <<TOML
version = 2
root = "$data/containerd"
state = "$run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$run/containerd.sock"
TOML
    exec containerd --config "$data/containerd.toml"
    ;;
  dockerd)
    prepare_cgroups
    remember_network
    # A config file of our own, so that /etc/docker/daemon.json cannot contradict the flags.
    echo '{ "live-restore": true }' >"$data/daemon.json"
    rm -f "$run/docker.pid" # berth has just made sure that no engine of ours runs
    exec dockerd --config-file "$data/daemon.json" --containerd "$run/containerd.sock" \
      --data-root "$data/docker" --exec-root "$run/docker" --pidfile "$run/docker.pid" --host "unix://$4"
    ;;
  clean)
    clean_network
    ;;
  *)
    echo "usage: dockerd.sh containerd|dockerd|clean DATA [RUN [SOCKET]]" >&2
    exit 2
    ;;
esac
