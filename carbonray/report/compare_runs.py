"""The runs of a comparison, read and checked, and the table of their figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from carbonray.kpi.negotiation import contributions, hypervolume, pareto_front
from carbonray.report.negotiation_run import WORLD
from carbonray.report.negotiation_summary import IndexBounds, NegotiationSummary
from carbonray.report.run_directory import ReportError, read_config, read_summary, read_table
from carbonray.report.summary_model import Number

SAME_WORLD = 1e-9
"""Relative difference up to which the bounds of two runs are those of the same world: machines round differently."""
RULES, RECORDED = "rules", "recorded actions"
"""What a run follows that has no trained policy."""
UNSAID = "–"
"""What stands for a key that a scenario does not have."""


class ComparedSummary(NegotiationSummary):
    """Key figures that a comparison cannot do without."""

    behaviour: str
    temperature_rise_c: Number
    climate_index: Number
    economic_index: Number
    index_bounds: IndexBounds


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """One run of a comparison."""

    name: str  # short, and no other run's
    folder: Path
    summary: ComparedSummary
    temperature: pd.DataFrame  # [year, replica] of the atmosphere, degrees C above 1900
    scenario: Mapping[str, Any]  # dotted keys of the resolved scenario; empty without a config.yaml


def read_runs(folders: Sequence[Path]) -> tuple[ComparedRun, ...]:
    """Read the run directories to be compared.

    Raises:
        ReportError: if there are none, one is given twice, a file is missing or not what it should be, or the runs
            are not of the same world and years; one line naming the folder.
    """
    if not folders:
        raise ReportError("a comparison needs the directory of at least one run")
    seen: set[Path] = set()
    for folder in folders:
        if folder.resolve() in seen:
            raise ReportError(f"{folder}: is given twice")
        seen.add(folder.resolve())
    runs = tuple(_read(name, folder) for name, folder in zip(_names(folders), folders, strict=True))
    for run in runs[1:]:
        _check_same_world(runs[0], run)
    return runs


def _names(folders: Sequence[Path]) -> list[str]:
    """The last part of each path without the world; the whole path where two runs would be called the same."""
    short = [folder.resolve().name.removeprefix(f"{WORLD}-") for folder in folders]
    return [name if short.count(name) == 1 else str(folder) for name, folder in zip(short, folders, strict=True)]


def _read(name: str, folder: Path) -> ComparedRun:
    if not folder.is_dir():
        raise ReportError(f"{folder}: no such run directory")
    summary = read_summary(folder / "summary.json", ComparedSummary)
    if summary.cut_short:
        raise ReportError(f"{folder}: was interrupted before its last year; only whole runs can be compared")
    table = folder / "years.parquet"
    years = read_table(table, ("run", "replica", "year", "temperature_c"))
    policy = years[years["run"] == "policy"]
    if policy.empty:
        raise ReportError(f"{table}: no rows of the policy run")
    temperature = policy.pivot_table(index="year", columns="replica", values="temperature_c").sort_index()
    if temperature.isna().to_numpy().any():
        raise ReportError(f"{table}: a replica has not every year")
    if (temperature.index[0], temperature.index[-1]) != summary.years:
        raise ReportError(f"{table}: does not have the years of summary.json, {summary.years[0]}-{summary.years[1]}")
    config = folder / "config.yaml"
    scenario = read_config(config)["scenario"] if config.exists() else {}
    return ComparedRun(
        name=name, folder=folder, summary=summary, temperature=temperature, scenario=dict(_dotted(scenario))
    )


def _dotted(scenario: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in scenario.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _check_same_world(first: ComparedRun, other: ComparedRun) -> None:
    told, found = first.summary, other.summary
    same = {
        "years": list(first.temperature.index) == list(other.temperature.index),
        "regions": told.n_regions == found.n_regions,
    }
    for what in (name for name, holds in same.items() if not holds):
        raise ReportError(f"{other.folder}: has other {what} than {first.folder}; runs must be of one world")
    wanted, given = (list(one.index_bounds.model_dump().values()) for one in (told, found))
    if not np.allclose(wanted, given, rtol=SAME_WORLD, atol=0.0):
        raise ReportError(f"{other.folder}: has other index_bounds than {first.folder}; runs must be of one world")


def differences(runs: Sequence[ComparedRun]) -> dict[str, list[Any]]:
    """Keys of the scenarios that are not the same in all runs, with the value in each; names and summaries left out."""
    keys = dict.fromkeys(key for run in runs for key in run.scenario if key not in ("name", "summary"))
    values = {key: [run.scenario.get(key, UNSAID) for run in runs] for key in keys}
    return {key: found for key, found in values.items() if any(value != found[0] for value in found)}


def beside_protocol(runs: Sequence[ComparedRun]) -> dict[str, list[Any]]:
    """What differs besides the protocol and moves the figures, with the value in each run: behaviour, seed, switches.

    Keys of runs without a config.yaml are not known, but for their seed and the kind of their behaviour.
    """
    told: dict[str, list[Any]] = {
        "behaviour.kind": [run.summary.behaviour for run in runs],
        "policy": policies(runs),
        "seed": [run.summary.seed for run in runs],
    }
    known = [run for run in runs if run.scenario]
    keys = dict.fromkeys(key for run in known for key in run.scenario if key.startswith(("behaviour.", "switches.")))
    found: dict[str, list[Any]] = {key: [run.scenario.get(key, UNSAID) for run in known] for key in keys} | told
    return {key: values for key, values in found.items() if any(value != values[0] for value in values)}


def policies(runs: Sequence[ComparedRun]) -> list[str]:
    """What regions follow in each run; a trained policy by name, with its hash where another has the same name."""
    trained = [run.summary.policy for run in runs]
    names = [name for name, _ in {(policy.name, policy.sha256) for policy in trained if policy}]

    def policy_of(summary: ComparedSummary) -> str:
        policy = summary.policy
        if policy is None:
            return RECORDED if summary.actions_file else RULES
        return policy.name if names.count(policy.name) == 1 else f"{policy.name} ({policy.sha256[:8]})"

    return [policy_of(run.summary) for run in runs]


def indices(runs: Sequence[ComparedRun]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """[N, 2] economic and climate index, unclipped."""
    return np.array([(run.summary.economic_index, run.summary.climate_index) for run in runs], dtype=float)


def volume(runs: Sequence[ComparedRun]) -> float:
    """The hypervolume of the set."""
    return hypervolume(indices(runs))


def table_of(runs: Sequence[ComparedRun]) -> pd.DataFrame:
    """One row a run.

    Figures are those of the run's summary: the temperature of the last year, sums over the century, means over the
    replicas.  `on_front` tells whether no other run is at least as good in both indices and better in one;
    `hypervolume_contribution` what the hypervolume of the set would lose without the run; changes are against the
    run's own reference, NaN where that is zero.
    """
    points = indices(runs)
    rows = [_row(run) for run in runs]
    return pd.DataFrame(rows).assign(
        on_front=pareto_front(points),
        hypervolume_contribution=contributions(points),
        leakage_rate=_rates(runs),
        policy=policies(runs),
    )


def _row(run: ComparedRun) -> dict[str, Any]:
    told = run.summary
    return {
        "run": run.name,
        "protocol": told.protocol,
        "behaviour": told.behaviour,
        "policy": None,
        "seed": told.seed,
        "replicas": told.replicas,
        "temperature_c": told.temperature_c,
        "temperature_rise_c": told.temperature_rise_c,
        "emissions_gtco2": told.emissions_gtco2,
        "output_tusd": told.output_tusd,
        "consumption_tusd": told.consumption_tusd,
        "consumption_change_share": _share(told.consumption_tusd, told.consumption_reference_tusd),
        "welfare": told.welfare,
        "welfare_change_share": _share(told.welfare, told.welfare_reference),
        "members_last": told.members_last,
        "leakage_rate": None,
        "climate_index": told.climate_index,
        "economic_index": told.economic_index,
    }


def _share(value: float, before: float) -> float:
    return value / before - 1 if before > 0 else float("nan")


def _rates(runs: Sequence[ComparedRun]) -> list[float]:
    rates = [run.summary.leakage_rate for run in runs]
    return [float("nan") if rate is None else rate for rate in rates]
