"""The application: `serve run serve/config.yaml`.

The predictor lives in the replica that answers HTTP; a call to another actor would cost more than the prediction.
"""

import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import torch
from fastapi import FastAPI
from ray import serve

from serve import keys, metrics
from serve.binding import check_binding, job_server, listening_host
from serve.http import make_app
from serve.service import opened
from serve.settings import Settings, Swap
from serve.store import migrate, open_store, wait_for

FIRST_KEY = "CARBONRAY_FIRST_KEY"
"""Variable with a key that a new store begins with, for where nobody is at hand to make one."""


@serve.ingress()
class Ingress:
    """A replica."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Open the store and load the predictor."""
        torch.set_num_threads(1)
        logging.getLogger("ray.serve").setLevel(logging.INFO)
        self._service = opened({**settings, "jobs": settings.get("jobs") or job_server()}, of_ray=True)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """The routes."""
        return make_app(self._service)

    def reconfigure(self, swap: Mapping[str, Any]) -> None:
        """Answer with another predictor; nothing is dropped."""
        self._service.swap(Swap.model_validate(swap))


def build(settings: Settings) -> serve.Application:
    """The application of a config file.

    Raises:
        OpenError: if Serve listens beyond this machine and there are no keys.
        KeyFormatError: if the environment's CARBONRAY_FIRST_KEY is none.
    """
    engine = open_store(settings.store_url)
    wait_for(engine, settings.store_seconds)
    migrate(engine)
    if FIRST_KEY in os.environ:
        keys.take(engine, "first", os.environ[FIRST_KEY])
    check_binding(listening_host(), engine)
    engine.dispose()
    own = hashlib.sha256(settings.store_url.encode()).hexdigest()[:16]  # the same when it is deployed again
    folder = Path(gettempdir()) / f"carbonray-metrics-{own}"
    folder.mkdir(exist_ok=True)
    environment = {"env_vars": {metrics.FOLDER: str(folder)}}
    bound: serve.Application = (
        serve.deployment(name="service")(Ingress)
        .options(ray_actor_options={"runtime_env": environment})
        .bind(settings.model_dump(mode="json"))
    )
    return bound
