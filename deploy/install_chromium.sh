#!/bin/sh
# Install the distribution's Chromium for the browser tests; does nothing when one is there.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then
        echo "$(command -v "$name") is there"
        exit 0
    fi
done
command -v apt-get >/dev/null || { echo "grimbots: no apt-get here: install a Chromium by hand" >&2; exit 1; }
root=""
[ "$(id -u)" = 0 ] || root="sudo"
$root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
