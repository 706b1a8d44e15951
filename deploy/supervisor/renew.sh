#!/bin/sh
# Renew the processes of deploy/supervisor/grimbots.conf one after the other, with new code and settings.
# The next one's turn comes when the one before runs again; connections wait at the socket, so nobody is refused.
set -eu
supervisorctl=${SUPERVISORCTL:-supervisorctl}
for process in $($supervisorctl status 'grimbots:*' | awk '{print $1}'); do
    $supervisorctl restart "$process"
done
