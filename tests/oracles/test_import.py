"""Imports beside what is known: pymrio's own table and its footprints, and the raw world table of 2009."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from carbonray.data import DataError, ImportRequest, build_economy, import_table, load_economy
from carbonray.data.import_formats import load_pymrio
from carbonray.data.import_table import Imported
from carbonray.data.scenarios import load
from carbonray.runtime import simulate
from carbonray.worlds.cbam import Economy

TIGHT = 1e-9
RAW = Path(__file__).resolve().parents[3] / "shared" / "data" / "wiod"
ACCOUNTS = "jrc_wiod_co2_accounts_2000_2016.csv.gz"
needs_raw = pytest.mark.skipif(not RAW.is_dir(), reason="raw tables (../shared/data) are absent")

REGIONS = {"reg1": "EU26", "reg2": "EU26", "reg3": "CHN", "reg4": "CHN", "reg5": "ROW", "reg6": "ROW"}
SECTORS = {
    "food": "AGR", "mining": "MIN", "manufactoring": "MET", "electricity": "ELE",
    "construction": "SRV", "trade": "SRV", "transport": "SRV", "other": "SRV",
}  # fmt: skip
TEST_FOOTPRINTS = [
    0.21521786417999683,
    0.40277028161466344,
    0.46223628224533986,
]  # Mt of emission_type1 by EU26, CHN, ROW


def write_map(path: Path, kind: str, codes: dict[str, str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("code", kind), *codes.items()])
    return path


def footprints(economy: Economy) -> Any:
    """[R] Mt CO2 that the final demand of each region causes: e (I - A)^-1 F."""
    output = np.where(economy.output > 0, economy.output, 1.0)
    inputs = economy.transactions / output
    return (economy.emissions / output) @ np.linalg.solve(np.eye(len(output)) - inputs, economy.final_demand)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Any, Path]:
    """pymrio's test table, and where it was saved."""
    table = load_pymrio().load_test()
    table.save_all(tmp_path / "test_mrio")
    return table, tmp_path / "test_mrio"


def import_test_table(path: Path, out: Path, **changes: Any) -> Imported:
    request = {"format": "pymrio", "year": 2010, "emissions": ("emission_type1*",), "value_added": "residual"} | changes
    return import_table(
        ImportRequest(path=path, **request),
        regions=write_map(out.parent / "regions.csv", "region", REGIONS),
        sectors=write_map(out.parent / "sectors.csv", "sector", SECTORS),
        out=out,
    )


def test_footprints_of_the_imported_test_table_are_those_of_pymrio(saved: tuple[Any, Path], tmp_path: Path) -> None:
    table, path = saved
    imported = import_test_table(path, tmp_path / "test_2010")
    economy = load_economy(tmp_path / "test_2010")
    table.aggregate(
        region_agg=pd.DataFrame({"original": list(REGIONS), "aggregated": list(REGIONS.values())}),
        sector_agg=pd.DataFrame({"original": list(SECTORS), "aggregated": list(SECTORS.values())}),
    )
    table.calc_all()
    expected = table.emissions.D_cba.T.groupby(level=0).sum().T.loc[("emission_type1", "air"), list(economy.regions)]
    np.testing.assert_allclose(footprints(economy), expected.to_numpy() * 1e-9, rtol=TIGHT)  # kg to Mt
    np.testing.assert_allclose(footprints(economy), TEST_FOOTPRINTS, rtol=1e-6)
    cells = pd.MultiIndex.from_product([economy.regions, economy.sectors])
    np.testing.assert_allclose(economy.output, table.x["indout"].reindex(cells), rtol=TIGHT)
    assert imported.clipped.flows == 0
    assert imported.money == "Mill USD"


def test_a_zip_file_of_the_test_table_gives_the_same_tables(saved: tuple[Any, Path], tmp_path: Path) -> None:
    load_pymrio().archive(source=saved[1], archive=tmp_path / "test_mrio.zip")
    folder = import_test_table(saved[1], tmp_path / "folder_2010")
    archive = import_test_table(tmp_path / "test_mrio.zip", tmp_path / "zip_2010")
    np.testing.assert_array_equal(folder.economy.transactions, archive.economy.transactions)
    np.testing.assert_array_equal(folder.economy.emissions, archive.economy.emissions)


def test_the_test_tables_value_added_is_out_of_balance_and_is_refused_as_stated(
    saved: tuple[Any, Path], tmp_path: Path
) -> None:
    """Its final demand is invented, so that inputs plus value added are up to 99.6 % below output."""
    with pytest.raises(
        DataError, match=r"^test_mrio: reg2-electricity: inputs plus value added .* by 99.64% of output"
    ):
        import_test_table(saved[1], tmp_path / "test_2010", value_added="stated")


REFUSED = {
    "no account of CO2": (
        {"emissions": ()},
        "test_mrio: no account of CO2 is known; give --emissions NAME or a CSV file (region,sector,mt_co2); "
        "there are: emissions: emission_type1 - air; emissions: emission_type2 - water",
    ),
    "an unknown account": (
        {"emissions": ("emission_type",)},
        "test_mrio: --emissions emission_type: matches no account (is 'emission_type1 - air' meant?); there are: "
        "factor_inputs: Value Added; emissions: emission_type1 - air; emissions: emission_type2 - water",
    ),
    "an account of money": (
        {"emissions": ("Value Added",)},
        "test_mrio: factor_inputs: Value Added: unit 'Mill USD' is unknown; known units are kg, t, kt, Gg, Mt",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_test_table_does_not_tell_is_asked_for(saved: tuple[Any, Path], tmp_path: Path, name: str) -> None:
    changes, message = REFUSED[name]
    with pytest.raises(DataError) as error:
        import_test_table(saved[1], tmp_path / "test_2010", **changes)
    assert str(error.value) == message
    assert not (tmp_path / "test_2010").exists()


def test_a_table_that_tells_no_year_is_refused(
    saved: tuple[Any, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    maps = {
        "regions": write_map(tmp_path / "regions.csv", "region", REGIONS),
        "sectors": write_map(tmp_path / "sectors.csv", "sector", SECTORS),
    }
    with pytest.raises(DataError, match=r"^test_mrio: does not tell its year; give it with --year$"):
        import_table(ImportRequest(path=saved[1], format="pymrio"), **maps)
    assert not (tmp_path / "economies").exists()


def raw_maps(folder: Path) -> dict[str, Path]:
    """The project's own aggregation maps as a user would write them, with the codes of the CO2 accounts."""
    grouping = build_economy.read_grouping(RAW.parent)
    regions = grouping.region_of | {"CHE": "ROW", "NOR": "ROW", "HRV": "ROW"}
    sectors = grouping.sector_of("wiod_industries") | grouping.sector_of("nace2_codes")
    return {
        "regions": write_map(folder / "regions.csv", "region", regions),
        "sectors": write_map(folder / "sectors.csv", "sector", sectors),
    }


def import_raw(year: int, folder: Path) -> Imported:
    request = ImportRequest(path=RAW, format="wiod", year=year, emissions=(str(RAW / ACCOUNTS),))
    return import_table(request, **raw_maps(folder), out=folder / f"world_{year}")


@pytest.mark.raw
@needs_raw
def test_the_raw_table_of_2009_equals_the_published_aggregation(tmp_path: Path) -> None:
    economy = import_raw(2009, tmp_path).economy
    cells = pd.MultiIndex.from_product([economy.regions, economy.sectors])
    flows = pd.read_parquet(RAW / "wiod2013_agg12_Z.parquet").query("year == 2009")
    flows = flows.set_index(["from_region", "from_sector", "to_region", "to_sector"])["musd"].unstack([2, 3])
    expected = flows.reindex(index=cells, columns=cells).fillna(0.0).to_numpy()
    np.testing.assert_allclose(economy.transactions, expected, rtol=TIGHT)
    demand = pd.read_parquet(RAW / "wiod2013_agg12_F.parquet").query("year == 2009")
    demand = demand.groupby(["from_region", "from_sector", "to_region"])["musd"].sum().unstack()
    expected = demand.reindex(index=cells, columns=list(economy.regions)).fillna(0.0).clip(lower=0.0).to_numpy()
    np.testing.assert_allclose(economy.final_demand, expected, rtol=TIGHT)
    carbon = pd.read_csv(RAW / "wiod_agg12_co2_2000_2016.csv", keep_default_na=False).query("year == 2009")
    carbon = carbon.set_index(["region", "sector"])["mt_co2"].astype(float).reindex(cells)
    np.testing.assert_allclose(economy.emissions, carbon, atol=5e-5)  # published with four decimals


@pytest.mark.raw
@needs_raw
def test_the_raw_table_of_2011_is_the_built_in_economy(tmp_path: Path) -> None:
    imported, built_in = import_raw(2011, tmp_path).economy, load_economy("world-2011")
    assert (imported.regions, imported.sectors) == (built_in.regions, built_in.sectors)
    np.testing.assert_allclose(imported.transactions, built_in.transactions, rtol=TIGHT)
    np.testing.assert_allclose(imported.final_demand, built_in.final_demand, rtol=TIGHT)
    np.testing.assert_allclose(imported.emissions, built_in.emissions, rtol=TIGHT)


@pytest.mark.raw
@needs_raw
def test_what_came_in_from_2009_is_told_and_runs(tmp_path: Path) -> None:
    imported = import_raw(2009, tmp_path)
    assert imported.clipped.flows == 5
    assert imported.clipped.musd == 12_147.0
    assert imported.clipped.cell == "JPN-MIN"
    assert imported.balance.output_gap is not None
    assert imported.balance.output_gap < 1e-4
    assert imported.emissions.cells.sum() == pytest.approx(28_108.63, abs=0.01)
    assert imported.emissions.households == pytest.approx(3_962.58, abs=0.01)
    scenario = load("law", [f"economy={imported.folder}", "firms.number=1000", "years=2"])
    summary = simulate.simulate(scenario, robust=False).summary
    assert summary["n_firms"] == 1000
    assert np.isfinite(summary["leakage_rate"])
