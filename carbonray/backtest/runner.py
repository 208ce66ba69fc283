"""Hold the model against history: calibrate on 1995-2004, foretell 2005-2022, compare, and look for leakage."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from carbonray.backtest.calibrate import Fit, calibrate
from carbonray.backtest.evaluate import lines, points, table
from carbonray.backtest.headline import leakage_figures, placebo_figures
from carbonray.backtest.hindcast import Told, forecast, history, told, without_policy
from carbonray.backtest.leakage import Detection, Leaked, Variant, detect, leaked, noise_of
from carbonray.backtest.lines import MAPE_AIM, R_AIM, Line
from carbonray.backtest.naive import NAIVES
from carbonray.backtest.record import FIRST, LAST, SPLIT, Record, load_record, yearly_values
from carbonray.config import Scenario
from carbonray.data.economy_tables import load_economy
from carbonray.runtime import outputs
from carbonray.runtime.inprocess import threads
from carbonray.runtime.pair import Pair, run
from carbonray.worlds.cbam.economy import Economy

Progress = Callable[[str, int, int], None]
FIRMS = 2000
AREA = "embodied EU26+GBR"
"""Whose net imports are searched for a leak: the regions under the price."""
PLACEBO_YEARS = range(1997, 2005)
"""Years before there was a price, in which that of 2005-2012 is looked for."""


def fresh_folder(parent: Path = Path("runs")) -> Path:
    """The first free `runs/backtest-N`."""
    number = 1
    while (parent / f"backtest-{number}").exists():
        number += 1
    return parent / f"backtest-{number}"


def silent(task: str, done: int, of: int) -> None:
    """No progress."""


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """What a test against history found."""

    scenario: Scenario
    fit: Fit
    lines: Sequence[Line]
    variants: Sequence[Variant]  # as allocated first
    detection: Detection
    before: Detection  # the same search before there was a price
    skipped: Mapping[str, str]
    seed: int

    @property
    def scores(self) -> pd.DataFrame:
        """One row per series and pool."""
        return table(self.lines)

    @property
    def points(self) -> pd.DataFrame:
        """One row per series and year: observed, model and naive forecasts."""
        return points(self.lines)

    @property
    def leakage(self) -> pd.DataFrame:
        """Predicted leakage by rule of allocation and year."""
        return pd.concat([_years(variant) for variant in self.variants], ignore_index=True)

    @property
    def placebo(self) -> pd.DataFrame:
        """Correlation of residual net imports with the price, observed order and shuffled."""
        parts = []
        for name, found in (("2005-2017", self.detection), ("before the ETS", self.before)):
            parts.append(pd.DataFrame({"window": name, "order": "observed", "r": [found.correlation]}))
            parts.append(pd.DataFrame({"window": name, "order": "shuffled", "r": found.shuffled}))
        return pd.concat(parts, ignore_index=True)

    @property
    def summary(self) -> dict[str, Any]:
        """Headline figures; no number that is not finite."""
        return dict(finite(_summary(self)))

    def write(self, out: Path, finish: Callable[[Path], object] = lambda folder: None) -> Path:
        """Write the folder of the backtest; nothing is left behind if it fails.

        Args:
            out: a folder that does not exist.
            finish: called with the written folder before it gets its name; the report is drawn here.

        Raises:
            OutputError: if the folder exists or cannot be written.
        """
        with outputs.whole_folder(out) as draft:
            outputs.write_config(self.scenario, draft / "config.yaml")
            outputs.write_json(self.summary, draft / "summary.json")
            for name in ("scores", "points", "leakage", "placebo"):
                outputs.write_table(getattr(self, name), draft / f"{name}.parquet")
            self.scores.to_csv(draft / "scores.csv", index=False, float_format="%.6g", lineterminator="\n")
            self.points.to_csv(draft / "points.csv", index=False, float_format="%.6g", lineterminator="\n")
            finish(draft)
        return out


def backtest(raw: Path | None = None, *, firms: int = FIRMS, seed: int = 0, progress: Progress = silent) -> Backtest:
    """Hold the model against what happened from 2005 to 2022.

    A conditional forecast: GDP, carbon intensities, exchange rates and the allowance price are given as they were;
    trade, embodied carbon, emissions and production by sector are foretold.

    Args:
        raw: folder of raw tables, for the series that may not be shipped; their rows are skipped without it.
        firms: number of firms.
        seed: of every random number.
        progress: told the task, and how much of it is done.

    Raises:
        DataError: if a table is missing or changed.
        ScenarioError: if there are too few firms.
    """
    with threads(1):
        return _backtest(load_record(raw), firms, seed, progress)


def _backtest(record: Record, firms: int, seed: int, progress: Progress) -> Backtest:
    early, first, base = record.until(SPLIT), load_economy(f"history-{FIRST}"), load_economy(f"history-{SPLIT}")
    fit = calibrate(early, first, firms=firms, progress=lambda done, of: progress("calibrating", done, of))
    progress("hindcast", 0, 1)
    scenario = history(record, base, fit.parameters, last=LAST, firms=firms, seed=seed)
    pair = run(scenario, economy=base, record_firms=False, progress=lambda done, of, _: progress("hindcast", done, of))
    said = told(base, pair.policy, SPLIT)
    found = lines(record, said, fit.trends)
    variants = _variants(pair, base, progress)
    return Backtest(
        scenario=scenario,
        fit=fit,
        lines=found,
        variants=variants,
        detection=search(record, said, variants[0].leaked, seed),
        before=_before(record, first, fit, firms=firms, seed=seed),
        skipped=record.skipped,
        seed=seed,
    )


def _variants(pair: Pair, economy: Economy, progress: Progress) -> list[Variant]:
    """Leakage as allocated, and where free allocation is taken away, against the same reference."""
    policy = pair.scenario.policy
    changed: dict[str, dict[str, Any]] = {
        "as allocated": {},
        "power pays for all of its carbon": {"free_allocation": {SPLIT: 0.0}},
        "nobody gets free allowances": {"free_allocation": {SPLIT: 0.0}, "free_allocation_other": 0.0},
    }
    found = []
    for at, (name, update) in enumerate(changed.items()):
        progress("leakage", at, len(changed))
        scenario = pair.scenario.model_copy(update={"policy": policy.model_copy(update=update)})
        made = run(scenario, economy=economy, record_firms=False) if update else pair
        found.append(Variant(name=name, leaked=leaked(made, SPLIT + 1)))
    progress("leakage", len(changed), len(changed))
    return found


def search(record: Record, said: Told, found: Leaked, seed: int) -> Detection:
    """Look for the leak of a run in the record, and hold it against the noise that the record had before the price."""
    one = record.find(AREA)
    model = forecast(said, one, {})
    residual = {SPLIT: 0.0} | {year: one.observed[year] - (model[year] - found.rise(year)) for year in model}
    return detect(residual, yearly_values(record.allowance), found, noise=noise_of(one.observed), seed=seed)


def _before(record: Record, economy: Economy, fit: Fit, *, firms: int, seed: int) -> Detection:
    """Search the years before the price for the price of 2005-2012, moved back by eight years."""
    early = record.until(SPLIT)
    scenario = history(early, economy, fit.parameters, last=SPLIT, firms=firms, seed=seed)
    one = early.find(AREA)
    model = forecast(without_policy(scenario, economy), replace(one, anchor_years=(FIRST,)), {})
    residual = {year: one.observed[year] - value for year, value in model.items()}
    price = yearly_values(record.allowance)
    moved = {year: price[year + len(PLACEBO_YEARS)] for year in PLACEBO_YEARS}
    return detect(residual, moved, None, noise=noise_of(one.observed), years=PLACEBO_YEARS, seed=seed)


def _years(variant: Variant) -> pd.DataFrame:
    found = variant.leaked
    return pd.DataFrame(
        {
            "allocation": variant.name,
            "year": found.years,
            "foreign_increase_mt": found.foreign_increase,
            "home_reduction_mt": found.home_reduction,
            "home_reference_mt": found.home_reference,
            "goods_increase_mt": found.goods_increase,
            "goods_reduction_mt": found.goods_reduction,
        }
    )


def _summary(result: Backtest) -> dict[str, Any]:
    headline = [line for line in result.lines if not line.detail and line.counted]
    return {
        "calibrated_on": [FIRST, SPLIT],
        "foretold": [SPLIT + 1, LAST],
        "seed": result.seed,
        "n_firms": result.scenario.firms.number,
        "aims": {"mape_below": MAPE_AIM, "r_above": R_AIM, "skill_above_zero_against": list(NAIVES)},
        "parameters": {
            "size": result.fit.parameters.size,
            "price_level": result.fit.parameters.price_level,
            "tonnes_per_real_dollar_growth_rate": dict(result.fit.trends),
        },
        "calibration_error": result.fit.error,
        "calibration_error_with_shares_of_the_base_year": result.fit.error_still,
        "rows": len(headline),
        "rows_passed": sum(line.passed for line in headline),
        "passed": [line.key for line in headline if line.passed],
        "failed": {line.key: line.failures for line in headline if not line.passed},
        "skipped": dict(result.skipped),
        "anchored_later": {
            line.key: [min(line.anchor_years), max(line.anchor_years)] for line in result.lines if line.anchored_later
        },
        "leakage": leakage_figures(result.variants, result.detection),
        "placebo": placebo_figures(result.detection, result.before),
    }


def finite(value: Any) -> Any:
    """The same with None for every number that is not finite."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
