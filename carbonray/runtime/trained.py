"""Trained policies as runs meet them; `carbonray.learn` stands above this room and is imported only where one is."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from carbonray.runtime.shard import Policy

READER = ("carbonray.learn.policy_folder", "load")


class Saved(Protocol):
    """A policy that was read from a folder."""

    @property
    def trained(self) -> Policy:
        """How it behaves."""

    @property
    def heads(self) -> Mapping[str, tuple[int, ...]]:
        """Levels of each head, by role that it decides for."""

    @property
    def files(self) -> Mapping[str, Path]:
        """What holds its weights, and what a run calls it."""

    def told(self) -> dict[str, Any]:
        """What a run's summary says of it; `sha256` tells it from all others."""


def read_policy(policy: str | Path | Saved) -> Saved:
    """Read a trained policy from its folder, if it is not read yet.

    Raises:
        ScenarioError: if something in its folder is missing or spoilt.
    """
    if not isinstance(policy, str | Path):
        return policy
    module, function = READER
    found: Saved = getattr(import_module(module), function)(policy)
    return found
