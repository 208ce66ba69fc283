"""A prediction: leakage of a law in an economy with intervals, what moves it, what was simulated nearby, who leaks.

>>> import carbonray
>>> found = carbonray.predict_leakage("law", settings=["policy.price.2035=200"])
>>> found.years[["year", "leakage_rate", "leakage_rate_low", "leakage_rate_high"]]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.config import Scenario
from carbonray.data.worlds import plants_of
from carbonray.predict.drivers import drivers
from carbonray.predict.ensemble import MONEY, try_laws
from carbonray.predict.folder import Card, PredictError
from carbonray.predict.followed import behaviour_of, words_of
from carbonray.predict.inputs import Case
from carbonray.predict.predictor import LEVEL, Answers, Flags, Predictor, predictor
from carbonray.predict.quantities import Figures, quantities
from carbonray.predict.risk import Impact, cell_risk, plant_risk
from carbonray.predict.space import YEARS, firms_of
from carbonray.runtime.simulate import Progress, load_target, silent
from carbonray.runtime.uncertainty import FAILURES

Array = NDArray[np.float64]

CHECKED_FIRMS = 10_000
"""Firms of a simulation that stands beside a prediction; as many as the runs had."""
OF_YEARS = (
    *(f"{name}{goods}" for goods in ("", "_cbam_goods") for name in
      ("leakage_rate", "foreign_increase_mt", "home_reduction_mt")),
    "output_change", "revenue_musd", *(f"{name}_musd" for name in MONEY),
)  # fmt: skip
"""Quantities of a row of `years`."""
HEADLINES = (
    "leakage_rate_10_years", "leakage_rate_10_years_cbam_goods", "leakage_rate_5_years",
    "leakage_rate_5_years_cbam_goods", "leaked_mt_10_years", "leaked_mt_10_years_cbam_goods",
    "home_reduction_mt_10_years", "home_reduction_mt_10_years_cbam_goods",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a predictor says of a scenario; `simulated` has the same quantities if it was checked."""

    scenario: Scenario
    asked: Predictor
    case: Case
    answers: Answers  # of this one case
    simulated: Mapping[str, Array] | None = None  # [1, ...]

    def __repr__(self) -> str:
        low, mean, high = (_percent(value) for value in self.answers.one("leakage_rate_10_years"))
        return f"<Prediction of {self.scenario.name}: leakage {mean} ({low} to {high}) over 10 years; see its tables>"

    @property
    def flags(self) -> Flags:
        """Why it may not be relied upon."""
        return self.answers.flags[0]

    @property
    def card(self) -> Card:
        """Of the predictor."""
        return self.asked.saved.card

    @property
    def firms(self) -> str:
        """Which firms the predictor stands for: `follow rules`, or which policy they follow."""
        return words_of(self.card.policy)

    @property
    def headlines(self) -> pd.DataFrame:
        """Rates and tonnes over five and ten years: prediction, low, high, and what was simulated."""
        return pd.DataFrame([{"quantity": name, **self._row(name, ())} for name in HEADLINES])

    @cached_property
    def years(self) -> pd.DataFrame:
        """One row a year; each quantity with `_low` and `_high`, and `_simulated` if it was checked."""
        rows = []
        for place, year in enumerate(YEARS[: self.scenario.years]):
            row: dict[str, Any] = {"year": year}
            for name in OF_YEARS:
                told = self._row(name, (place,))
                row |= {name if key == "prediction" else f"{name}_{key}": value for key, value in told.items()}
            rows.append(row)
        return pd.DataFrame(rows)

    @cached_property
    def sectors(self) -> pd.DataFrame:
        """Leaked tonnes over ten years by sector, largest first."""
        return self._table("leaked_mt_10_years_by_sector", "sector", self.asked.model.place.sectors)

    @cached_property
    def partners(self) -> pd.DataFrame:
        """Leaked tonnes over ten years by partner, largest first."""
        return self._table("leaked_mt_10_years_by_partner", "partner", self.asked.model.place.partners)

    @cached_property
    def drivers(self) -> pd.DataFrame:
        """What moves the result, the widest first; see `predict.drivers`."""
        return drivers(self.asked, self.case)

    @cached_property
    def nearest(self) -> pd.DataFrame:
        """The simulated runs nearest to it, headline figures and inputs."""
        return self.asked.nearest(self.case)

    def impact(self, year: int | None = None) -> Impact:
        """What the policy does by cell in a year, the last if left out: what risk is made from."""
        place = YEARS.index(YEARS[self.scenario.years - 1] if year is None else year)
        figures = self.asked.model.figures(self.case.row[None])
        return Impact(
            foreign_increase=figures.foreign[0, place],
            home_reduction=figures.home[0, place],
            output_change=figures.output[0, place],
        )

    def risk(self, year: int | None = None, *, plants: bool = False) -> pd.DataFrame:
        """Cells at home, or the scenario's plants, ranked by the tonnes that reappear abroad because of them.

        Args:
            year: of the run, the last if left out.
            plants: whether single plants are ranked; those of the EU if the scenario names none.

        Raises:
            PredictError: if the year is not in the run.
        """
        years = YEARS[: self.scenario.years]
        year = years[-1] if year is None else year
        if year not in years:
            raise PredictError(f"--year {year}: the run has {years[0]}-{years[-1]}")
        economy, impact = self.asked.saved.economy, self.impact(year)
        if not plants:
            return cell_risk(self.scenario, economy, impact, year)
        named = self.scenario
        if not named.firms.plants:
            named = named.model_copy(update={"firms": named.firms.model_copy(update={"plants": "eu"})})
        placed = plants_of(named, economy)
        assert placed is not None
        return plant_risk(named, economy, placed, impact, year)

    def _row(self, name: str, place: tuple[int, ...]) -> dict[str, float]:
        low, mean, high = (_known(value[place]) for value in self.answers.one(name))
        row = {"prediction": mean, "low": low, "high": high}
        return row if self.simulated is None else {**row, "simulated": _known(self.simulated[name][0][place])}

    def _table(self, name: str, kind: str, names: Sequence[str]) -> pd.DataFrame:
        rows = [{kind: one, **self._row(name, (place,))} for place, one in enumerate(names)]
        table = pd.DataFrame(rows)
        return table.sort_values("prediction", ascending=False, kind="stable", ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "scenario": self.scenario.name,
            "level": self.answers.level,
            "reliable": not self.flags.any,
            "flags": self.flags.lines(),
            "approximated": list(self.flags.approximated),
            "predictor": {
                "sha256": self.card.model_sha256,
                "economy": self.card.economy,
                "firms": self.firms,
                "policy": None if self.card.policy is None else self.card.policy.model_dump(),
            },
            "headlines": _records(self.headlines),
            "years": _records(self.years),
            "sectors": _records(self.sectors),
            "partners": _records(self.partners),
            "drivers": _records(self.drivers),
            "nearest": _records(self.nearest),
        }

    def lines(self) -> list[str]:
        """What the command line prints."""
        from carbonray.predict.prediction_text import prediction_lines

        return prediction_lines(self)


def predict_leakage(
    target: str | Path | Scenario = "law",
    *,
    settings: Sequence[str] = (),
    built: str | Path | Predictor | None = None,
    level: float = LEVEL,
    check: bool = False,
    progress: Progress = silent,
) -> Prediction:
    """Predict leakage of a scenario of the main world.

    Args:
        target: a scenario, its name, or the path of a YAML file.
        settings: `KEY=VALUE` overrides of any key.
        built: a predictor or its folder; the one that comes with carbonray if left out.
        level: share of new cases that an interval holds: 0.5, 0.8, 0.9 or 0.95.
        check: whether the simulation is run beside it.
        progress: told the task, and how much of it is done.

    Raises:
        ScenarioError: if the scenario is refused.
        PredictError: if the predictor cannot be read, or was not built for such a scenario.
    """
    scenario = load_target(target, settings)
    if not isinstance(scenario, Scenario):
        raise PredictError(f"{scenario.name}: {scenario.world} has no leakage to predict; choose a cbam scenario")
    asked = built if isinstance(built, Predictor) else predictor(built)
    case = asked.case(scenario)
    answers = asked.answer([scenario.name], [case], level)
    simulated = None
    if check:
        progress("simulating", 0, 1)
        simulated = quantities(simulate_case(scenario, asked), asked.model.place)
        progress("simulating", 1, 1)
    return Prediction(scenario=scenario, asked=asked, case=case, answers=answers, simulated=simulated)


def simulate_case(scenario: Scenario, asked: Predictor) -> Figures:
    """The figures of a scenario as the predictor's runs have them, simulated.

    Raises:
        ScenarioError: if the policy that the runs' firms follow is not there.
        PredictError: if its market does not clear.
    """
    saved = asked.saved
    behaviour = behaviour_of(saved.card.policy, saved.folder)
    years = {"years": len(YEARS), "replicas": 1}
    whole = firms_of(scenario.model_copy(update=years), max(CHECKED_FIRMS, saved.card.firms))
    learned = {"learned": whole.firms.learned or saved.base.firms.learned}
    goods = {"coverage": saved.base.policy.coverage}  # that trained firms know; what the law covers is in the law
    fitted = {"firms": whole.firms.model_copy(update=learned), "policy": whole.policy.model_copy(update=goods)}
    try:
        outcome = try_laws(whole.model_copy(update=fitted), saved.economy, [whole.policy], behaviour=behaviour)
    except FAILURES as error:
        raise PredictError(f"{scenario.name}: cannot be simulated: {error}") from None
    return Figures(
        foreign=outcome.foreign,
        home=outcome.home,
        output=outcome.output / outcome.base_output,
        money=outcome.money,
    )


def _known(value: Any) -> float:
    return float(value) if np.isfinite(value) else float("nan")


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain values, None where there is none."""
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _percent(value: Any) -> str:
    return f"{100 * float(value):.1f} %" if np.isfinite(value) else "unknown"
