"""A bounded HTTP client for measuring: so many connections, each asks again once it was answered."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np


@dataclass(kw_only=True)
class Load:
    """What was measured."""

    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)  # of each request that was answered
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """Requests answered."""
        return len(self.milliseconds) / self.seconds

    def quantile(self, share: float) -> float:
        """Milliseconds within which a share was answered."""
        return float(np.quantile(self.milliseconds, share)) if self.milliseconds else float("nan")


def request(host: str, path: str, body: bytes = b"", headers: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """A request as it goes over the wire; POST if it has a body."""
    head = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", f"host: {host}", f"content-length: {len(body)}"]
    head += ["content-type: application/json"] * bool(body)
    head += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*head, "", ""]).encode() + body


def load(host: str, port: int, *, clients: int, requests: Iterator[bytes], until: Callable[[int, float], bool]) -> Load:
    """Ask as fast as is answered.

    Args:
        host: where.
        port: where.
        clients: connections.
        requests: what to send next, whoever sends it.
        until: told requests sent and seconds passed, says whether it is enough.
    """
    found = Load()
    started = time.perf_counter()

    async def client() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        while not until(len(found.milliseconds), time.perf_counter() - started):
            asked = time.perf_counter()
            writer.write(next(requests))
            found.statuses[await _answer(reader)] += 1
            found.milliseconds.append(1e3 * (time.perf_counter() - asked))
        writer.close()

    async def all_of_them() -> None:
        await asyncio.gather(*(client() for _ in range(clients)))

    asyncio.run(all_of_them())
    found.seconds = time.perf_counter() - started
    return found


async def _answer(reader: asyncio.StreamReader) -> int:
    """Read a whole answer; its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
    return int(head[9:12])
