#!/bin/sh
# Put a version into service: look, build, save, migrate, renew, verify; back to the version before when that fails.
# Usage, as root:  /opt/grimbots/current/deploy/deploy.sh <tag or commit>
#                  /opt/grimbots/current/deploy/deploy.sh --back        the version before; touches no database
# May be run again after it stopped at any point. Old and new processes work side by side on the migrated database: a
# migration only adds. GRIMBOTS_HOME, GRIMBOTS_ENV, GRIMBOTS_USER, BACKUPS: other places than the guide's (docs/deploy.md).
set -eu
home=${GRIMBOTS_HOME:-/opt/grimbots}
settings=${GRIMBOTS_ENV:-/etc/grimbots/grimbots.env}
user=${GRIMBOTS_USER:-grimbots}
backups=${BACKUPS:-/var/backups/grimbots}
supervisorctl=${SUPERVISORCTL:-supervisorctl}
ready_seconds=60 back_seconds=10

say() { echo "deploy: $*"; }
fail() { echo "deploy: $*" >&2; exit 1; }

# A command of a version, as the service's user.
grimbots() (
    folder=$1 && shift
    cd / && as=""
    [ "$(id -un)" = "$user" ] || as="runuser -u $user --"
    exec $as env GRIMBOTS_ENV="$settings" "$folder/.venv/bin/grimbots" "$@"
)

# systemd where its units run, else supervisord.
if systemctl --quiet is-active grimbots.target 2>/dev/null; then
    prepare() { "$1/deploy/systemd/install.sh" >/dev/null 2>&1; }   # its units
    list() { systemctl list-units --all --plain --no-legend 'grimbots@*.service' | awk '{print $1}'; }
    restart() { systemctl restart "$1"; }
    kill_hard() { systemctl kill --signal=KILL "$1"; }
    find_pid() { systemctl show --property=MainPID --value "$1"; }
else
    prepare() { :; }
    list() { $supervisorctl status 'grimbots:*' | awk '{print $1}'; }
    restart() { $supervisorctl restart "$1" >/dev/null; }
    kill_hard() { $supervisorctl signal KILL "$1" >/dev/null; }
    find_pid() { $supervisorctl pid "$1"; }
fi

find_slot() {
    slot=${1##*[@_]}
    echo "${slot%.service}"
}

# Is this process a new one, of this version, and is all of it well?
is_well() {   # process, version's folder, pid of the one before
    pid=$(find_pid "$1")
    [ "$pid" != "$3" ] && grep -aqs "$2/" "/proc/$pid/cmdline" &&
        "$2/.venv/bin/python" -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=5)' \
            "http://127.0.0.1:$((status_port + $(find_slot "$1")))/health" 2>/dev/null
}

wait_well() {   # process, version's folder, pid of the one before, seconds
    until=$(($(date +%s) + $4))
    until is_well "$1" "$2" "$3"; do
        [ "$(date +%s)" -lt "$until" ] || return 1
        sleep 0.2
    done
}

renew() {   # version's folder: every process, one after the other
    for process in $processes; do
        before=$(find_pid "$process")
        restart "$process" || return 1
        wait_well "$process" "$1" "$before" $ready_seconds || return 1
        say "  $process is well"
    done
}

verify() {   # version's folder: one that is killed comes back by itself
    process=${processes%%[[:space:]]*}
    before=$(find_pid "$process")
    kill_hard "$process"
    wait_well "$process" "$1" "$before" $back_seconds
}

point() {   # name, version's folder: in one step, so that nobody ever finds nothing there
    ln -sfn "$2" "$home/.$1.new" && mv -T "$home/.$1.new" "$home/$1"
}

switch() {   # version's folder
    point current "$1" && prepare "$1" && renew "$1" && verify "$1"
}

[ $# = 1 ] || fail "Usage: $0 <tag or commit>, or $0 --back"
[ "$(id -u)" = 0 ] || [ "$(id -un)" = "$user" ] || fail "run this as root: sudo $0 $1"
exec 9>"$home/.deploy.lock"
flock --nonblock 9 || fail "another deploy is running: wait until it ends"
running=$(readlink "$home/current") || fail "nothing runs yet: docs/deploy.md, Install"

say "1 look: does everything that is needed work now?"
status_port=$(sed -n 's/^STATUS_PORT=//p' "$settings" | tail -n 1)
[ "${status_port:-0}" != 0 ] || fail "set STATUS_PORT=9100 in $settings: without it no process can be asked how it is"
processes=$(list)
[ -n "$processes" ] || fail "no process runs: systemctl start grimbots.target (or supervisorctl update), then again"

if [ "$1" = --back ]; then
    wanted=$(readlink "$home/previous") || fail "there is no version before $running"
else
    grimbots "$running" doctor || fail "mend what is WRONG above, then run this again; nothing was changed"

    say "2 build: $1"
    "$running/deploy/build.sh" "$1" || fail "nothing that runs was changed; mend what is said above, then run this again"
    wanted=$home/versions/$1

    say "3 save: Postgres, Redis and settings to $backups"
    grimbots "$running" backup "$backups" || fail "no backup, no deploy: mend what is said above, then run this again"

    say "4 migrate: the old processes work on meanwhile"
    grimbots "$wanted" migrate || fail "the old version runs on; mend what is said above, then run this again"
    grimbots "$wanted" doctor || fail "the new version finds something WRONG (above); the old one runs on"
fi

say "5 renew and verify: the processes one by one, then one is killed and must be back within $back_seconds s"
earlier=$(readlink "$home/previous" || true)
[ "$running" = "$wanted" ] || point previous "$running"   # equal: an earlier run broke off behind this line
if switch "$wanted"; then
    say "done: $wanted runs. Back to the version before: $home/current/deploy/deploy.sh --back"
    exit 0
fi
fallback=$(readlink "$home/previous") || fail "$wanted is not well, and there is no version before: look into its log"
say "6 back: $wanted is not well (its log says why); putting $fallback back"
switch "$fallback" || fail "$fallback is not well either: look at  grimbots doctor  and into the log now"
[ -z "$earlier" ] || point previous "$earlier"
fail "$fallback runs again and is well. The database keeps what was migrated: the old version works with it"
