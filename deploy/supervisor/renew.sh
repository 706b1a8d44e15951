#!/bin/sh
# Renew the processes of deploy/supervisor/grimbots.conf one after the other, with new code and settings.
# The next one's turn comes when the one before serves: RUNNING says only that it has not died within startsecs, and with nobody
# who serves, all that comes in waits at the socket for as long as a Python takes to start.
set -eu
supervisorctl=${SUPERVISORCTL:-supervisorctl}
settings=${GRIMBOTS_ENV:-/etc/grimbots/grimbots.env}
ready_seconds=60

fail() { echo "renew: $*" >&2; exit 1; }

wait_ready() {   # process
    url="http://127.0.0.1:$((status_port + ${1##*_}))/ready"
    until=$(($(date +%s) + ready_seconds))
    until python3 -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=5)' "$url" 2>/dev/null; do
        [ "$(date +%s)" -lt "$until" ] || fail "$1 does not serve after $ready_seconds s (its log says why); the others were left as they are"
        sleep 0.2
    done
}

status_port=$(sed -n 's/^STATUS_PORT=//p' "$settings" | tail -n 1)
[ "${status_port:-0}" != 0 ] || fail "set STATUS_PORT=9100 in $settings: without it no process can be asked whether it serves"
for process in $($supervisorctl status 'grimbots:*' | awk '{print $1}'); do
    $supervisorctl restart "$process"
    wait_ready "$process"
done
