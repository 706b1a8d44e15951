#!/bin/sh
# Install or renew GrimBots' units, user and settings file on this machine; may be run any number of times.
# The checkout that this script lies in is what runs: put it into /opt/grimbots first (docs/deploy.md).
# DESTDIR=<folder> installs below that folder and touches neither users nor systemd. Settings that exist are kept.
set -eu
cd "$(dirname "$0")/../.."
destination=${DESTDIR:-}
checkout=$(pwd -P)

[ -n "$destination" ] || [ "$(id -u)" = 0 ] || { echo "grimbots: run this as root: sudo $0" >&2; exit 1; }

[ -n "$destination" ] || getent passwd grimbots >/dev/null ||
    useradd --system --user-group --home-dir /var/lib/grimbots --no-create-home --shell /usr/sbin/nologin grimbots

install -d -m 755 "$destination/etc/grimbots" "$destination/etc/systemd/system"
for unit in grimbots.socket grimbots.service; do
    sed "s#/opt/grimbots/#$checkout/#" "deploy/systemd/$unit" > "$destination/etc/systemd/system/$unit"
done

settings="$destination/etc/grimbots/grimbots.env"
if [ ! -e "$settings" ]; then
    install -m 640 conf/example.env "$settings"
    sed -i 's#^TRUSTED_PROXIES=$#TRUSTED_PROXIES=127.0.0.1#; s#^STATUS_PORT=0$#STATUS_PORT=9100#; s#^GRIMBOTS_DATA=var$#GRIMBOTS_DATA=/var/lib/grimbots#' "$settings"
    [ -n "$destination" ] || chown root:grimbots "$settings"
    echo "Fill in DATABASE_URL, REDIS_URL and PUBLIC_URL in $settings"
fi

if [ -z "$destination" ]; then
    install -d -m 700 -o grimbots -g grimbots /var/lib/grimbots
    systemctl daemon-reload
    systemctl enable grimbots.socket grimbots.service
    echo "Start: systemctl start grimbots.   Renew the processes: systemctl reload grimbots"
fi
