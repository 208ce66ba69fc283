"""What stands before every route: who asks, how large the body is, what is counted and logged, never what is said."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.keys import Keyring
from serve.metrics import Metrics
from serve.problem import problem

OPEN = ("/healthz", "/readyz", "/docs", "/openapi.json", "/-/healthz", "/-/routes")
"""Paths that need no key."""
PAGE = "/static-offline-docs/"
"""Where the parts of the OpenAPI page lie; they need no key either."""
SAFE = ("GET", "HEAD", "OPTIONS")
logger = logging.getLogger("ray.serve.carbonray")


class _TooLargeError(Exception):
    """A body beyond its limit that did not say so before."""


def scope_of(method: str, path: str) -> str:
    """What a key must allow."""
    if path.startswith("/v1/simulations") and method not in SAFE:
        return "simulate"
    return "read" if method in SAFE or path == "/v1/leakage/predict" else "write"


class Gate:
    """Middleware: key, body limit, count and log line."""

    def __init__(self, app: ASGIApp, *, keys: Keyring, body_bytes: int, metrics: Metrics) -> None:
        """Stand before an app."""
        self._app, self._keys, self._most, self._metrics = app, keys, body_bytes, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), [0]

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
            await send(message)

        try:
            await self._pass(scope, receive, noted)
        except _TooLargeError:
            if not status[0]:
                await self._refuse(413, scope, receive, noted)
        finally:
            self._told(scope, status[0], time.perf_counter() - started)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        refused = await self._who(scope, headers)
        if refused is not None:
            await problem(*refused, headers=_HEADERS.get(refused[0]))(scope, receive, send)
            return
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._most:
            await self._refuse(413, scope, receive, send)
            return
        await self._app(scope, self._capped(receive), send)

    async def _refuse(self, status: int, scope: Scope, receive: Receive, send: Send) -> None:
        await problem(status, f"the body is larger than {self._most} bytes")(scope, receive, send)

    def _capped(self, receive: Receive) -> Callable[[], Any]:
        """A body of unknown length is counted as it comes."""
        seen = [0]

        async def counted() -> Message:
            message = await receive()
            seen[0] += len(message.get("body", b""))
            if seen[0] > self._most:
                raise _TooLargeError
            return message

        return counted

    async def _who(self, scope: Scope, headers: Mapping[bytes, bytes]) -> tuple[int, str] | None:
        """Note the sender, or say why there is none."""
        scope["sender"] = ""
        if scope["path"] in OPEN or scope["path"].startswith(PAGE):
            return None
        if self._keys.stale:
            try:
                await to_thread.run_sync(self._keys.refresh)
            except SQLAlchemyError:
                return 503, "the store does not answer"
        if self._keys.open:
            return None
        kind, _, given = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        key = self._keys.find(given.strip()) if kind.lower() == "bearer" else None
        if key is None:
            return 401, _UNKNOWN if given else "give an API key: Authorization: Bearer KEY"
        wanted = scope_of(scope["method"], scope["path"])
        if wanted not in key.scopes:
            return 403, f"this key may not {wanted}"
        scope["sender"] = key.id
        return None

    def _told(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.request(scope["method"], route, status, seconds)
        sender = scope.get("sender") or "-"
        logger.info("%s %s %s %d %.1f ms", sender, scope["method"], route, status, 1000 * seconds)


_UNKNOWN = "this API key is none of this service, or was revoked"
_HEADERS = {401: {"www-authenticate": "Bearer"}}
