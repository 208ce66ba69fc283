"""The floor of `bench serve`: bare uvicorn before the same predictor and body; no checks, no store, no proxy."""

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import torch
import uvicorn

from carbonray.data.scenarios import load
from carbonray.predict.predictor import predictor

Message = MutableMapping[str, Any]


class Floor:
    """An ASGI application: `/predict` asks the networks for one case, `/take` takes a body and says how long it was."""

    def __init__(self) -> None:
        """Read the predictor."""
        torch.set_num_threads(1)
        self._asked = predictor()
        self._row = self._asked.case(load("law")).row[None]

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer."""
        length, more = 0, scope["type"] == "http"
        while more:
            message = await receive()
            length, more = length + len(message.get("body", b"")), message.get("more_body", False)
        if scope["type"] != "http":
            return
        if scope["path"] == "/predict":
            self._asked.model.predict(self._row)
        body = str(length).encode()
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(Floor(), host="127.0.0.1", port=int(sys.argv[1]), log_level="error", lifespan="off")
