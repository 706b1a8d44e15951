#!/bin/sh
# Install the distribution's packages whose programs are not here, for the tests; does nothing when all are.
# None is left running: the tests start their own.
# Usage: deploy/install_missing.sh <package>:<program>[,<another that will do>] ...
set -eu

is_here() {
    for program in $(echo "$1" | tr , ' '); do
        ! command -v "$program" >/dev/null || return 0
    done
    return 1
}

missing=""
for wanted; do
    is_here "${wanted#*:}" || missing="$missing ${wanted%%:*}"
done
if [ -z "$missing" ]; then
    echo "All is here: $*"
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
