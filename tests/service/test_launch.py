"""What is set before Serve starts, and how HAProxy is asked to stop."""

import os
import socket
import threading
from pathlib import Path

from serve.launch import BLOCK, _answers, own_ports, processes


def ports() -> list[int]:
    return [
        int(own_ports()[f"RAY_SERVE_DIRECT_INGRESS_{name}_PORT"])
        for name in ("MIN_HTTP", "MAX_HTTP", "MIN_GRPC", "MAX_GRPC")
    ]


def test_two_services_do_not_share_ports() -> None:
    first, last, grpc, end = ports()
    assert first <= last < grpc <= end < first + BLOCK
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as a replica of another service does
        other.bind(("127.0.0.1", last))
        other.listen()
        assert ports()[0] not in range(first, first + BLOCK)
    assert ports()[0] == first


def test_a_process_that_is_no_haproxy_is_not_asked_to_stop(tmp_path: Path) -> None:
    assert processes(tmp_path) == []
    (tmp_path / "pids").write_text(f"{os.getpid()}\n999999999\n")
    assert processes(tmp_path) == []


def test_what_is_no_http_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"hello\r\n\r\n")

        talking = threading.Thread(target=talk)
        talking.start()
        assert not _answers(f"http://127.0.0.1:{server.getsockname()[1]}/readyz")
        talking.join()
