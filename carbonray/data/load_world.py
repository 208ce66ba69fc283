"""A world from the scenario of any of them."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from carbonray.config_worlds import AnyScenario
from carbonray.data.scenarios import load
from carbonray.worlds.world import World

BUILDERS: Mapping[str, tuple[str, str]] = {
    "cbam": ("carbonray.data.worlds", "build_world"),
    "climate-negotiation": ("carbonray.data.negotiation", "negotiation_world"),
}
"""World -> module and function that builds it from its scenario."""


def load_world(target: str | Path | AnyScenario, settings: Sequence[str] = ()) -> World[Any, Any, Any]:
    """The world that a scenario describes, ready to be stepped.

    Args:
        target: a scenario, its name, or the path of a YAML file.
        settings: `KEY=VALUE` overrides, where the target is a name or a path.

    Raises:
        ScenarioError: if it cannot be built.
        DataError: if its data are not in order.
    """
    scenario = load(str(target), settings) if isinstance(target, str | Path) else target
    module, function = BUILDERS[scenario.world]
    world: World[Any, Any, Any] = getattr(import_module(module), function)(scenario)
    return world
