#!/usr/bin/env bash
# Stops the engine and the registry that start.sh and registry.sh started; their images stay. As root.
set -euo pipefail

for daemon in dockerd docker-registry; do
    file=/run/mllint-engine/$daemon.pid
    # A process of another name got the number after the daemon had ended.
    if [ -f "$file" ] && [ "$(cat "/proc/$(cat "$file")/comm" 2>/dev/null)" = "$daemon" ]; then
        pid=$(cat "$file")
        kill "$pid"
        while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    fi
    rm -f "$file"
done
