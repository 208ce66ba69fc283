"""From policies asked to predictions told: cases of the predictor in, tables out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.client.messages import Headlines, LeakageRequest, PolicyCase, SectorTable, YearTable
from carbonray.config import Scenario
from carbonray.data.scenarios import load, names
from carbonray.predict.inputs import Case
from carbonray.predict.predictor import Flags, Predictor, predictor
from carbonray.predict.space import YEARS

Array = NDArray[np.float64]

HEADLINES = tuple(Headlines.model_fields)
OF_YEARS = tuple(name for name in YearTable.model_fields if name != "year")
(OF_SECTOR,) = (name for name in SectorTable.model_fields if name != "sector")
TOLD = (*HEADLINES, *OF_YEARS, f"{OF_SECTOR}_by_sector", f"{OF_SECTOR}_by_partner")
POLICY = {
    "price_eur_per_t": "price", "free_allocation_share": "free_allocation", "cbam": "cbam",
    "cbam_factor_share": "cbam_factor", "coverage_share": "coverage", "export_rebate_share": "export_rebate",
    "support_home_share": "support_home", "support_abroad_share": "support_abroad", "incidence_share": "incidence",
}  # fmt: skip
"""Fields of a request and the keys of `policy` that they are."""
PARTNERS = {"partner_price_eur_per_t": "price", "partner_price_growth_per_year": "price_growth"}
MARKET = {"sigma_scale": "sigma_scale", "factor_supply": "factor_supply", "inputs": "inputs"}
FIRMS = {"intensity_trend_per_year": "intensity_trend"}
FUEL = {"fuel_channel": "channel"}
TOP = {"abatement_scale": "abatement_scale", "years": "years"}
PARTS = {"policy": POLICY, "partners": PARTNERS, "market": MARKET, "firms": FIRMS, "fuel": FUEL}
PATHS = ("price", "free_allocation", "cbam_factor")
CONSTANT_PATHS = ("support_home", "support_abroad")
MERGED = ("coverage", "price")
"""Groups of which a request changes some members: a law's coverage and partners' prices."""


class UnknownError(ValueError):
    """A field that names what the service does not have: its place in the request, and the rule."""

    def __init__(self, field: str, rule: str) -> None:
        """Keep both."""
        super().__init__(rule)
        self.field, self.rule = field, rule


@cache
def built_in(name: str) -> Scenario:
    """A scenario of the main world."""
    found = load(name)
    assert isinstance(found, Scenario)
    return found


def scenario_of(asked: PolicyCase) -> Scenario:
    """The scenario that a case stands for; what it does not give is the built-in scenario's.

    Raises:
        UnknownError: if it names a scenario, sector or partner that there is not.
    """
    if asked.scenario not in names():
        raise UnknownError("scenario", f"{asked.scenario} is unknown; choose from {', '.join(names())}")
    base = built_in(asked.scenario)
    update: dict[str, Any] = {key: value for field, key in TOP.items() if (value := getattr(asked, field)) is not None}
    for part, fields in PARTS.items():
        own = getattr(base, part)
        changes = {key: _as_config(part, key, getattr(asked, field), own) for field, key in fields.items()
                   if getattr(asked, field) is not None}  # fmt: skip
        if changes:
            update[part] = own.model_copy(update=changes)
    return base.model_copy(update=update)


def _as_config(part: str, key: str, value: Any, own: Any) -> Any:
    if part == "policy" and key in PATHS:
        return {int(year): figure for year, figure in sorted(value.items())}
    if part == "policy" and key in CONSTANT_PATHS:
        return {YEARS[0]: value}
    return {**getattr(own, key), **value} if key in MERGED else value


class Leakage:
    """What answers `/v1/leakage/predict`: a predictor, and the words of its answers."""

    def __init__(self, folder: Path | None = None) -> None:
        """Read it.

        Raises:
            PredictError: if it cannot be read.
        """
        self.predictor: Predictor = predictor(folder)
        self.name = "built-in" if folder is None else folder.name
        card = self.predictor.saved.card
        self.version = {"name": self.name, "model_sha256": card.model_sha256, "economy": card.economy,
                        "data_sha256": card.datasets}  # fmt: skip

    def cases(self, asked: Sequence[PolicyCase]) -> list[Case]:
        """The inputs of policies.

        Raises:
            UnknownError: naming the policy and field that cannot be asked about.
        """
        found = []
        for place, one in enumerate(asked):
            try:
                self._check(one)
                found.append(self.predictor.case(scenario_of(one)))
            except UnknownError as error:
                raise UnknownError(f"policies.{place}.{error.field}", error.rule) from None
            except ValueError as error:  # of another economy
                raise UnknownError(f"policies.{place}.scenario", str(error).partition("; build")[0]) from None
        return found

    def knows(self, scenario: str) -> bool:
        """Whether a built-in scenario of the main world can be predicted."""
        try:
            self.predictor.case(built_in(scenario))
        except ValueError:
            return False
        return True

    def _check(self, asked: PolicyCase) -> None:
        place = self.predictor.model.place
        for field, known in (("coverage_share", place.sectors), ("partner_price_eur_per_t", place.partners)):
            for name in getattr(asked, field) or ():
                if name not in known:
                    raise UnknownError(f"{field}.{name}", f"unknown; choose from {', '.join(known)}")

    def ask(self, cases: Sequence[Case], level: float) -> "Told":
        """Predictions of what a reply has."""
        found = self.predictor.answer([""] * len(cases), cases, level)
        parts = {"mean": found.mean, "low": found.low, "high": found.high}
        return Told(
            parts={
                part: {name: np.asarray(values[name], dtype=np.float32) for name in TOLD}
                for part, values in parts.items()
            },
            flags=found.flags,
        )

    def tell(self, request: LeakageRequest, cases: Sequence[Case], answers: "Told", first: int = 0) -> dict[str, Any]:
        """The reply as plain values and arrays; the cases' answers begin at `first`."""
        told = [
            self._one(one, _Row(answers, first + place), answers.flags[first + place])
            for place, one in enumerate(request.policies)
        ]
        if request.cube:
            rows = self.predictor.model.figures(np.stack([case.row for case in cases])).foreign
            for one, asked, values in zip(told, request.policies, rows, strict=True):
                one["cube"] = self._cube(values[: asked.years])
        return {"model": self.version, "level": request.level, "predictions": told}

    def _one(self, asked: PolicyCase, row: "_Row", flags: Flags) -> dict[str, Any]:
        place = self.predictor.model.place
        return {
            "name": asked.name,
            "scenario": asked.scenario,
            "reliable": not flags.any,
            "flags": {
                "outside": [{name: getattr(one, name) for name in ("name", "value", "low", "high")}
                            for one in flags.outside],
                "unlike": flags.unlike, "unknown": flags.unknown, "approximated": flags.approximated,
            },
            "headlines": {name: row.take(name) for name in HEADLINES},
            "years": {"year": YEARS[: asked.years]} | {name: row.take(name, asked.years) for name in OF_YEARS},
            "sectors": {"sector": place.sectors, OF_SECTOR: row.take(f"{OF_SECTOR}_by_sector")},
            "partners": {"partner": place.partners, OF_SECTOR: row.take(f"{OF_SECTOR}_by_partner")},
        }  # fmt: skip

    def _cube(self, values: Array) -> dict[str, Any]:
        place = self.predictor.model.place
        return {"year": YEARS[: len(values)], "partner": place.partners, "sector": place.sectors,
                "foreign_increase_mt": np.ascontiguousarray(values, dtype=np.float32)}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Told:
    """Predictions of cases, in the single precision that networks have."""

    parts: Mapping[str, Mapping[str, NDArray[np.float32]]]  # mean, low and high of each quantity, [N, ...]
    flags: tuple[Flags, ...]


class _Row:
    """One case of many."""

    def __init__(self, told: Told, place: int) -> None:
        self._told, self._place = told, place

    def take(self, name: str, years: int | None = None) -> dict[str, Any]:
        found = {part: values[name][self._place] for part, values in self._told.parts.items()}
        return found if years is None else {part: values[:years] for part, values in found.items()}
