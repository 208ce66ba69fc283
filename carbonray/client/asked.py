"""A scenario as the service is asked about it: what differs from a built-in one, in the fields that it has."""

from collections.abc import Mapping, Sequence
from typing import Any

from carbonray.client.connection import checked
from carbonray.client.messages import PolicyCase
from carbonray.config import Scenario, ScenarioError
from carbonray.data.scenarios import load, names

FIELDS = {
    "policy.price": "price_eur_per_t", "policy.free_allocation": "free_allocation_share", "policy.cbam": "cbam",
    "policy.cbam_factor": "cbam_factor_share", "policy.coverage": "coverage_share",
    "policy.export_rebate": "export_rebate_share", "policy.support_home": "support_home_share",
    "policy.support_abroad": "support_abroad_share", "policy.incidence": "incidence_share",
    "partners.price": "partner_price_eur_per_t", "partners.price_growth": "partner_price_growth_per_year",
    "market.sigma_scale": "sigma_scale", "market.factor_supply": "factor_supply", "market.inputs": "inputs",
    "abatement_scale": "abatement_scale", "firms.intensity_trend": "intensity_trend_per_year",
    "fuel.channel": "fuel_channel", "years": "years",
}  # fmt: skip
"""Keys of a scenario and the fields of a request that they are."""
PATHS = ("policy.price", "policy.free_allocation", "policy.cbam_factor")
LEVELS = ("policy.support_home", "policy.support_abroad")
"""Paths that the service takes as one figure for all years."""
BESIDE = ("name", "summary", "seed", "replicas", "firms.number", "firms.slots", "firms.plants")
"""Keys that a prediction does not depend on."""


def policy_case(target: str, settings: Sequence[str] = ()) -> PolicyCase:
    """The case of a target: a built-in scenario, or a YAML file that differs from `law` in what can be asked.

    Raises:
        ScenarioError: if it is refused, or has a key that the service has no field for.
    """
    asked = load(target, settings)
    if not isinstance(asked, Scenario):
        raise ScenarioError(f"{target}: {asked.world} has no leakage to predict; choose a cbam scenario")
    bare = target.removeprefix("cbam/")
    base = load(bare if bare in names() else "law")
    assert isinstance(base, Scenario)
    changes: dict[str, Any] = {}
    groups = {"policy.coverage": base.policy.coverage, "partners.price": base.partners.price}
    for key, value in _changed(base.model_dump(), asked.model_dump()).items():
        if key in BESIDE:
            continue
        if key not in FIELDS:
            raise ScenarioError(f"{key}: the service has no field for it; ask `carbonray predict {target}` instead")
        changes[FIELDS[key]] = _as_field(key, value, target, groups.get(key, {}))
    return checked(PolicyCase, {"name": asked.name, "scenario": base.name, **changes})


def _changed(base: Mapping[str, Any], asked: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Keys whose values differ; groups of single keys are looked into, paths and lists of names are not."""
    found: dict[str, Any] = {}
    for name, value in asked.items():
        key, old = f"{before}{name}", base.get(name)
        if value == old:
            continue
        if (
            isinstance(value, dict)
            and isinstance(old, dict)
            and key in ("policy", "partners", "market", "firms", "fuel")
        ):
            found |= _changed(old, value, f"{key}.")
        else:
            found[key] = value
    return found


def _as_field(key: str, value: Any, target: str, base: Mapping[str, float]) -> Any:
    if base:  # a request keeps members that it does not name
        return {**dict.fromkeys(base, 0.0), **value}
    if key in PATHS:
        return {str(year): figure for year, figure in value.items()}
    if key in LEVELS:
        if len(set(value.values())) > 1:
            raise ScenarioError(f"{key}: the service takes one figure for all years; ask `carbonray predict {target}`")
        return next(iter(value.values()))
    return value
