"""Hold the model beside the three naive forecasts, series by series and pooled, and say plainly what passes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from carbonray.backtest.hindcast import Told, forecast, volumes_of
from carbonray.backtest.lines import Line
from carbonray.backtest.metrics import Array, Scores, changes, correlation, rmse, scores, skill
from carbonray.backtest.naive import NAIVES, constant_share, last_value, linear_trend
from carbonray.backtest.record import SPLIT, Record, Series, yearly_values
from carbonray.backtest.verdict import cause, note


def lines(record: Record, said: Told, trends: Mapping[str, float]) -> list[Line]:
    """Every series that can be forecast, then the pools.

    Args:
        record: the whole record; outcomes after the split are read here and nowhere before.
        said: the run with the observed carbon price.
        trends: growth of tonnes per real dollar, from the calibration.
    """
    volumes = volumes_of(record)
    single = [
        line_of(record, one, forecast(said, one, volumes, trends.get(one.key, 0.0)))
        for one in record.series
        if one.test_years and max(one.anchor_years) < said.first + len(said.output) - 1
    ]
    by_key = {one.key: one for one in record.series}
    trade = [line for line in single if line.group == "trade" and by_key[line.key].pooled]
    pools = [
        pool(f"trade {good} by origin", f"{name} bought in the EU, by origin outside it", members)
        for good, name in (("MET", "metals"), ("NMM", "minerals"), ("CHE", "chemicals"))
        if (members := [line for line in trade if by_key[line.key].sector == good])
    ]
    for group, label in (("ets", "ETS emissions, all sectors but combustion"), ("production", "production, all goods")):
        members = [line for line in single if line.group == group and by_key[line.key].pooled]
        if len(members) > 1:
            pools.append(pool(f"{group} all", label, members))
    inside, given = {line.key for line in trade}, {one.key for one in record.series if one.given}
    return [replace(line, detail=line.key in inside, counted=line.key not in given) for line in single] + pools


def line_of(record: Record, one: Series, model: Mapping[int, float]) -> Line:
    """Score one series."""
    years = range(min(model), max(model) + 1)
    known = [year for year in years if year in model and year in one.observed]
    pick = [year - years.start for year in known]
    naive = {name: values[pick] for name, values in naive_forecasts(record, one, years).items()}
    observed = np.array([one.observed[year] for year in known])
    return scored(
        Line(
            key=one.key,
            group=one.group,
            label=one.label,
            unit=one.unit,
            years=tuple(known),
            anchor=one.anchor,
            anchor_years=one.anchor_years,
            observed=observed,
            model=np.array([model[year] for year in known]),
            naive=naive,
            scores=scores(observed, observed, one.anchor),
            skill={},
            skill_changes={},
            turn_score={},
        )
    )


def scored(line: Line) -> Line:
    """The line with its scores and skills."""
    found = scores(line.observed, line.model, line.anchor)
    steps = changes(line.observed, line.anchor)
    return replace(
        line,
        scores=found,
        skill={name: skill(found.rmse, rmse(values - line.observed)) for name, values in line.naive.items()},
        skill_changes={
            name: skill(found.rmse_changes, rmse(changes(values, line.anchor) - steps))
            for name, values in line.naive.items()
        },
        turn_score={name: scores(line.observed, values, line.anchor).turn_score for name, values in line.naive.items()},
    )


def naive_forecasts(record: Record, one: Series, years: range) -> dict[str, Array]:
    """The three naive forecasts of a series, from the same anchor and the same record as the model's."""
    regions = one.region.split("+") if one.group != "trade" else ["EU26", "GBR"]
    tables = {"co2": record.co2, "dollars": record.constant_dollars(record.gdp, SPLIT), "volume": record.real_gdp}
    total = tables[one.share_of][regions].sum(axis=1)
    known = yearly_values(total)
    base = float(np.mean([known[year] for year in one.anchor_years]))
    early = {year: value for year, value in one.observed.items() if year <= SPLIT}
    if len(early) > 2:
        trend = linear_trend(early, years)
    else:  # nothing of the series is known early: it moves as the region's CO2 did
        middle = round(float(np.mean(one.anchor_years)))
        line = linear_trend({year: value for year, value in known.items() if year <= SPLIT}, range(middle, years.stop))
        trend = one.anchor * line[years.start - middle :] / line[0]
    made = (last_value(one.anchor, years), trend, constant_share(one.anchor, known, base, years))
    return dict(zip(NAIVES, made, strict=True))


def pool(key: str, label: str, members: Sequence[Line]) -> Line:
    """Many series as one row: errors weighted by value, correlation of movements since the anchor.

    MAPE is the sum of absolute errors over the sum observed; RMSE and skill are over all points in the unit; r is of
    log value over log anchor, so that size alone correlates nothing; direction and turns are over all series.
    """
    observed, model = (np.concatenate([getattr(line, name) for line in members]) for name in ("observed", "model"))
    naive = {name: np.concatenate([line.naive[name] for line in members]) for name in NAIVES}
    anchors = np.concatenate([np.full(len(line.years), line.anchor) for line in members])
    steps, said = (
        np.concatenate([changes(getattr(line, name), line.anchor) for line in members])
        for name in ("observed", "model")
    )
    others = {
        name: np.concatenate([changes(line.naive[name], line.anchor) for line in members]) - steps for name in NAIVES
    }
    found = Scores(
        mape=float(np.abs(model - observed).sum() / observed.sum()),
        rmse=rmse(model - observed),
        r=correlation(_log(observed / anchors), _log(model / anchors)),
        r_changes=correlation(steps / anchors, said / anchors),
        rmse_changes=rmse(said - steps),
        bias=float((model - observed).sum() / observed.sum()),
        direction=float(np.mean(np.sign(steps) == np.sign(said))),
        turns=sum(line.scores.turns for line in members),
        turns_hit=sum(line.scores.turns_hit for line in members),
        turns_predicted=sum(line.scores.turns_predicted for line in members),
        turns_right=sum(line.scores.turns_right for line in members),
    )
    return Line(
        key=key,
        group=members[0].group,
        label=label,
        unit=members[0].unit,
        years=tuple(sorted({year for line in members for year in line.years})),
        anchor=math.nan,
        anchor_years=tuple(sorted({year for line in members for year in line.anchor_years})),
        observed=observed,
        model=model,
        naive=naive,
        scores=found,
        skill={name: skill(found.rmse, rmse(naive[name] - observed)) for name in NAIVES},
        skill_changes={name: skill(found.rmse_changes, rmse(others[name])) for name in NAIVES},
        turn_score={name: _mean([line.turn_score[name] for line in members if line.scores.turns]) for name in NAIVES},
        pooled_of=len(members),
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _log(values: Array) -> Array:
    return np.log(np.maximum(values, 1e-12))


def table(found: Sequence[Line]) -> pd.DataFrame:
    """One row per series and pool."""
    return pd.DataFrame(
        [
            {
                "key": line.key,
                "group": line.group,
                "label": line.label,
                "unit": line.unit,
                "first_year": min(line.years),
                "last_year": max(line.years),
                "anchor_first": min(line.anchor_years),
                "anchor_last": max(line.anchor_years),
                "series": line.pooled_of,
                "headline": not line.detail,
                "counted": line.counted,
                "mape": line.scores.mape,
                "rmse": line.scores.rmse,
                "r": line.scores.r,
                "r_changes": line.scores.r_changes,
                "bias": line.scores.bias,
                "direction_rate": line.scores.direction,
                "turns": line.scores.turns,
                "turns_hit": line.scores.turns_hit,
                "turns_predicted": line.scores.turns_predicted,
                "turn_score": line.scores.turn_score,
                **{f"turn_score_{slug(name)}": line.turn_score[name] for name in NAIVES},
                **{f"skill_{slug(name)}": line.skill[name] for name in NAIVES},
                **{f"skill_changes_{slug(name)}": line.skill_changes[name] for name in NAIVES},
                "passed": line.passed,
                "missed": "; ".join(line.failures),
                "likely_cause": cause(line),
                "note": note(line),
            }
            for line in found
        ]
    )


def points(found: Sequence[Line]) -> pd.DataFrame:
    """One row per series and year: observed, model and the three naive forecasts."""
    return pd.DataFrame(
        [
            {
                "key": line.key,
                "group": line.group,
                "label": line.label,
                "unit": line.unit,
                "year": year,
                "observed": line.observed[at],
                "model": line.model[at],
                **{slug(name): line.naive[name][at] for name in NAIVES},
            }
            for line in found
            if line.pooled_of == 1
            for at, year in enumerate(line.years)
        ]
    )


def slug(name: str) -> str:
    """A naive forecast's name as a column."""
    return name.replace(" ", "_")
