#!/bin/sh
# Answers every HTTP request with the id of the instance it runs in.
set -eu
mkdir -p /tmp/www
printf 'Hello from %s on %s\n' "${MESOS_TASK_ID:-nobody}" "${HOST:-nowhere}" >/tmp/www/index.html
echo "serving as ${MESOS_TASK_ID:-nobody}"
busybox httpd -f -p 8080 -h /tmp/www &
server=$!
# As process 1 the shell must pass SIGTERM on itself, or every stop would take the whole grace period.
trap 'echo "stopping"; kill "$server"; exit 0' TERM INT
wait "$server"
