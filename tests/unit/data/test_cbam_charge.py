"""The legal charge per tonne against figures worked out by hand."""

import copy
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from carbonray.data import (
    DataError,
    benchmark_of,
    charge_per_tonne,
    default_values,
    load_benchmarks,
    load_defaults,
    load_prices,
    load_schedule,
)

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "data_hrc_charges.json"
TO_THE_EURO = 0.5
TIGHT = 1e-9


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return dict(json.loads(GOLDEN.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def schedule() -> pd.DataFrame:
    return load_schedule().set_index("year")


@pytest.fixture(scope="module")
def defaults() -> pd.DataFrame:
    return load_defaults()


def wrong_charges(golden: dict[str, Any], schedule: pd.DataFrame, defaults: pd.DataFrame) -> list[str]:
    """Every golden charge that the built tables and the formula do not give to the euro."""
    prices = load_prices().set_index("period")["eur_per_t"]
    benchmark = benchmark_of(load_benchmarks(), golden["cn_code"], route=golden["route"])
    wrong = []
    for country, expected in golden["origins"].items():
        (embedded,) = default_values(defaults, country, "72083700")["charged_t_per_t"].round(2)
        for year, charge in zip(golden["years"], expected["charges"], strict=True):
            found = charge_per_tonne(
                embedded=float(embedded),
                benchmark=benchmark,
                cbam_factor=float(schedule["cbam_factor"][year]),
                certificate_price=float(prices["2026-Q1"]),
                markup=float(schedule["markup_general"][year]),
            )
            if abs(found - charge) > TO_THE_EURO:
                wrong.append(f"{country} {year}: {found:.2f}, not {charge}")
    return wrong


def test_all_44_charges_on_hot_rolled_coil_to_the_euro(
    golden: dict[str, Any], schedule: pd.DataFrame, defaults: pd.DataFrame
) -> None:
    assert sum(len(origin["charges"]) for origin in golden["origins"].values()) == 44
    assert wrong_charges(golden, schedule, defaults) == []


def test_the_golden_check_can_fail(golden: dict[str, Any], schedule: pd.DataFrame, defaults: pd.DataFrame) -> None:
    changed = copy.deepcopy(golden)
    changed["origins"]["China"]["charges"][2] += 1
    assert [line[:10] for line in wrong_charges(changed, schedule, defaults)] == ["China 2030"]
    phase_in_of_emissions = schedule.assign(cbam_factor=1 - schedule["cbam_factor"])
    assert len(wrong_charges(golden, phase_in_of_emissions, defaults)) > 30


def test_built_default_values_benchmark_and_price_are_those_of_the_golden(
    golden: dict[str, Any], defaults: pd.DataFrame
) -> None:
    for country, expected in golden["origins"].items():
        rows = default_values(defaults, country, golden["cn_code"])
        assert rows["charged_t_per_t"].round(2).tolist() == [expected["default"]]
        assert rows["origin"].tolist() == ["country"]
    assert benchmark_of(load_benchmarks(), "7208", route="C") == golden["benchmark"]
    assert load_prices()["eur_per_t"].iloc[-1] == golden["certificate_price"]


def test_a_verified_mill_pays_without_markup(golden: dict[str, Any], schedule: pd.DataFrame) -> None:
    mill = golden["verified_mill"]
    for year, charge in zip(mill["years"], mill["charges"], strict=True):
        found = charge_per_tonne(
            embedded=mill["embedded"],
            benchmark=golden["benchmark"],
            cbam_factor=float(schedule["cbam_factor"][year]),
            certificate_price=golden["certificate_price"],
        )
        assert abs(found - charge) <= TO_THE_EURO


def test_price_paid_abroad_is_deducted_on_declared_emissions() -> None:
    # A mill of 2.0 t/t in 2030 that paid 10 EUR/t at home.  Certificates: 2.0 - 0.515 * 1.370 = 1.29445 t; at 75.36 EUR
    # these cost 97.549752 EUR; abroad it paid 10 * 2.0 = 20 EUR; 77.549752 EUR remain.
    terms = {"embedded": 2.0, "benchmark": 1.37, "cbam_factor": 0.515, "certificate_price": 75.36}
    assert charge_per_tonne(**terms, price_paid_abroad=10.0) == pytest.approx(77.549752, abs=TIGHT)
    # With a default value marked up by 30 % the certificates rise to 1.89445 t (142.765752 EUR), the deduction not.
    assert charge_per_tonne(**terms, markup=0.3, price_paid_abroad=10.0) == pytest.approx(122.765752, abs=TIGHT)


def test_nothing_is_paid_back() -> None:
    terms = {"benchmark": 1.37, "cbam_factor": 0.975, "certificate_price": 75.36}
    assert charge_per_tonne(embedded=1.0, **terms) == 0.0
    assert charge_per_tonne(embedded=1.4, price_paid_abroad=90.0, **terms) == 0.0


def test_correction_factor_lowers_the_deduction() -> None:
    terms = {"embedded": 2.0, "benchmark": 1.0, "cbam_factor": 1.0, "certificate_price": 100.0}
    assert charge_per_tonne(**terms) == pytest.approx(100.0, abs=TIGHT)
    assert charge_per_tonne(**terms, cscf=0.9) == pytest.approx(110.0, abs=TIGHT)


def test_look_ups_take_the_narrowest_line_and_then_other_countries(defaults: pd.DataFrame) -> None:
    assert default_values(defaults, "China", "31021019")["cn_code"].tolist() == ["31021019"]
    white_and_grey = default_values(defaults, "China", "25231000")["good"]
    assert sorted(white_and_grey) == ["Grey clinker", "White clinker"]
    unlisted = default_values(defaults, "Atlantis", "72083700")
    assert unlisted["country"].tolist() == ["Other countries and territories"]
    with pytest.raises(DataError, match="no line covers CN 99999999"):
        default_values(defaults, "China", "99999999")
    with pytest.raises(DataError, match=r"CN 72, route 'C', variant '' has \d+ benchmarks"):
        benchmark_of(load_benchmarks(), "72", route="C")
