"""Scenarios of the climate negotiation world: what a user writes in YAML, checked.

The reference is the RICE-N implementation of Zhang et al. 2022 (arXiv 2208.07004); `switches` tell where it is
corrected.  Rates are levels of ten, so a rate is taken at the nearest one.
"""

import math
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from carbonray.config import Frozen
from carbonray.units import UnitInterval

REGIONS = (
    "R11", "R12", "R13", "R14", "R15", "R16", "R17", "R18", "R19", "R2", "R20", "R21", "R22", "R23", "R24", "R25",
    "R26", "R27", "R28", "R29", "R3", "R30", "R4", "R5", "R6", "R7", "R9",
)  # fmt: skip
"""The fictional regions by id: R and the number of the reference's file, in the order in which it reads its files."""

BuiltInProtocol = Literal["none", "bilateral", "club", "border-club"]


def _protocol(name: str) -> str:
    where, _, function = name.rpartition(":")
    if name not in get_args(BuiltInProtocol) and not (where and function.isidentifier()):
        known = ", ".join(get_args(BuiltInProtocol))
        raise ValueError(f"choose from {known}, or name your own as FILE.py:function or package.module:function")
    return name


def _option(value: Any) -> Any:
    for each in value if isinstance(value, list | tuple) else (value,):
        if isinstance(each, bool) or not isinstance(each, int | float | str):
            raise ValueError("an option is a number, a text or a list of these")
        if isinstance(each, float) and not math.isfinite(each):
            raise ValueError("an option must be a finite number")
    return value


def _cooperators(given: Any) -> Any:
    if not isinstance(given, list | tuple):
        if given not in ("all", "none"):
            raise ValueError("give all, none or a list of regions")
        return given
    if not given:
        raise ValueError("name at least one region, or write none")
    for place, region in enumerate(given):
        if region not in REGIONS:
            raise ValueError(f"unknown region {region}; there are R2 to R7, R9 and R11 to R30")
        if region in given[:place]:
            raise ValueError(f"{region} is named twice")
    return given


Scalar = int | float | str
Option = Annotated[Scalar | tuple[Scalar, ...], BeforeValidator(_option)]
Cooperators = Annotated[Literal["all", "none"] | tuple[str, ...], BeforeValidator(_cooperators)]


class Negotiation(Frozen):
    """How regions come to bind each other. `reference` runs negotiate, and nobody is bound."""

    protocol: Annotated[str, AfterValidator(_protocol)] = "none"
    """none, bilateral, club or border-club; or a function of your own, FILE.py:function or package.module:function."""
    options: dict[str, Option] = Field(default_factory=dict)
    """Keyword arguments of the protocol's function: numbers, texts or lists of them."""
    binding: bool = True
    """Whether agreements bind; the reference run has false here and all else equal."""

    @model_validator(mode="after")
    def _none_takes_nothing(self) -> Self:
        if self.protocol == "none" and self.options:
            raise ValueError(f"protocol none takes no options; leave {next(iter(self.options))} out")
        return self


class Behaviour(Frozen):
    """What regions do without learning; every figure is an assumption, and each region does the same."""

    kind: Literal["business-as-usual", "constant", "random"] = "constant"
    """business-as-usual: saves a fifth, and nothing else; constant: the rates below; random: any legal level."""
    savings: UnitInterval = 0.2
    """Share of gross output invested (assumption)."""
    mitigation: UnitInterval = 0.0
    """Share of emissions cut where no agreement asks for more (assumption)."""
    export_limit: UnitInterval = 0.5
    """Largest share of gross output exported (assumption)."""
    tariff: UnitInterval = 0.0
    """Ad valorem rate on the goods of every other region (assumption)."""
    imports: UnitInterval = 0.1
    """Bid for the goods of each other region, share of own gross output; cut where they exceed it (assumption)."""
    proposal: UnitInterval = 0.4
    """Mitigation rate promised to and asked of every other region (assumption)."""
    cooperators: Cooperators = "all"
    """Who proposes and accepts: all, none or a list of regions; the others promise nothing and refuse."""


class Switches(Frozen):
    """Oddities of the reference and their corrections; the first value of each is the reference's behaviour."""

    tariff_revenue: Literal["lost", "returned"] = "lost"
    """lost: goods that a tariff takes vanish, in the reference; returned: they reach the importer's consumers, in the
    proportions of the goods that passed, so that a tariff only turns consumption towards other origins.
    Measured: none on temperature, +0.9 on a welfare of 48.7 (bilateral, random, 50 replicas), +0.06 in `club`."""
    mitigation_floor: Literal["mask", "step"] = "mask"
    """mask: a minimum rate of mitigation is told to learners by the action mask alone, and a recorded action may lie
    below it, in the reference; step: it holds whatever was chosen.
    Measured: none where the mask is obeyed; -2.4 degrees C and -1.6 of welfare with random actions that ignore it."""
    interest: Literal["per-step", "per-year"] = "per-step"
    """per-step: 10 % on credits and debts once in five years, in the reference; per-year: 10 % each year.
    Measured: none on temperature, +3.3 on a welfare of 48.7 (bilateral, random), +1.8 in `club`: debts stop imports
    sooner, and imports lower welfare here."""
    rates: Literal["tenths", "full"] = "tenths"
    """tenths: the ten levels are 0, 0.1 ... 0.9, so that nobody can cut all emissions, in the reference; full: they are
    ninths, from 0 to 1, and every rate moves.
    Measured: -0.8 degrees C and -5.3 on a welfare of 48.7 (bilateral, random, 50 replicas)."""


class NegotiationScenario(Frozen):
    """A century of 27 regions that produce, trade, mitigate and negotiate."""

    world: Literal["climate-negotiation"] = "climate-negotiation"
    """Which world this is a scenario of."""
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    """Lower case, digits and hyphens."""
    summary: str = ""
    """One line on what it asks."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of every random number."""
    replicas: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Independent draws of the actions, for intervals; they differ only where the behaviour is random."""
    negotiation: Negotiation = Negotiation()
    """How regions come to bind each other."""
    behaviour: Behaviour = Behaviour()
    """What regions do without learning."""
    switches: Switches = Switches()
    """The reference's oddities, or their corrections."""
    observations: Literal["normalised", "raw"] = "normalised"
    """What learners see: divided as in the reference, or in the units of the tables."""

    def reference(self) -> "NegotiationScenario":
        """The same scenario, in which agreements bind nobody."""
        return self.model_copy(update={"negotiation": self.negotiation.model_copy(update={"binding": False})})
