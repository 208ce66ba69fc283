"""Lists of plants: the built-in one, and a user's, whose every row is checked."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from carbonray.data import DataError, load_table
from carbonray.data.build_plants import build_plants
from carbonray.data.placing import place
from carbonray.data.plants import load_plants, plants_template, sectors_of_codes
from carbonray.worlds.cbam import Economy

RAW = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
EXACT = 1e-12
GOOD = {
    "plant_id": "A1",
    "name": "Testville works",
    "company": "Testville AG",
    "region": "EU26",
    "cn_code": "72083900",
    "emissions_t": "1000",
    "free_allocation_t": "900",
}


def written(folder: Path, *rows: dict[str, str]) -> Path:
    """A list of a first good plant and further ones with some values changed."""
    path = folder / "mine.csv"
    others = [{**GOOD, "plant_id": f"B{number}", **row} for number, row in enumerate(rows)]
    pd.DataFrame([GOOD, *others]).to_csv(path, index=False)
    return path


REFUSALS = {
    "duplicate plant": ({"plant_id": "A1"}, r"row 1 \(A1\): repeats row 0; plant_id must be unique"),
    "negative emission": ({"emissions_t": "-1"}, r"row 1 \(B0\): emissions_t is -1; .* finite number >= 0"),
    "negative allocation": ({"free_allocation_t": "-0.5"}, r"row 1 \(B0\): free_allocation_t is -0.5;"),
    "no number": ({"emissions_t": "lots"}, r"row 1 \(B0\): emissions_t is lots; .* finite number"),
    "infinite": ({"emissions_t": "inf"}, r"row 1 \(B0\): emissions_t is inf;"),
    "empty number": ({"free_allocation_t": ""}, r"row 1 \(B0\): free_allocation_t is empty;"),
    "unknown CN code": ({"cn_code": "87032100"}, r"row 1 \(B0\): cn_code 87032100 is unknown;"),
    "CN code too short": ({"cn_code": "72"}, r"row 1 \(B0\): cn_code 72 is unknown;"),
    "neither sector nor code": ({"cn_code": ""}, r"row 1 \(B0\): needs a sector or a cn_code"),
    "empty name": ({"name": "  "}, r"row 1 \(B0\): name is empty;"),
    "empty plant": ({"plant_id": ""}, r"row 1 \(\): plant_id is empty;"),
    "no size": ({"emissions_t": "0"}, r"row 1 \(B0\): emissions_t is 0; .* needs output_t"),
}


@pytest.mark.parametrize("kind", sorted(REFUSALS))
def test_a_bad_row_is_refused_by_file_row_and_rule(tmp_path: Path, kind: str) -> None:
    change, words = REFUSALS[kind]
    with pytest.raises(DataError, match=r"^mine\.csv: " + words):
        load_plants(written(tmp_path, change))


def test_a_sector_that_does_not_make_the_good_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    pd.DataFrame([{**GOOD, "sector": "CEM"}]).to_csv(path, index=False)
    with pytest.raises(DataError, match=r"sector CEM does not make cn_code 72083900, which is STL"):
        load_plants(path)


def test_a_missing_file_column_or_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^absent\.csv: no such file"):
        load_plants(tmp_path / "absent.csv")
    for name in ("name", "emissions_t", "cn_code"):
        path = tmp_path / f"without_{name}.csv"
        pd.DataFrame([GOOD]).drop(columns=name).to_csv(path, index=False)
        with pytest.raises(DataError, match=rf"^without_{name}\.csv: column .*{name} is missing"):
            load_plants(path)
    empty = tmp_path / "empty.csv"
    pd.DataFrame([GOOD]).iloc[:0].to_csv(empty, index=False)
    with pytest.raises(DataError, match=r"^empty\.csv: has no rows"):
        load_plants(empty)
    (tmp_path / "odd.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"^odd\.parquet: is not a readable Parquet file"):
        load_plants(tmp_path / "odd.parquet")


def test_a_plant_that_emits_more_than_its_cell_is_refused(tmp_path: Path, world_2011: Economy) -> None:
    path = tmp_path / "huge.csv"
    pd.DataFrame([{**GOOD, "emissions_t": 5e9}]).to_csv(path, index=False)
    with pytest.raises(DataError, match=r"huge\.csv: .*emissions_t is 5,000\.0 Mt; all of EU26-MET emits"):
        place(load_plants(path), world_2011)


def test_the_template_is_a_list_that_loads(tmp_path: Path) -> None:
    path = tmp_path / "plants.csv"
    path.write_text(plants_template(), encoding="utf-8")
    table = load_plants(path).table
    assert table["sector"].tolist() == ["STL", "STL", "CEM", "FER", "REF"]
    assert table["output_t"].notna().sum() == 2
    frame = pd.read_csv(io.StringIO(plants_template()), dtype={"cn_code": str})
    frame.to_parquet(tmp_path / "plants.parquet")
    pd.testing.assert_frame_equal(load_plants(tmp_path / "plants.parquet").table, table)


@pytest.mark.parametrize(
    ("code", "sector"),
    [("72083900", "STL"), ("7601", "ALU"), ("252310", "CEM"), ("28141000", "FER"), ("280410", "FER"), ("3102", "FER")],
)
def test_the_sector_of_a_good_is_that_of_the_law(code: str, sector: str) -> None:
    assert sectors_of_codes()[code] == sector


def test_the_built_in_list_is_the_open_plants_of_the_union() -> None:
    table = load_plants().table
    pd.testing.assert_frame_equal(table, load_plants("eu").table)
    assert len(table) == 819
    assert set(table["region"]) == {"EU26"}
    assert len(load_plants("eu-gbr").table) == 867
    assert (table["emissions_t"] > 0).all()


def test_shipped_figures_are_those_of_the_registry() -> None:
    # Sums of 2019 over the registries of EU26 and GBR, from the table by country, sector and year of SOURCES.
    years = load_table("plants-compliance").merge(load_table("plants")[["plant_id", "sector"]], on="plant_id")
    total = years[years["year"] == 2019].groupby("sector")[["emissions_t", "free_allocation_t"]].sum() / 1e6
    # Accounts that never reported emissions are left out, and 2.3 Mt of steel's and 0.2 of fertilisers' allocation.
    emissions = {"ALU": 6.123, "CEM": 118.660, "FER": 22.929 + 8.897, "REF": 120.131, "STL": 126.261}
    allocation = {"ALU": 5.144, "CEM": 115.650, "FER": 26.739, "REF": 83.209, "STL": 145.948}
    assert total["emissions_t"].to_dict() == pytest.approx(emissions, abs=0.0011)
    assert total["free_allocation_t"].to_dict() == pytest.approx(allocation, abs=0.0011)


@pytest.mark.raw
@pytest.mark.skipif(not RAW.is_dir(), reason="raw tables (../shared/data) are absent")
def test_the_raw_registry_gives_the_shipped_tables() -> None:
    frames, facts = build_plants(RAW)
    for name, frame in frames.items():
        shipped = load_table(name)
        built = frame[list(shipped.columns)].astype(shipped.dtypes.to_dict())
        pd.testing.assert_frame_equal(built.reset_index(drop=True), shipped, rtol=EXACT)
    # The names withheld were read one by one: persons', an administrator's, and firms known by a family name alone.
    assert facts["plants_holders_withheld"] == 11
    assert facts["plants_renamed"] == 3
    assert facts["plants_without_company"] == (load_table("plants")["company"] == "").sum() == 6


def test_a_reference_figure_is_the_mean_of_the_last_three_observed_years() -> None:
    plants, years = load_table("plants").set_index("plant_id"), load_table("plants-compliance")
    still = plants[plants["status"] == "open"]
    for plant in still.index[:: len(still) // 20]:
        seen = years[(years["plant_id"] == plant) & (years["year"] >= still.loc[plant, "first_year"])]
        seen = seen.dropna(subset=["emissions_t"]).tail(3)
        assert still.loc[plant, "emissions_t"] == pytest.approx(seen["emissions_t"].mean(), abs=0.06)
        assert still.loc[plant, "free_allocation_t"] == pytest.approx(
            seen["free_allocation_t"].fillna(0).mean(), abs=0.06
        )
    assert plants.loc[plants["status"] == "closed", "emissions_t"].isna().all()
    assert np.isfinite(still["emissions_t"]).all()
