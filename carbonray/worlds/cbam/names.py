"""Codes that a scenario names, held against those that its economy has."""

from collections.abc import Mapping
from typing import Any

from carbonray.config import PARENT_SECTOR, Scenario, ScenarioError
from carbonray.worlds.cbam.economy import Economy

DEFAULTS = Scenario(name="default")

NAMED = {
    "region": (
        "home", "growth", "partners.price", "partners.commitment", "paths.demand", "paths.origin", "paths.intensity",
        "disruptions.events",
    ),
    "sector": (
        "policy.priced_sectors", "policy.free_sectors", "policy.coverage", "policy.indirect_sectors",
        "policy.markup_fixed", "abatement", "market.domestic", "market.final_demand", "paths.intensity",
        "disruptions.events", "regulator.extensible",
    ),
}  # fmt: skip
"""Keys of a scenario that name regions or sectors."""


def check_names(economy: Economy, scenario: Scenario) -> None:
    """Refuse codes that the economy does not have.

    A sector may be named by the one it is split from; what a scenario leaves at its default need not apply.
    """
    sectors = set(economy.sectors) | {PARENT_SECTOR[s] for s in economy.sectors if s in PARENT_SECTOR}
    known = {"region": set(economy.regions), "sector": sectors}
    has = {"region": economy.regions, "sector": economy.sectors}
    for kind, keys in NAMED.items():
        for key in keys:
            names, default = (_named(one, key, kind, economy.regions) for one in (scenario, DEFAULTS))
            whole = set(economy.sectors) if (kind, key) == ("sector", "disruptions.events") else known[kind]
            for name in sorted(names.keys() - whole):
                if name not in default or default[name] != names[name]:
                    listed = ", ".join(has[kind])
                    raise ScenarioError(
                        f"{scenario.name}: {key}: unknown {kind} {name}; {scenario.economy} has {listed}"
                    )
            if kind == "sector" and isinstance(_at(scenario, key), Mapping):
                _refuse_shadowed(economy, scenario, key)
    for key in ("policy.priced_sectors", "policy.free_sectors"):
        names = _named(scenario, key, "sector", economy.regions)
        if names and not names.keys() & sectors:
            listed = ", ".join(names)
            raise ScenarioError(f"{scenario.name}: {key}: {scenario.economy} has none of {listed}; name its own")
    if set(scenario.policy.indirect_sectors) & sectors and "ELE" not in economy.sectors:
        raise ScenarioError(f"{scenario.name}: policy.indirect_sectors: {scenario.economy} has no sector ELE")
    if not scenario.home or len(set(scenario.home)) == len(economy.regions):
        raise ScenarioError(f"{scenario.name}: home: name at least one region, and leave at least one outside")
    doubled = sorted(set(scenario.home) & (set(scenario.partners.price) | set(scenario.partners.commitment)))
    if doubled:
        raise ScenarioError(f"{scenario.name}: partners: {doubled[0]} is in home and cannot be a partner too")


def _refuse_shadowed(economy: Economy, scenario: Scenario, key: str) -> None:
    """Refuse a changed value of a parent sector that no sector takes: all that are split from it have their own."""
    values, default = _at(scenario, key), _at(DEFAULTS, key)
    for name in sorted(set(PARENT_SECTOR.values()) & values.keys() - set(economy.sectors)):
        parts = [s for s in economy.sectors if PARENT_SECTOR.get(s) == name]
        if parts and all(part in values for part in parts) and default.get(name) != values[name]:
            raise ScenarioError(
                f"{scenario.name}: {key}.{name}: has no effect, since {', '.join(parts)} have values of their own; "
                "set those"
            )


def _at(scenario: Scenario, key: str) -> Any:
    found: Any = scenario
    for part in key.split("."):
        found = getattr(found, part)
    return found


def _named(scenario: Scenario, key: str, kind: str, regions: tuple[str, ...]) -> Mapping[str, Any]:
    """What a scenario says under a key, by the region or sector that it names."""
    if key == "disruptions.events":
        return {getattr(event, kind): event for event in scenario.disruptions.events}
    found = _at(scenario, key)
    if key == "paths.intensity":  # REGION or REGION-SECTOR
        of = {name: _region_of(name, regions) for name in found}
        if kind == "region":
            return {of[name]: path for name, path in found.items()}
        return {name.removeprefix(f"{of[name]}-"): path for name, path in found.items() if name != of[name]}
    return found if isinstance(found, Mapping) else dict.fromkeys(found, True)


def _region_of(name: str, regions: tuple[str, ...]) -> str:
    """The region in REGION or REGION-SECTOR; codes may hold hyphens, so the longest that fits."""
    fitting = [region for region in regions if f"{name}-".startswith(f"{region}-")]
    return max(fitting, key=len) if fitting else name.split("-")[0]
