#!/bin/sh
# logtailerd as a container's first process, with the restarts that the systemd unit has: what is wrong for the moment (status 1, a signal) is left to
# the restart policy; a wrong setting (2) and doubt about durability (3) wait for somebody. A policy knows no exit codes, so the container stays, without
# logtailerd: unhealthy, its log says why, and it ends with that code when it is stopped.
logtailerd "$@" &
pid=$!
trap 'kill -TERM "$pid" 2>/dev/null' TERM INT
trap 'kill -HUP "$pid" 2>/dev/null' HUP

# wait ends early for each signal that came.
code=0
wait "$pid" || code=$?
while kill -0 "$pid" 2>/dev/null; do
    code=0
    wait "$pid" || code=$?
done

case $code in
2 | 3)
    trap 'exit "$code"' TERM INT
    trap '' HUP
    echo "logtailerd ended with status $code, which no restart mends: see above; then start this container anew" >&2
    while :; do
        sleep 3600 &
        wait $!
    done
    ;;
esac
exit "$code"
