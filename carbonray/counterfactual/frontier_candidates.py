"""What the home region could do instead of its law: fixed scenarios, decrees of its regulator, learned regulators.

Axes: Y year of the run, H lever of the regulator.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.config import Policy, Scenario, ScenarioError
from carbonray.data.scenarios import load
from carbonray.learn.policy import Trained
from carbonray.learn.policy_folder import load as load_policy
from carbonray.worlds.cbam.law import LEVERS as LAW_LEVERS
from carbonray.worlds.cbam.regulator import LEVERS

Array = NDArray[np.float64]

LAW, NO_CBAM = "law", "no-cbam"
SCENARIOS = (NO_CBAM, "moderate", "aggressive")
ROLE = "regulator"
LOWEST = np.array([min(levels) for levels in LEVERS.values()])
HIGHEST = np.array([max(levels) for levels in LEVERS.values()])
"""[H] bounds of what may be decreed."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A policy that is judged."""

    name: str
    kind: str  # law, scenario, lever, constant, path or learned
    law: Mapping[str, Any] = field(default_factory=dict)  # keys of the scenario's policy that it has instead
    decree: Array | None = None  # [Y, H] in force in each year of the run; the law as it stands if left out
    policy: Trained | None = None  # decides the decrees instead, year by year
    without: tuple[str, ...] = ()  # levers that its regulator may not turn

    def policy_at(self, base: Policy, factor: float) -> Policy:
        """Its policy in place of the scenario's, with the carbon price times a factor."""
        own = base.model_copy(update=dict(self.law))
        return own.model_copy(update={"price": {year: price * factor for year, price in own.price.items()}})

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """[H] levers that its regulator may turn."""
        return np.array([name not in self.without for name in LEVERS])


def fixed(years: int, levers: Collection[str] = tuple(LEVERS)) -> list[Candidate]:
    """The law, other scenarios' laws, and the law with one lever turned as far as it goes, one way or the other.

    Args:
        years: of the run.
        levers: that may be turned.
    """
    found = [Candidate(name=LAW, kind="law")]
    for name in SCENARIOS:
        policy = load(name).policy  # type: ignore[union-attr]
        kept = {key: getattr(policy, key) for key in LAW_LEVERS if key in policy.model_fields_set}
        found.append(Candidate(name=name, kind="scenario", law=kept))
    for place, lever in enumerate(LEVERS):
        for end in (LOWEST[place], HIGHEST[place]):
            if end and lever in levers:
                turned = np.eye(len(LEVERS))[place] * end
                found.append(Candidate(name=f"{lever} {end:+g}", kind="lever", decree=constant(turned, years)))
    return found


def constant(values: Sequence[float] | Array, years: int) -> Array:
    """[Y, H] the same in every year but the first, whose law stands."""
    return path(values, values, years)


def path(first: Sequence[float] | Array, last: Sequence[float] | Array, years: int) -> Array:
    """[Y, H] straight from the second year to the last, within the bounds; nothing in the first.

    Args:
        first: [H] decree of the second year.
        last: [H] decree of the last one.
        years: Y, at least two.
    """
    share = np.linspace(0.0, 1.0, years - 1)[:, None] if years > 2 else np.zeros((1, 1))
    between = np.asarray(first) * (1 - share) + np.asarray(last) * share
    return np.vstack([np.zeros(len(LEVERS)), between.clip(LOWEST, HIGHEST)])


def learned(folders: Sequence[str | Path]) -> list[Candidate]:
    """Trained regulators, who decide by what they see; firms follow the rules.

    One that draws its levels is judged twice: as it was trained, and taking the best level of each head.

    Raises:
        PolicyError: if a folder holds no policy.
        ScenarioError: if it decides for others.
    """
    found: list[Candidate] = []
    for folder in folders:
        saved = load_policy(folder)
        trained = next((part.trained for part in saved.parts if part.card.role == ROLE), None)
        if trained is None:
            raise ScenarioError(f"--regulator {folder}: decides for each {saved.card.role}, not for the {ROLE}")
        name = f"learned {saved.name}"
        if any(one.name == name for one in found):
            name = f"learned {folder}"
        if trained.sampled:
            found.append(Candidate(name=f"{name}, drawn", kind="learned", policy=trained))
        found.append(Candidate(name=name, kind="learned", policy=replace(trained, sampled=False)))
    return found


def forbidden(candidate: Candidate, without: Sequence[str]) -> Candidate:
    """The same regulator without some levers."""
    return replace(candidate, name=f"{candidate.name}, without {' and '.join(without)}", without=tuple(without))


def check_levers(without: Sequence[str], levers: Sequence[str]) -> tuple[str, ...]:
    """Levers that are to be forbidden, with underscores, among those that the scenario's regulator has.

    Raises:
        ScenarioError: if there is no such lever, or none is left.
    """
    found = tuple(dict.fromkeys(name.replace("-", "_") for name in without))
    for name in found:
        if name not in levers:
            raise ScenarioError(f"--without {name}: no such lever; there are {', '.join(levers)}")
    if len(found) == len(levers):
        raise ScenarioError("--without: leave the regulator a lever")
    return found


def sized(scenario: Scenario, firms: int) -> Scenario:
    """The scenario with a regulator and so many firms, one draw, and named suppliers only where deliveries can fail."""
    slots = scenario.firms.slots if scenario.disruptions.any else 0
    return scenario.model_copy(
        update={
            "replicas": 1,
            "firms": scenario.firms.model_copy(update={"number": firms, "slots": slots}),
            "regulator": scenario.regulator.model_copy(update={"acts": True}),
        }
    )
