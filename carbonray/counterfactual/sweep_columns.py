"""The columns of a sweep's two datasets: known before the first run, so that all parts have one schema."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from carbonray.counterfactual.sweep_asked import written
from carbonray.counterfactual.sweep_figures import Column
from carbonray.counterfactual.sweep_origin import Origin, tables, versions
from carbonray.counterfactual.sweep_plan import Plan, Run
from carbonray.counterfactual.sweep_worlds import SWEPT
from carbonray.data.arrow import arrow
from carbonray.runtime.simulate import RunResult


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The schemas of the datasets, with units in the metadata of the fields, and what they are made with."""

    world: str
    keys: tuple[str, ...]  # of the grid
    results: Any  # schema of a row a run
    years: Any  # schema of the rows by year
    origin: Origin  # what every machine must have


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What one run adds to the datasets."""

    results: Any  # one row
    years: Any


def layout_of(plan: Plan) -> Layout:
    """The schemas that all runs of a sweep fit."""
    swept = SWEPT[plan.world]
    own = [
        Column("run_number", "from 0, by scenario, grid and seed", "int64"),
        Column("scenario", "", "string"),
        Column("seed", "", "int64"),
        *(Column(key, "", _kind(values)) for key, values in zip(plan.keys, plan.columns, strict=True)),
    ]
    return Layout(
        world=plan.world,
        keys=plan.keys,
        results=_schema([*own, *swept.figures([one.scenario for one in plan.combinations])]),
        years=_schema([*own, *swept.by_year]),
        origin=Origin(versions=dict(versions()), tables=tables(one.scenario for one in plan.combinations)),
    )


def _schema(columns: Iterable[Column]) -> Any:
    """A schema of these columns; a grid over a key that is a figure too gives one column."""
    once = {column.name: column for column in reversed(list(columns))}
    fields = [
        arrow.field(one.name, one.kind, metadata={"unit": one.unit} if one.unit else None) for one in once.values()
    ]
    return arrow.schema(list(reversed(fields)))


def _kind(values: Sequence[Any]) -> str:
    """The type of a grid's column; what is not a number or a truth value is a text."""
    there = [value for value in values if value is not None]
    for kinds, name in ((bool, "bool"), (int, "int64"), (int | float, "double")):
        if all(isinstance(value, kinds) and isinstance(value, bool) == (name == "bool") for value in there):
            return name
    return "string"


def tables_of(layout: Layout, run: Run, result: RunResult) -> Tables:
    """The rows of a run."""
    swept = SWEPT[layout.world]
    named: dict[str, Any] = {"run_number": run.number, "scenario": run.scenario.name, "seed": run.scenario.seed}
    for key, value in zip(layout.keys, run.chosen, strict=True):
        text = layout.results.field(key).type == arrow.string()
        named[key] = written(value) if text and not isinstance(value, str | None) else value
    row = pd.DataFrame([flat(result.summary) | named])
    return Tables(results=_table(row, layout.results), years=_table(swept.years(result).assign(**named), layout.years))


def _table(frame: pd.DataFrame, schema: Any) -> Any:
    """A frame in a schema; a column that it has not, and what is not a number, is null."""
    columns = [
        arrow.array(frame[field.name], field.type, from_pandas=True)
        if field.name in frame
        else arrow.nulls(len(frame), field.type)
        for field in schema
    ]
    return arrow.Table.from_arrays(columns, schema=schema)


def flat(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a summary by dotted key; of an interval `.low` and `.high`, of `years` the first and the last."""
    found: dict[str, Any] = {}
    for name, value in summary.items():
        if name == "years":
            found |= {"first_year": value[0], "last_year": value[1]}
        elif name == "intervals":
            for figure, (low, high) in value.items():
                found |= {f"{figure}.low": low, f"{figure}.high": high}
        elif isinstance(value, Mapping):
            found |= {f"{name}.{key}": inner for key, inner in flat(value).items()}
        elif not isinstance(value, list | tuple):
            found[name] = value
    return found
