"""Importing a balanced table leaves it balanced: sums over the maps are kept, whatever table and maps."""

import csv
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.data import DataError, ImportRequest, import_table, load_economy

TIGHT = 1e-9  # relative: sums of hundreds of floats
EXAMPLES = settings(max_examples=40, deadline=None)


@dataclass(frozen=True)
class Table:
    """A balanced table: final demand and inputs per unit are drawn, output solves for both."""

    countries: tuple[str, ...]
    industries: tuple[str, ...]
    region: tuple[int, ...]  # of each country
    sector: tuple[int, ...]  # of each industry
    flows: Any
    demand: Any
    output: Any
    carbon: Any  # Mt

    @property
    def cells(self) -> list[tuple[str, str]]:
        return [(country, industry) for country in self.countries for industry in self.industries]


@st.composite
def balanced(draw: st.DrawFn) -> Table:
    countries = tuple(f"N{n}" for n in range(draw(st.integers(1, 5))))
    industries = tuple(f"c{n}" for n in range(draw(st.integers(1, 4))))
    region = tuple(draw(st.integers(0, 2)) for _ in countries)
    sector = tuple(draw(st.integers(0, 2)) for _ in industries)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    number = len(countries) * len(industries)
    used = rng.random((number, number)) < draw(st.floats(0.1, 1.0))
    inputs = rng.random((number, number)) * used
    inputs *= draw(st.floats(0.0, 0.95)) / np.maximum(inputs.sum(0), 1.0)
    columns = len(countries) * 2
    demand = rng.lognormal(0.0, draw(st.floats(0.1, 3.0)), (number, columns))
    output = np.linalg.solve(np.eye(number) - inputs, demand.sum(1))
    carbon = output * rng.lognormal(-6.0, 2.0, number)
    return Table(countries, industries, region, sector, inputs * output, demand, output, carbon)


def write(folder: Path, table: Table) -> tuple[ImportRequest, dict[str, Path]]:
    raw = folder / "raw"
    raw.mkdir()
    np.savez(raw / "wiot2013_2000.npz", Z=table.flows, F=table.demand, x=table.output)
    pd.DataFrame(table.cells, columns=["country", "industry"]).to_csv(raw / "wiot2013_labels.csv.gz", index=False)
    final = pd.DataFrame({"country": np.repeat(table.countries, 2)})
    final.to_csv(raw / "wiot2013_final_demand_labels.csv", index=False)
    carbon = pd.DataFrame(table.cells, columns=["region", "sector"]).assign(mt_co2=table.carbon)
    carbon.to_csv(folder / "co2.csv", index=False)
    maps = {}
    for kind, codes, target, letter in (
        ("region", table.countries, table.region, "R"),
        ("sector", table.industries, table.sector, "S"),
    ):
        maps[f"{kind}s"] = folder / f"{kind}s.csv"
        with maps[f"{kind}s"].open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(
                [("code", kind), *((c, f"{letter}{t}") for c, t in zip(codes, target, strict=True))]
            )
    return ImportRequest(path=raw, format="wiod", emissions=(str(folder / "co2.csv"),)), maps


def group(codes: tuple[int, ...]) -> Any:
    """[groups in order of appearance, codes] one where a code belongs to a group."""
    order = list(dict.fromkeys(codes))
    return np.eye(len(order))[:, [order.index(code) for code in codes]]


@EXAMPLES
@given(balanced())
def test_the_sums_over_the_maps_are_kept_and_the_table_balances(table: Table) -> None:
    with tempfile.TemporaryDirectory() as name:
        request, maps = write(Path(name), table)
        imported = import_table(request, **maps, out=Path(name) / "own_2000")
        economy = load_economy(Path(name) / "own_2000")  # which refuses a table out of balance
    cells = np.kron(group(table.region), group(table.sector))
    value_added = table.output - table.flows.sum(0)
    np.testing.assert_allclose(economy.output, cells @ table.output, rtol=TIGHT)
    np.testing.assert_allclose(economy.value_added, cells @ value_added, rtol=TIGHT, atol=TIGHT * table.output.sum())
    np.testing.assert_allclose(economy.emissions, cells @ table.carbon, rtol=TIGHT)
    np.testing.assert_allclose(economy.transactions, cells @ table.flows @ cells.T, rtol=TIGHT)
    columns = np.kron(group(table.region), np.ones(2))
    np.testing.assert_allclose(economy.final_demand, cells @ table.demand @ columns.T, rtol=TIGHT)
    np.testing.assert_allclose(economy.value_added.sum(), economy.final_demand.sum(), rtol=TIGHT)
    assert imported.clipped.flows == 0


@EXAMPLES
@given(balanced(), st.data())
def test_any_stated_output_that_is_off_is_refused_by_its_cell(table: Table, data: st.DataObject) -> None:
    cell = data.draw(st.integers(0, len(table.output) - 1))
    factor = data.draw(st.sampled_from([0.5, 0.99, 1.01, 3.0]))
    table.output[cell] *= factor
    with tempfile.TemporaryDirectory() as name:
        request, maps = write(Path(name), table)
        with pytest.raises(DataError) as error:
            import_table(request, **maps, out=Path(name) / "own_2000")
        assert not (Path(name) / "own_2000").exists()
    assert str(error.value).startswith(f"raw: {'-'.join(table.cells[cell])}: stated output ")


@EXAMPLES
@given(balanced(), st.data())
def test_any_code_left_out_of_a_map_is_refused_by_name(table: Table, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["region", "sector"]))
    code = data.draw(st.sampled_from(table.countries if kind == "region" else table.industries))
    with tempfile.TemporaryDirectory() as name:
        request, maps = write(Path(name), table)
        path = maps[f"{kind}s"]
        kept = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(f"{code},")]
        path.write_text("\n".join(kept) + "\n", encoding="utf-8")
        with pytest.raises(DataError) as error:
            import_table(request, **maps, out=Path(name) / "own_2000")
        assert not (Path(name) / "own_2000").exists()
    message = str(error.value)
    assert f"{kind} code {code!r} of raw is left out" in message or "has no codes below its header" in message
