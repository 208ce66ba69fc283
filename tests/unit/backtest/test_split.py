"""The split between calibration and forecast: nothing later is read before the model is held against it."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from carbonray.backtest import calibrate as calibration
from carbonray.backtest.calibrate import calibrate
from carbonray.backtest.record import SPLIT, Record, load_record
from carbonray.data import DataError, load_economy

FIRMS = 720
FRAMES = ("gdp", "real_gdp", "co2", "power_co2", "deflator", "usd_per_euro", "allowance")


@pytest.fixture(scope="module")
def record() -> Record:
    return load_record()


def spoiled(record: Record, seed: int = 1) -> Record:
    """The record with nonsense in every figure after the split, NaN in some."""
    rng = np.random.default_rng(seed)

    def spoil(table: pd.DataFrame | pd.Series) -> pd.DataFrame | pd.Series:
        table = table.astype(float).copy()
        later = table.index > SPLIT
        table.loc[later] = rng.uniform(-1e6, 1e6, table.loc[later].shape)
        table.iloc[-1] = np.nan
        return table

    series = tuple(
        replace(
            one,
            observed={year: value if year <= SPLIT else float(rng.normal()) for year, value in one.observed.items()},
        )
        for one in record.series
    )
    return replace(record, series=series, **{name: spoil(getattr(record, name)) for name in FRAMES})


def test_a_cut_record_holds_nothing_later(record: Record) -> None:
    early = record.until(SPLIT)
    assert all(getattr(early, name).index.max() <= SPLIT for name in FRAMES if len(getattr(early, name)))
    assert all(year <= SPLIT for one in early.series for year in one.observed)
    assert early.allowance.empty
    named = {field.name for field in fields(Record)}
    assert named == {*FRAMES, "series", "skipped"}  # a new field must be cut too


def test_a_cut_record_does_not_depend_on_what_came_later(record: Record) -> None:
    early, other = record.until(SPLIT), spoiled(record).until(SPLIT)
    for name in FRAMES:
        left, right = getattr(early, name), getattr(other, name)
        assert np.array_equal(left.to_numpy(dtype=float), right.to_numpy(dtype=float), equal_nan=True), name
    assert early.series == other.series


def test_calibration_refuses_a_record_that_goes_on(record: Record) -> None:
    with pytest.raises(ValueError, match="may not read beyond 2004"):
        calibrate(record, load_economy("history-1995"), firms=FIRMS)
    frames = {name: getattr(record.until(SPLIT), name) for name in FRAMES}
    with pytest.raises(ValueError, match="may not read beyond 2004"):
        calibrate(replace(record, **frames), load_economy("history-1995"), firms=FIRMS)


@pytest.mark.slow
def test_calibration_is_the_same_whatever_came_later(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "POINTS", 3)
    monkeypatch.setattr(calibration, "ROUNDS", 1)
    economy = load_economy("history-1995")
    true, false = (calibrate(each.until(SPLIT), economy, firms=FIRMS) for each in (record, spoiled(record)))
    assert true == false
    assert true.error < true.error_still


def test_a_raw_folder_without_the_series_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"backtest_eu27_annual_1990_2025.csv: file is missing; leave --raw out"):
        load_record(tmp_path)


def test_without_raw_tables_the_row_that_needs_them_is_named(record: Record) -> None:
    assert set(record.skipped) == {"production steel"}
    assert "--raw" in record.skipped["production steel"]
