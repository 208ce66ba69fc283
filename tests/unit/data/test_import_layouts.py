"""Every format on a small synthetic file, generated here in the layout that pymrio's parser reads.

None of these tables is real: they prove that a layout is read, not what a publisher's figures are.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import openpyxl
import pandas as pd
import pytest

from carbonray.data import DataError, ImportRequest, import_table, load_economy, template
from carbonray.data.import_formats import load_pymrio
from carbonray.data.import_table import Imported

pytestmark = pytest.mark.slow  # the whole suite runs them; `make check` has a minute

TIGHT = 1e-9
COUNTRIES = ("AUS", "USA")
CATEGORIES = ("HFCE", "GFCF")
CARBON = np.array([4.0, 1.0, 9.0, 2.0])  # Mt by country and sector


class Synthetic:
    """A balanced table of two countries and two sectors, in whole millions."""

    def __init__(self, sectors: tuple[str, str], countries: tuple[str, str] = COUNTRIES) -> None:
        rng = np.random.default_rng(11)
        self.sectors, self.countries = sectors, countries
        self.cells = [(country, sector) for country in countries for sector in sectors]
        self.markets = [(country, category) for country in countries for category in CATEGORIES]
        self.flows = rng.integers(1, 40, (4, 4)).astype(float) + 0.25
        self.demand = rng.integers(60, 200, (4, 4)).astype(float) + 0.5
        self.output = self.flows.sum(1) + self.demand.sum(1)
        self.value_added = self.output - self.flows.sum(0)

    def run(self, folder: Path, format_name: str, path: Path, **changes: Any) -> Imported:
        """Import it country by country and sector by sector, so that nothing is summed."""
        codes = {"regions": ("region", self.countries), "sectors": ("sector", self.sectors)}
        maps = {}
        for kind, (column, names) in codes.items():
            maps[kind] = folder / f"{kind}.csv"
            rows = [f'"{name}",{column[0].upper()}{number}' for number, name in enumerate(names)]
            maps[kind].write_text("\n".join([f"code,{column}", *rows]) + "\n", encoding="utf-8")
        request = ImportRequest(path=path, format=format_name, **changes)
        return import_table(request, **maps, out=folder / "own_2015")

    def check(self, imported: Imported, *, rate: float = 1.0) -> None:
        economy = load_economy(imported.folder)
        np.testing.assert_allclose(economy.transactions, self.flows * rate, rtol=TIGHT)
        np.testing.assert_allclose(economy.final_demand, self.demand.reshape(4, 2, 2).sum(2) * rate, rtol=TIGHT)
        np.testing.assert_allclose(economy.value_added, self.value_added * rate, rtol=TIGHT)
        np.testing.assert_allclose(economy.emissions, CARBON, rtol=TIGHT)
        assert imported.clipped.flows == 0


# -- EXIOBASE 3 ---------------------------------------------------------------------------------------------------


def write_exiobase(folder: Path, table: Synthetic, extension: str = "satellite", unit: str = "M.EUR") -> Path:
    """Files as EXIOBASE 3 has them: a pymrio folder in M.EUR with CO2 in kg by kind of source."""
    pymrio = load_pymrio()
    rows = pd.MultiIndex.from_tuples(table.cells, names=["region", "sector"])
    columns = pd.MultiIndex.from_tuples(table.markets, names=["region", "category"])
    accounts = {
        "Value added": (table.value_added, unit),
        "CO2 - combustion - air": (0.75 * CARBON * 1e9, "kg"),
        "CO2 - non combustion - Cement production - air": (0.25 * CARBON * 1e9, "kg"),
        "CO2 - waste - biogenic - air": (7.0 * CARBON * 1e9, "kg"),
        "CO2 - agriculture - peat decay - air": (5.0 * CARBON * 1e9, "kg"),
        "CH4 - combustion - air": (CARBON * 1e9, "kg"),
    }
    index = pd.Index(list(accounts), name="stressor")
    household = pd.DataFrame(1e9, index=index, columns=columns)
    system = pymrio.IOSystem(
        Z=pd.DataFrame(table.flows, index=rows, columns=rows),
        Y=pd.DataFrame(table.demand, index=rows, columns=columns),
        x=pd.DataFrame({"indout": table.output}, index=rows),
        unit=pd.DataFrame({"unit": unit}, index=rows),
    )
    satellite = pymrio.Extension(
        extension,
        F=pd.DataFrame([figures for figures, _ in accounts.values()], index=index, columns=rows),
        F_Y=household,
        unit=pd.DataFrame({"unit": [name for _, name in accounts.values()]}, index=index),
    )
    setattr(system, extension, satellite)
    system.save_all(folder)
    return folder


PADDY = ("Cultivation of paddy rice", "Manufacture of basic iron and steel, and more")
TWO_LETTERS = ("AU", "US")


@pytest.mark.parametrize("extension", ["satellite", "air_emissions"])
def test_a_synthetic_exiobase3_takes_fossil_and_process_co2_and_needs_a_rate(tmp_path: Path, extension: str) -> None:
    table = Synthetic(PADDY, TWO_LETTERS)
    path = write_exiobase(tmp_path / "IOT_2015_ixi", table, extension)
    with pytest.raises(DataError, match=r"^IOT_2015_ixi: flows are in 'M\.EUR'; give --rate, the million USD that one"):
        table.run(tmp_path, "exiobase3", path)
    imported = table.run(tmp_path, "exiobase3", path, rate=1.11)
    table.check(imported, rate=1.11)
    assert imported.emissions.accounts == (
        f"{extension}: CO2 - combustion - air",
        f"{extension}: CO2 - non combustion - Cement production - air",
    )
    assert imported.emissions.households == pytest.approx(8.0)
    assert imported.value_added == ("stated" if extension == "satellite" else "residual")


def test_a_synthetic_exiobase3_takes_other_accounts_by_name(tmp_path: Path) -> None:
    table = Synthetic(PADDY, TWO_LETTERS)
    path = write_exiobase(tmp_path / "IOT_2015_ixi", table)
    names = ("CO2 - combustion - air", "*peat decay*")
    imported = table.run(tmp_path, "exiobase3", path, rate=1.0, emissions=names)
    np.testing.assert_allclose(imported.economy.emissions, 5.75 * CARBON, rtol=TIGHT)


def test_pickled_tables_are_not_opened(tmp_path: Path) -> None:
    table = Synthetic(PADDY, TWO_LETTERS)
    path = write_exiobase(tmp_path / "IOT_2015_ixi", table)
    (path / "Z.pkl").write_bytes(b"")
    with pytest.raises(DataError, match=r"^IOT_2015_ixi: Z\.pkl is a pickle, which may run a program; save as txt"):
        table.run(tmp_path, "exiobase3", path, rate=1.0)


def test_a_missing_figure_of_a_saved_table_is_named(tmp_path: Path) -> None:
    table = Synthetic(PADDY, TWO_LETTERS)
    table.flows[2, 1] = np.nan
    path = write_exiobase(tmp_path / "IOT_2015_ixi", table)
    with pytest.raises(
        DataError, match=r"^IOT_2015_ixi: flow US-Cultivation of paddy rice -> AU-Manufacture .* is nan"
    ):
        table.run(tmp_path, "exiobase3", path, rate=1.0)


def test_a_hybrid_table_is_refused_by_its_first_row_of_another_unit(tmp_path: Path) -> None:
    table = Synthetic(PADDY, TWO_LETTERS)
    path = write_exiobase(tmp_path / "IOT_2015_ixi", table)
    text = (path / "unit.txt").read_text(encoding="utf-8").splitlines()
    text[-1] = text[-1].replace("M.EUR", "TJ")
    (path / "unit.txt").write_text("\n".join(text) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"^IOT_2015_ixi: US-Manufacture .*: unit 'TJ' is not 'M\.EUR'; all flows must"):
        table.run(tmp_path, "exiobase3", path, rate=1.0)


# -- OECD ---------------------------------------------------------------------------------------------------------


def write_oecd(folder: Path, table: Synthetic, name: str = "ICIO2021_2015.csv") -> Path:
    """One CSV with flows, final demand, taxes, value added and totals."""
    rows = ["_".join(cell) for cell in table.cells]
    columns = rows + ["_".join(market) for market in table.markets]
    frame = pd.DataFrame(np.hstack([table.flows, table.demand]), index=rows, columns=columns)
    frame["TOTAL"] = table.output
    frame.loc["TLS"] = [*(0.25 * table.value_added), *np.zeros(4), 0.0]
    frame.loc["VALU"] = [*(0.75 * table.value_added), *np.zeros(4), 0.0]
    frame.loc["OUTPUT"] = [*table.output, *table.demand.sum(0), 0.0]
    folder.mkdir(exist_ok=True)
    frame.to_csv(folder / name, index_label="V1")
    return folder / name


def write_co2(folder: Path, table: Synthetic) -> Path:
    frame = pd.DataFrame(table.cells, columns=["region", "sector"]).assign(kt_co2=CARBON * 1000)
    frame.to_csv(folder / "co2.csv", index=False)
    return folder / "co2.csv"


def test_a_synthetic_oecd_table_is_read_with_a_file_of_emissions(tmp_path: Path) -> None:
    table = Synthetic(("01T02", "24"))
    path = write_oecd(tmp_path / "oecd", table)
    imported = table.run(tmp_path, "oecd", path, emissions=(str(write_co2(tmp_path, table)),))
    table.check(imported)
    assert imported.value_added == "stated"
    assert imported.balance.value_added_gap == pytest.approx(0.0, abs=1e-12)


def test_a_folder_of_synthetic_oecd_tables_asks_for_the_year(tmp_path: Path) -> None:
    table = Synthetic(("01T02", "24"))
    for year in (2014, 2015):
        path = write_oecd(tmp_path / "oecd", table, f"ICIO2021_{year}.csv")
    emissions = (str(write_co2(tmp_path, table)),)
    with pytest.raises(DataError, match=r"^oecd: holds tables of 2014, 2015; choose one with --year$"):
        table.run(tmp_path, "oecd", path.parent, emissions=emissions)
    table.check(table.run(tmp_path, "oecd", path.parent, emissions=emissions, year=2015))


def test_a_synthetic_oecd_table_without_emissions_says_that_a_file_is_needed(tmp_path: Path) -> None:
    table = Synthetic(("01T02", "24"))
    with pytest.raises(DataError, match=r"^ICIO2021_2015\.csv: no account of CO2 is known; give .* or a CSV file"):
        table.run(tmp_path, "oecd", write_oecd(tmp_path / "oecd", table))


def test_value_added_of_a_synthetic_oecd_table_that_is_off_is_refused_or_left(tmp_path: Path) -> None:
    table = Synthetic(("01T02", "24"))
    path = write_oecd(tmp_path / "oecd", table)
    frame = pd.read_csv(path, index_col=0)
    frame.loc["VALU", "USA_24"] *= 1.01
    frame.to_csv(path)
    emissions = (str(write_co2(tmp_path, table)),)
    with pytest.raises(
        DataError, match=r"^ICIO2021_2015\.csv: USA-24: inputs plus value added .* --value-added residual"
    ):
        table.run(tmp_path, "oecd", path, emissions=emissions)
    table.check(table.run(tmp_path, "oecd", path, emissions=emissions, value_added="residual"))


def test_empty_cells_that_the_parser_reads_as_zero_are_counted(tmp_path: Path) -> None:
    table = Synthetic(("01T02", "24"))
    table.flows[0, 1] = np.nan
    path = write_oecd(tmp_path / "oecd", table)
    imported = table.run(tmp_path, "oecd", path, emissions=(str(write_co2(tmp_path, table)),), value_added="residual")
    assert imported.notes[0].endswith("empty cells of the file were read as 0")


def test_the_codes_of_ones_own_table_are_listed_with_the_targets_that_are_known(tmp_path: Path) -> None:
    table = Synthetic(("01T02", "24"))
    request = ImportRequest(path=write_oecd(tmp_path / "oecd", table), format="oecd")
    regions = template("regions", table=request).splitlines()
    assert regions[1:] == ["code,region", "AUS,CAU", "USA,USA"]
    assert template("sectors", table=request).splitlines()[1:] == ["code,sector", "01T02,", "24,"]


# -- Eora26 -------------------------------------------------------------------------------------------------------


def write_eora(folder: Path, table: Synthetic) -> Path:
    """Tables and labels in thousand USD, separated by tabs, with the row and column of discrepancies (ROW)."""
    folder.mkdir()
    scale, stem = 1000.0, "Eora26_2015_bp"
    pad: Callable[[Any], Any] = lambda matrix: np.pad(matrix * scale, ((0, 1), (0, 1)))  # noqa: E731
    tables = {
        f"{stem}_T": pad(table.flows),
        f"{stem}_FD": pad(table.demand),
        f"{stem}_VA": np.append(table.value_added * scale, 0.0)[None, :],
        f"{stem}_Q": np.array([[*CARBON * 1000, 0.0], [1.0, 1.0, 1.0, 1.0, 0.0]]),
        f"{stem}_QY": np.ones((2, 5)),
    }
    rows = [*table.cells, ("ROW", "TOTAL")]
    columns = [*table.markets, ("ROW", "TOTAL")]
    labels = {
        "labels_T": [(country, country, "Industries", sector) for country, sector in rows],
        "labels_FD": [(country, country, "Final demand", category) for country, category in columns],
        "labels_VA": [("Primary Inputs", "Compensation of employees")],
        "labels_Q": [("CO2 emissions (Gg)", "Total"), ("Energy Usage (TJ)", "Coal")],
    }
    for name, content in {**tables, **labels}.items():
        pd.DataFrame(content).to_csv(folder / f"{name}.txt", sep="\t", header=False, index=False)
    return folder


@pytest.mark.parametrize("layout", ["folder", "zip", "zip with labels beside"])
def test_a_synthetic_eora26_is_read_in_thousands_and_gigagrams(tmp_path: Path, layout: str) -> None:
    table = Synthetic(("Agriculture", "Metal Products"))
    path = write_eora(tmp_path / "eora", table)
    if layout != "folder":
        path = zipped(path, apart=layout != "zip")
    imported = table.run(tmp_path, "eora26", path)
    table.check(imported)
    assert imported.money == "000 USD"
    assert imported.rate == 1e-3
    assert imported.emissions.accounts == ("Q: CO2 emissions - Total",)
    assert imported.value_added == "stated"
    assert any("Remove Rest of the World (ROW)" in note for note in imported.notes)


def zipped(folder: Path, *, apart: bool) -> Path:
    """The files in one zip file, the labels in `indices.zip` beside it if they are apart."""
    archive, indices = folder.parent / "Eora26_2015_bp.zip", folder.parent / "indices.zip"
    for file in sorted(folder.iterdir()):
        with ZipFile(indices if apart and file.name.startswith("labels") else archive, "a") as target:
            target.write(file, file.name)
    shutil.rmtree(folder)
    return archive


def test_a_synthetic_eora26_without_labels_is_refused_on_one_line(tmp_path: Path) -> None:
    table = Synthetic(("Agriculture", "Metal Products"))
    path = write_eora(tmp_path / "eora", table)
    (path / "labels_T.txt").unlink()
    with pytest.raises(
        DataError, match=r"^eora: pymrio cannot read it as eora26 \(FileNotFoundError: .*; eora26 is Eora26"
    ) as error:
        table.run(tmp_path, "eora26", path)
    assert "\n" not in str(error.value)


# -- WIOD 2013, spreadsheets --------------------------------------------------------------------------------------


def write_wiod(folder: Path, table: Synthetic) -> Path:
    """A sheet as the release of November 2013 has it, and the air emission accounts by country."""
    folder.mkdir()
    codes = {"c1": ("AtB", "Agriculture"), "c35": ("P", "Households")}
    head = [("HFCE", "c37"), ("GFCF", "c41")]
    sheet = openpyxl.Workbook()
    page = sheet.active
    top = [
        *((codes[c][0], codes[c][1], country, c) for country, c in table.cells),
        *((None, name, country, dict(head)[name]) for country, name in table.markets),
        (None, None, "TOT", "c49"),
    ]
    page.append(["World Input-Output Table, 2015"])
    page.append([""])
    for row, first in enumerate(("(industry-by-industry)", "(Millions of US$)", None, None)):
        page.append([first, None, None, None, *(column[row] for column in top)])
    for (country, code), flows, demand, output in zip(
        table.cells, table.flows, table.demand, table.output, strict=True
    ):
        page.append([codes[code][0], codes[code][1], country, code, *flows, *demand, output])
    for words, code, figures in (
        ("Total intermediate consumption", "r60", table.flows.sum(0)),
        ("taxes less subsidies on products", "r61", 0.1 * table.value_added),
        ("Value added at basic prices", "r64", 0.9 * table.value_added),
        ("Output at basic prices", "r69", table.output),
    ):
        page.append([None, words, "TOT", code, *figures, *np.zeros(len(table.markets)), figures.sum()])
    sheet.save(folder / "wiot15_row_sep12.xlsx")
    accounts = folder / "AIR_may12"
    accounts.mkdir()
    for number, country in enumerate(COUNTRIES):
        write_accounts(accounts / f"{country}_AIR_May12.xls", CARBON[2 * number : 2 * number + 2])
    return folder


def write_accounts(path: Path, carbon: Any) -> None:
    """Air emissions of one country, Gg of CO2 and t of CH4, a sheet per year."""
    sheet = openpyxl.Workbook()
    page = sheet.active
    page.title = "2015"
    page.append(["", "code", "CO2", "CH4"])
    for code, figure in (("secTOT", 99.0), ("secAtB", carbon[0]), ("secP", carbon[1]), ("FC_HH", 0.5), ("secQ", 0.0)):
        page.append(["name", code, figure * 1000, 1.0])
    with path.open("wb") as file:  # the parser wants .xls and reads either kind
        sheet.save(file)


@pytest.mark.parametrize("where", ["folder", "file"])
def test_synthetic_wiod_spreadsheets_are_read_with_their_air_emission_accounts(tmp_path: Path, where: str) -> None:
    table = Synthetic(("c1", "c35"))
    path = write_wiod(tmp_path / "wiod", table)
    imported = table.run(tmp_path, "wiod", path if where == "folder" else path / "wiot15_row_sep12.xlsx")
    table.check(imported)
    assert imported.emissions.accounts == ("AIR: CO2",)
    assert imported.emissions.households == pytest.approx(1.0)
    assert imported.value_added == "stated"
    assert imported.files[0].name == "wiot15_row_sep12.xlsx"
