"""The worlds by name: the class that checks a scenario of each, and which of its keys may name a user's own files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from carbonray.config import Scenario
from carbonray.config_climate import NegotiationScenario

AnyScenario = Scenario | NegotiationScenario

MAIN = "cbam"
"""The world of a bare SCENARIO, and of a file that names none."""


@dataclass(frozen=True, kw_only=True)
class WorldConfig:
    """What reading a scenario needs to know of its world."""

    scenario: type[AnyScenario]
    files: Mapping[str, Callable[[Path], bool]] = field(default_factory=dict)
    """Dotted key -> the test of what it names; a relative path is found from the folder of the YAML file."""


def _is_module(path: Path) -> bool:
    return path.suffix == ".py" and path.is_file()


WORLDS: Mapping[str, WorldConfig] = {
    MAIN: WorldConfig(scenario=Scenario, files={"economy": Path.is_dir, "firms.plants": Path.is_file}),
    "climate-negotiation": WorldConfig(scenario=NegotiationScenario, files={"negotiation.protocol": _is_module}),
}
"""Every world."""


def file_in(value: str) -> tuple[str, str]:
    """The file that a value of a scenario names, and what follows it: `FILE.py:function` is FILE.py and `:function`."""
    file, mark, function = value.partition(".py:")
    return (f"{file}.py", f":{function}") if mark else (value, "")
