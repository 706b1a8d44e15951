#!/bin/sh
# Renew the processes of grimbots.target one after the other, with new code and settings: each is ready before the next one's
# turn, and connections wait at the socket, so nobody is refused.
set -eu
for unit in $(systemctl list-units --all --plain --no-legend 'grimbots@*.service' | awk '{print $1}'); do
    systemctl restart "$unit"
done
