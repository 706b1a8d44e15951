#!/bin/sh
# Install the distribution's Prometheus and Alertmanager for the tests of deploy/prometheus; does nothing when they are there.
# Neither is left running: the tests start their own.
set -eu
missing=""
command -v prometheus >/dev/null && command -v promtool >/dev/null || missing="$missing prometheus"
command -v prometheus-alertmanager >/dev/null && command -v amtool >/dev/null || missing="$missing prometheus-alertmanager"
if [ -z "$missing" ]; then
    echo "prometheus, promtool, prometheus-alertmanager and amtool are there"
    exit 0
fi
command -v apt-get >/dev/null || { echo "grimbots: no apt-get here: install$missing by hand" >&2; exit 1; }
root=""
[ "$(id -u)" = 0 ] || root="sudo"
# What exists runs on; what comes is not started by its package.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
    $root chmod 755 "$policy"
    trap '$root rm -f "$policy"' EXIT
fi
$root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
# shellcheck disable=SC2086
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
