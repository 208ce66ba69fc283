"""A worker node on loopback, for as long as this process lives.

`ray start` refuses to add a node while RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 keeps Ray on loopback, so it is added as
`ray.cluster_utils` adds one.
"""

import signal
import socket
import sys
import time

HOST = "127.0.0.1"
PATIENCE = 60
"""Seconds that the head gets to come up."""


def wait_for(port: int) -> None:
    """Wait until the head listens.

    Raises:
        OSError: if it does not in time.
    """
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return


def main() -> None:
    """Start the node's processes as children, and stay."""
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    name, folder, cpus, memory, port, agent_port = sys.argv[1:]
    wait_for(int(port))
    params = RayParams(
        gcs_address=f"{HOST}:{port}",
        node_ip_address=HOST,
        node_name=name,
        temp_dir=folder,
        num_cpus=int(cpus),
        object_store_memory=int(memory),
        min_worker_port=0,  # any: several nodes of one machine would meet in Ray's range
        max_worker_port=0,
        dashboard_agent_listen_port=int(agent_port),
    )
    Node(params, head=False, shutdown_at_exit=False, spawn_reaper=False)
    signal.pause()


if __name__ == "__main__":
    main()
