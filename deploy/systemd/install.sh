#!/bin/sh
# Install or renew GrimBots' units, user and settings file on this machine; may be run any number of times.
# PROCESSES=<n> says how many processes there are: as many as there were when it is not given, one per core at first.
# DESTDIR=<folder> installs below that folder and touches neither users nor systemd. Settings that exist are kept.
set -eu
cd "$(dirname "$0")/../.."
destination=${DESTDIR:-}
units="$destination/etc/systemd/system"
enabled=$(find "$units/grimbots.target.wants" -name 'grimbots@*.service' 2>/dev/null | wc -l)
[ "$enabled" -gt 0 ] || enabled=$(nproc)
processes=${PROCESSES:-$enabled}

[ -n "$destination" ] || [ "$(id -u)" = 0 ] || { echo "grimbots: run this as root: sudo $0" >&2; exit 1; }

[ -n "$destination" ] || getent passwd grimbots >/dev/null ||
    useradd --system --user-group --home-dir /var/lib/grimbots --no-create-home --shell /usr/sbin/nologin grimbots

install -d -m 755 "$destination/etc/grimbots" "$units" "$destination/usr/local/bin"
install -m 644 deploy/systemd/*.service deploy/systemd/*.socket deploy/systemd/*.target deploy/systemd/*.timer "$units"
install -m 755 deploy/grimbots "$destination/usr/local/bin/grimbots"

settings="$destination/etc/grimbots/grimbots.env"
if [ ! -e "$settings" ]; then
    install -m 640 conf/example.env "$settings"
    sed -i 's#^TRUSTED_PROXIES=$#TRUSTED_PROXIES=127.0.0.1#; s#^STATUS_PORT=0$#STATUS_PORT=9100#; s#^GRIMBOTS_DATA=var$#GRIMBOTS_DATA=/var/lib/grimbots#' "$settings"
    [ -n "$destination" ] || chown root:grimbots "$settings"
    echo "Fill in DATABASE_URL, REDIS_URL and PUBLIC_URL in $settings"
fi

if [ -z "$destination" ]; then
    install -d -m 700 -o grimbots -g grimbots /var/lib/grimbots /var/backups/grimbots
    systemctl daemon-reload
    for unit in /etc/systemd/system/grimbots.target.wants/grimbots@*.service; do   # those above the wanted number go
        slot=${unit##*@}
        [ ! -e "$unit" ] || [ "${slot%.service}" -lt "$processes" ] || systemctl disable --now "${unit##*/}"
    done
    # shellcheck disable=SC2046  # a word per unit
    systemctl enable grimbots.socket grimbots.target grimbots-backup.timer $(seq -f 'grimbots@%g.service' 0 $((processes - 1)))
    echo "Start: systemctl start grimbots.target.   A new version: deploy/deploy.sh"
fi
