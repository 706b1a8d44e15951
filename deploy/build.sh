#!/bin/sh
# Build a version beside those that are there, with its own environment; does nothing when it is built already.
# Usage: deploy/build.sh <tag or commit>. It comes from the clone /opt/grimbots/source and lies in /opt/grimbots/versions;
# /opt/grimbots/current is what runs, set here only where nothing runs yet. GRIMBOTS_HOME=<folder> instead of /opt/grimbots.
set -eu
home=${GRIMBOTS_HOME:-/opt/grimbots}
version=${1:?Usage: deploy/build.sh <tag or commit>}
folder=$home/versions/$version

fail() {
    echo "grimbots: $*" >&2
    exit 1
}

commit=$(git -C "$home/source" rev-parse --verify --quiet "$version^{commit}") ||
    fail "$home/source knows no version $version: git -C $home/source fetch --tags, then see  git -C $home/source tag"
built=$(cat "$folder/.built" 2>/dev/null || true)
[ -z "$built" ] || [ "$built" = "$commit" ] ||
    fail "$folder was built from $built, and $version is $commit now: name the commit itself"
if [ -z "$built" ]; then
    echo "Building $folder ..."
    rm -rf "$folder" && mkdir -p "$folder"
    git -C "$home/source" archive "$commit" | tar -x -C "$folder"
    python3 -m venv "$folder/.venv" ||
        fail "There is no Python that makes environments (its reason is above): apt-get install python3-venv"
    "$folder/.venv/bin/pip" install --quiet --disable-pip-version-check --editable "$folder" ||
        fail "The packages were not installed (pip's reason is above); what runs was not touched. Run this again."
    echo "$commit" > "$folder/.built"
fi
[ -e "$home/current" ] || ln -s "$folder" "$home/current"
