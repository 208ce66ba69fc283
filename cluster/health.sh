#!/bin/sh
# Whether this node of a Ray cluster lives: its raylet answers. For containers and load balancers; exit code 0 or 1.
set -eu
port="${RAY_AGENT_PORT:-52365}"
wget -q -T 5 -t 1 -O - "http://127.0.0.1:$port/api/local_raylet_healthz" | grep -q success
