#!/bin/sh
# Stop GrimBots and remove its units; may be run any number of times. Settings, data, master key and user stay:
# without the key in /var/lib/grimbots no token in the database can be read.
set -eu
destination=${DESTDIR:-}
units="$destination/etc/systemd/system"

if [ -z "$destination" ]; then
    [ "$(id -u)" = 0 ] || { echo "grimbots: run this as root: sudo $0" >&2; exit 1; }
    # The socket first: alone it would start a process again.
    [ ! -e "$units/grimbots.socket" ] || systemctl disable --now grimbots.socket
    for unit in "$units"/grimbots.target.wants/grimbots@*.service; do
        [ ! -e "$unit" ] || systemctl disable --now "${unit##*/}"
    done
    for unit in grimbots.target grimbots-backup.timer; do
        [ ! -e "$units/$unit" ] || systemctl disable --now "$unit"
    done
fi
rm -f "$units"/grimbots.* "$units"/grimbots@.service "$units"/grimbots-backup.* "$destination/usr/local/bin/grimbots"
[ -n "$destination" ] || systemctl daemon-reload
echo "GrimBots' units are gone; /etc/grimbots, /var/lib/grimbots and /var/backups/grimbots are kept"
