#!/bin/sh
# Stop GrimBots and remove its units; may be run any number of times. Settings, data, master key and user stay:
# without the key in /var/lib/grimbots no token in the database can be read.
set -eu
destination=${DESTDIR:-}

if [ -z "$destination" ]; then
    [ "$(id -u)" = 0 ] || { echo "grimbots: run this as root: sudo $0" >&2; exit 1; }
    for unit in grimbots.socket grimbots.service; do   # the socket first: alone it would start the service again
        [ ! -e "/etc/systemd/system/$unit" ] || systemctl disable --now "$unit"
    done
fi
rm -f "$destination/etc/systemd/system/grimbots.socket" "$destination/etc/systemd/system/grimbots.service"
[ -n "$destination" ] || systemctl daemon-reload
echo "GrimBots' units are gone; /etc/grimbots and /var/lib/grimbots are kept"
