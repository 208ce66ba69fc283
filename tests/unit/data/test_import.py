"""A user's foreign table: each wrong input is one line that names file, code or cell, and nothing is written."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from carbonray.data import DataError, ImportRequest, check, import_table, load_economy
from carbonray.data.catalogue import sha256
from carbonray.data.import_formats import load_pymrio
from carbonray.data.import_summary import summary

EXACT = 1e-12


def test_an_imported_folder_loads_and_holds_the_sums(case: Any) -> None:
    imported = case.run()
    economy = load_economy(case.folder / "mine_2009")
    check(case.folder / "mine_2009")
    assert (economy.regions, economy.sectors, economy.year) == (("PAC", "EU26"), ("MET", "SRV"), 2009)
    pacific_metals = [0, 4]  # AUS-c1, USA-c1
    assert economy.output[0] == pytest.approx(case.table["x"][pacific_metals].sum(), rel=EXACT)
    assert economy.transactions[0, 3] == pytest.approx(case.table["Z"][pacific_metals, 3].sum(), rel=EXACT)
    assert economy.final_demand[0, 1] == pytest.approx(case.table["F"][pacific_metals][:, 2:4].sum(), rel=EXACT)
    np.testing.assert_allclose(economy.emissions, [4, 6, 2, 3], rtol=EXACT)
    assert imported.clipped.flows == 0
    text = summary(imported)
    assert "2 of 3 codes: PAC EU26" in text
    command = f"next: carbonray simulate law --set economy={case.folder / 'mine_2009'} --set 'partners.price={{}}'"
    assert text.splitlines()[-1] == command


def test_the_same_import_gives_the_same_bytes_and_no_path_of_this_machine(case: Any) -> None:
    for name in ("a_2009", "b_2009"):
        case.run(out=name)
    for file in ("cells.parquet", "transactions.parquet", "final_demand.parquet", "datapackage.json"):
        first, second = ((case.folder / name / file).read_bytes() for name in ("a_2009", "b_2009"))
        assert first == second
    package = json.loads((case.folder / "a_2009" / "datapackage.json").read_text(encoding="utf-8"))
    assert str(case.folder) not in json.dumps(package)
    origin = package["import"]
    assert origin["format"] == "wiod"
    assert origin["pymrio"] == load_pymrio().__version__
    assert origin["files"][0]["file"] == "wiot2013_2009.npz"
    assert origin["files"][0]["hash"] == f"sha256:{sha256(case.folder / 'raw' / 'wiot2013_2009.npz')}"
    assert [entry["file"] for entry in origin["maps"]] == ["regions.csv", "sectors.csv"]
    for entry in package["resources"]:
        assert entry["hash"] == f"sha256:{sha256(case.folder / 'a_2009' / entry['path'])}"


def spoil(name: str, place: tuple[int, ...], value: float) -> Callable[[dict[str, Any]], None]:
    def change(table: dict[str, Any]) -> None:
        table[name][place] = value

    return change


TABLES = {
    "a flow that is NaN": (
        spoil("Z", (1, 4), np.nan), "raw: flow AUS-c2 -> USA-c1 is nan; every figure must be a finite number",
    ),
    "final demand that is infinite": (
        spoil("F", (2, 5), np.inf), "raw: final demand ROU-c1 -> USA is inf; every figure must be a finite number",
    ),
    "a large negative flow": (
        spoil("Z", (3, 0), -40.0),
        "raw: negative entries of intermediate use are 23.56% of the positive ones, the worst "
        "ROU-c2 -> AUS-c1 with -40; at most 1% is taken for inventories and clipped",
    ),
    "inventories beyond all sales": (
        spoil("F", (3, 3), -400.0),
        "raw: negative entries of final demand are 29.48% of the positive ones, the worst ROU-c2 -> ROU with -362.192; "
        "at most 1% is taken for inventories and clipped",
    ),
    "output that is not the row sum": (
        spoil("x", (4,), 300.0),
        "raw: USA-c1: stated output 300 is off its row sum 235.01 by 21.66% of output; "
        "the table must balance within 0.001",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_a_wrong_table_is_refused_and_the_worst_is_named(case: Any, name: str) -> None:
    change, message = TABLES[name]
    change(case.table)
    case.refused(message)


def test_a_gap_below_a_thousandth_is_taken_and_told(case: Any) -> None:
    case.table["x"][2] *= 1.0009
    gap = case.run().balance.output_gap
    assert gap == pytest.approx(0.0009 / 1.0009, rel=1e-6)


def test_whole_numbers_may_be_off_by_half_a_unit_a_flow(case: Any) -> None:
    exact = case.table
    case.table = {"Z": np.rint(exact["Z"]), "F": np.rint(exact["F"]), "x": np.rint(exact["x"])}
    assert np.abs(case.table["Z"].sum(1) + case.table["F"].sum(1) - case.table["x"]).max() > 1e-3 * exact["x"].max()
    assert case.run().economy.output.sum() == case.table["Z"].sum() + case.table["F"].sum()
    case.table["x"][1] += 40.0
    with pytest.raises(DataError, match=r"^raw: AUS-c2: stated output"):
        case.run(out="other_2009")


def test_small_inventories_are_netted_and_clipped_and_counted(case: Any) -> None:
    case.table["F"][0, 2] = 0.0
    case.table["F"][4, 2] = 0.0
    case.table["F"][0, 3] = -1.0  # sold from stock to ROU; nothing else of the cell is sold there
    case.table["F"][4, 3] = -0.5
    case.table["x"] = case.table["Z"].sum(1) + case.table["F"].sum(1)
    imported = case.run()
    assert imported.clipped.flows == 1
    assert imported.clipped.musd == pytest.approx(1.5)
    assert imported.clipped.cell == "PAC-MET"
    assert "1 negative flows of 2 million USD together, most in PAC-MET" in summary(imported)
    economy = load_economy(case.folder / "mine_2009")
    assert economy.final_demand.min() >= 0
    assert economy.output[0] == pytest.approx(case.table["x"][[0, 4]].sum() + 1.5, rel=EXACT)


CO2 = {
    "a cell without a row": (
        "region,sector,mt_co2\nEU26,MET,1\nEU26,SRV,1\nPAC,MET,1\n",
        "{}/co2.csv: PAC-SRV has no row; write 0 where nothing is emitted",
    ),
    "an unknown region": (
        "region,sector,mt_co2\nEU26,MET,1\nMOON,SRV,1\n",
        "{}/co2.csv: line 3: region 'MOON' is neither in {}/regions.csv nor a region of the economy; add it to the map",
    ),
    "a negative emission": (
        "region,sector,mt_co2\nEU26,MET,-1\n",
        "{}/co2.csv: line 2 (EU26-MET): mt_co2 is '-1'; every emission must be a finite number >= 0",
    ),
    "an emission that is no number": (
        "region,sector,t_co2\nEU26,MET,many\n",
        "{}/co2.csv: line 2 (EU26-MET): t_co2 is 'many'; every emission must be a finite number >= 0",
    ),
    "a cell twice": (
        "region,sector,t_co2\nEU26,MET,1\nEU26,MET,2\n", "{}/co2.csv: line 3: EU26-MET comes twice; give one row each",
    ),
    "no unit": (
        "region,sector,value\nEU26,MET,1\n",
        "{}/co2.csv: line 1: needs the columns region, sector and one of mt_co2, kt_co2, gg_co2, t_co2, kg_co2; "
        "found region, sector, value",
    ),
    "another year": (
        "region,sector,year,mt_co2\nEU26,MET,2010,1\n", "{}/co2.csv: has no rows of 2009, the table's base year",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CO2)
def test_a_wrong_file_of_emissions_is_refused_by_line(case: Any, name: str) -> None:
    text, message = CO2[name]
    case.write("co2.csv", text)
    case.refused(message.replace("{}", case.folder.name))


def test_emissions_may_name_regions_of_the_economy_years_and_households(case: Any) -> None:
    rows = [f"{r},{s},{y},{y - 2000}" for y in (2009, 2010) for r in ("PAC", "EU26") for s in ("MET", "SRV", "FC_HH")]
    case.write("co2.csv", "country,sector,year,gg_co2\n" + "\n".join(rows) + "\n")
    emissions = case.run().emissions
    np.testing.assert_allclose(emissions.cells, 0.009, rtol=EXACT)
    assert emissions.households == pytest.approx(0.018)


def test_codes_of_the_emissions_alone_may_be_mapped_too(case: Any) -> None:
    case.write("regions.csv", case.regions + "CHE,EU26\n")
    case.write("co2.csv", case.emissions + "CHE,c1,7000\n")
    assert case.run().economy.emissions[2] == pytest.approx(2 + 7)


REQUESTS = {
    "unknown format": (
        {"format": "gtap"}, "--format gtap: unknown format; choose from pymrio, wiod, exiobase3, oecd, eora26",
    ),
    "no such path": (
        {"path": Path("nowhere")},
        "nowhere: no such file or folder; wiod is wiotYY_*.xlsx of the release of November 2013, "
        "or wiot2013_YYYY.npz beside its labels",
    ),
    "a year that is not there": ({"year": 2010}, "raw: has no table of 2010; there are 2009"),
    "no rate": ({"rate": 0.0}, "--rate 0: must be a finite number > 0, million USD per unit of the table"),
    "another way of value added": ({"value_added": "none"}, "--value-added none: choose from stated, residual"),
    "no emissions": (
        {"emissions": ()},
        "raw: no account of CO2 is known; give --emissions NAME or a CSV file (region,sector,mt_co2); "
        "there are: no accounts",
    ),
    "no file of emissions": (
        {"emissions": ("none.csv",)},
        "none.csv: file is missing; --emissions takes a CSV file or the name of an account",
    ),
    "a folder without its year": (
        {"out": "mine"}, "mine: a table's folder must have its base year in its name, as mine_2011 has",
    ),
    "a folder of another year": ({"out": "mine_2011"}, "--out: says 2011, raw says 2009; a table has one base year"),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_a_wrong_request_is_refused(case: Any, name: str) -> None:
    changes, message = REQUESTS[name]
    case.refused(message, **changes)


def test_a_folder_in_the_way_is_left_alone(case: Any) -> None:
    (case.folder / "mine_2009").mkdir()
    (case.folder / "mine_2009" / "notes.txt").touch()
    with pytest.raises(DataError, match=r"mine_2009: exists already; give a new name with --out$"):
        case.run()
    assert [path.name for path in (case.folder / "mine_2009").iterdir()] == ["notes.txt"]


def test_money_of_another_currency_needs_a_rate(case: Any) -> None:
    economy = case.run().economy
    doubled = case.run(out="doubled_2009", rate=2.0).economy
    np.testing.assert_allclose(doubled.output, 2 * economy.output, rtol=EXACT)
    np.testing.assert_array_equal(doubled.emissions, economy.emissions)


def test_without_pymrio_the_refusal_names_the_extra(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pymrio", None)
    case.run()  # arrays need none
    with pytest.raises(
        DataError, match=r"^pymrio: is not installed, .*; install it with pip install 'carbonray\[mrio\]'$"
    ):
        import_table(
            ImportRequest(path=case.folder / "regions.csv", format="oecd", year=2009),
            regions=case.folder / "regions.csv", sectors=case.folder / "sectors.csv",
        )  # fmt: skip


def test_every_region_needs_every_sector(case: Any) -> None:
    case.save()
    labels = pd.DataFrame([*case.cells[:5], ("USA", "c1b")], columns=["country", "industry"])
    labels.to_csv(case.folder / "raw" / "wiot2013_labels.csv.gz", index=False)
    case.write("regions.csv", "code,region\nAUS,PAC\nROM,EU26\nUSA,USA\n")
    case.write("sectors.csv", case.sectors + "c1b,MET\n")
    with pytest.raises(
        DataError, match=r"^raw: USA-SRV gets no row of the table by the maps; every region needs every sector$"
    ):
        import_table(
            replace(case.request, path=case.folder / "raw"), regions=case.folder / "regions.csv",
            sectors=case.folder / "sectors.csv", out=case.folder / "mine_2009",
        )  # fmt: skip


@pytest.mark.parametrize("spoilt", [b"PK no arrays", b"PK\x03\x04 no archive"])
def test_arrays_that_do_not_fit_their_labels_are_refused(case: Any, spoilt: bytes) -> None:
    case.table["F"] = case.table["F"][:, :5]
    with pytest.raises(
        DataError, match=r"^raw/wiot2013_2009.npz: Z, F, x have shapes \(6, 6\), \(6, 5\), \(6,\); the labels name 6"
    ):
        case.run()
    (case.folder / "raw" / "wiot2013_2009.npz").write_bytes(spoilt)
    with pytest.raises(DataError, match=r"^raw/wiot2013_2009.npz: is no file of arrays Z, F and x"):
        import_table(case.request, regions=case.folder / "regions.csv", sectors=case.folder / "sectors.csv")


def test_a_cell_that_buys_more_than_it_makes_is_refused_by_name(case: Any) -> None:
    case.table["Z"][:, 2] += 900.0  # every cell sells to ROU-c1, which makes no more
    case.table["x"] = case.table["Z"].sum(1) + case.table["F"].sum(1)
    with pytest.raises(
        DataError, match=r"^mine_2009/cells.parquet: row 2 \(EU26-MET\): buys more inputs than it makes"
    ):
        case.run()
    assert not list(case.folder.glob("*mine_2009*"))
