"""The builder: refusals, the fitted tail, and rebuilding from the raw tables."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from carbonray.data import DataError, build, build_economy, datasets_folder, list_datasets, load_table
from carbonray.data.build import RAW_FILES, refuse_occupied
from carbonray.data.build_installations import fit_pareto_tail, rank_size_exponent, top_share
from carbonray.data.build_policy import realign
from carbonray.data.resources import RESOURCES

RAW = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
needs_raw = pytest.mark.skipif(not RAW.is_dir(), reason="raw tables (../shared/data) are absent")
EXACT = 1e-12


def test_a_missing_raw_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^raw/wiod/wiot2013_2011.npz: raw file is missing"):
        build(tmp_path / "raw", tmp_path / "out")
    for file in RAW_FILES[:-1]:
        (tmp_path / "raw" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / file).touch()
    with pytest.raises(DataError, match=r"^raw/euets/eutl_compliance_2005_2022.parquet: raw file is missing"):
        build(tmp_path / "raw", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_occupied_folder_is_refused(tmp_path: Path) -> None:
    out = Path(shutil.copytree(datasets_folder(), tmp_path / "out"))
    with pytest.raises(DataError, match=r"^out: folder is not empty; give another folder or ask to replace it$"):
        refuse_occupied(out, replace=False)
    refuse_occupied(out, replace=True)
    (out / "notes.txt").touch()
    with pytest.raises(DataError, match=r"^out/notes.txt: was not written by a build; move it away$"):
        refuse_occupied(out, replace=True)
    with pytest.raises(DataError, match=r"^notes.txt: is a file"):
        refuse_occupied(out / "notes.txt", replace=True)
    refuse_occupied(tmp_path / "absent", replace=False)


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path) -> None:
    for file in RAW_FILES:
        (tmp_path / "raw" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / file).touch()
    with pytest.raises(Exception, match=r".+"):  # empty files: whichever reader meets them first
        build(tmp_path / "raw", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_the_tail_exponent_of_exact_pareto_quantiles_is_found() -> None:
    # Quantiles of a Pareto law of exponent 1.06 (Axtell 2001) above 100, below them a uniform body.
    ranks = (np.arange(2000) + 0.5) / 2000
    tail = 100.0 * ranks ** (-1 / 1.06)
    sizes = np.concatenate([np.linspace(1.0, 99.0, 500), tail])
    fit = fit_pareto_tail(sizes)
    assert fit.exponent == pytest.approx(1.06, abs=0.02)
    assert fit.minimum == pytest.approx(100.0, rel=0.05)
    assert fit.error == pytest.approx(1.06 / np.sqrt(2000), rel=0.05)
    assert rank_size_exponent(sizes, fit.minimum) == pytest.approx(1.06, abs=0.02)


def test_share_of_the_largest_counts_at_least_one() -> None:
    assert top_share(np.array([1.0, 2.0, 3.0, 4.0]), 1) == pytest.approx(0.4, rel=EXACT)
    assert top_share(np.ones(200), 5) == pytest.approx(0.05, rel=EXACT)


def test_only_a_row_shifted_by_three_columns_is_moved_back() -> None:
    empty = np.nan
    columns = ["direct", "indirect", "total", "dv_2026", "dv_2027", "dv_2028"]
    rows = [(empty, empty, empty, 1.23, 0.14, 1.37), (empty,) * 6, (1.0, 0.1, 1.1, 1.21, 1.32, 1.43)]
    table: Any
    table, shifted = realign(pd.DataFrame(rows, columns=columns))
    assert shifted.tolist() == [True, False, False]
    assert table.loc[0, ["direct", "indirect", "total"]].tolist() == [1.23, 0.14, 1.37]
    assert table.loc[2].tolist() == list(rows[2])


def test_negatives_are_clipped_and_counted() -> None:
    clipped, number, amount = build_economy.clip_negatives(np.array([[1.0, -2.0], [-0.5, 0.0]]))
    assert clipped.tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert (number, amount) == (2, 2.5)


@pytest.mark.slow
@pytest.mark.raw
@needs_raw
def test_the_same_raw_tables_give_the_same_bytes_and_the_shipped_figures(tmp_path: Path) -> None:
    build(RAW, tmp_path / "first")
    (tmp_path / "second").mkdir()
    build(RAW, tmp_path / "second")
    build(RAW, tmp_path / "second", replace=True)
    files = sorted(path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*") if path.is_file())
    assert len(files) == len(RESOURCES) + 1
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()
    for name in list_datasets()["name"]:
        pd.testing.assert_frame_equal(load_table(name, tmp_path / "first"), load_table(name), rtol=1e-9)


@pytest.mark.raw
@needs_raw
def test_aggregation_equals_an_independent_one() -> None:
    grouping = build_economy.read_grouping(RAW)
    transactions, final_demand = build_economy.aggregate(RAW, grouping)
    index = pd.MultiIndex.from_product([grouping.regions["region"], grouping.sectors["sector"]])
    other = pd.read_parquet(RAW / "wiod" / "wiod2013_agg12_Z.parquet").query("year == 2011")
    other = other.pivot_table(
        index=["from_region", "from_sector"], columns=["to_region", "to_sector"], values="musd", aggfunc="sum"
    )
    np.testing.assert_array_equal(transactions, other.reindex(index=index, columns=index).fillna(0.0))
    other = pd.read_parquet(RAW / "wiod" / "wiod2013_agg12_F.parquet").query("year == 2011")
    other = other.pivot_table(index=["from_region", "from_sector"], columns="to_region", values="musd", aggfunc="sum")
    np.testing.assert_array_equal(
        final_demand, other.reindex(index=index, columns=grouping.regions["region"]).fillna(0.0)
    )


@pytest.mark.raw
@needs_raw
def test_emissions_equal_an_independent_aggregation() -> None:
    grouping = build_economy.read_grouping(RAW)
    production, households = build_economy.emissions(RAW, grouping)
    other = build_economy.read_csv(RAW, "wiod/wiod_agg12_co2_2000_2016.csv").query("year == 2011")
    published = other.set_index(["region", "sector"])["mt_co2"].astype(float)
    half_a_digit = 5.1e-5  # the other table is rounded to four decimals
    np.testing.assert_allclose(production, published[production.index], rtol=0, atol=half_a_digit)
    published_households = published.xs("HH", level="sector")
    np.testing.assert_allclose(households, published_households[households.index], rtol=0, atol=half_a_digit)
