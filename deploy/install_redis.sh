#!/bin/sh
# Install the distribution's Redis and Sentinel for the queue's tests; does nothing when both are there.
set -eu
if command -v redis-server >/dev/null && command -v redis-sentinel >/dev/null; then
    echo "$(command -v redis-server) and $(command -v redis-sentinel) are there"
    exit 0
fi
command -v apt-get >/dev/null || { echo "grimbots: no apt-get here: install redis-server and redis-sentinel by hand" >&2; exit 1; }
root=""
[ "$(id -u)" = 0 ] || root="sudo"
$root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server redis-sentinel
