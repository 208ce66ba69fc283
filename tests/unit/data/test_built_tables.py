"""The built tables against published totals."""

from typing import Any

import numpy as np
import pytest

from carbonray.data import (
    describe,
    load_benchmarks,
    load_defaults,
    load_economy,
    load_installations,
    load_partner_prices,
    load_prices,
    load_schedule,
    load_table,
)
from carbonray.worlds.cbam.economy import Economy

EXACT = 1e-12
ROUNDED = 0.005  # of a figure published to three digits


@pytest.fixture(scope="module")
def economy() -> Economy:
    return load_economy()


def net_imports(economy: Economy, regions: tuple[str, ...]) -> float:
    """Consumption-based less production CO2 of some regions, Mt (Leontief; households cancel)."""
    coefficients = economy.transactions / economy.output
    multipliers = np.linalg.solve(np.eye(len(economy.cells)) - coefficients.T, economy.emissions / economy.output)
    consumed = multipliers @ economy.final_demand
    produced = economy.emissions.reshape(len(economy.regions), -1).sum(1)
    members = [economy.regions.index(region) for region in regions]
    return float((consumed - produced)[members].sum())


def test_world_totals_of_2011(economy: Economy) -> None:
    assert (len(economy.regions), len(economy.sectors), economy.year) == (12, 12, 2011)
    assert economy.output.sum() == pytest.approx(141_716_365.0, rel=EXACT)  # 141.7 trillion USD
    assert economy.value_added.sum() == pytest.approx(69.3e6, rel=ROUNDED)  # world value added, 69.3 trillion USD
    households = load_table("world-2011-households")["mt_co2"].sum()
    assert economy.emissions.sum() + households == pytest.approx(35_013.384, abs=1e-3)  # JRC accounts, world 2011
    assert households == pytest.approx(4_074.485, abs=1e-3)


def test_national_totals_of_2011(economy: Economy) -> None:
    value_added = dict(zip(economy.regions, economy.value_added.reshape(12, 12).sum(1), strict=True))
    for region, published in (("USA", 15.16e6), ("CHN", 7.39e6), ("TUR", 0.73e6)):
        assert value_added[region] == pytest.approx(published, rel=ROUNDED)
    households = load_table("world-2011-households").set_index("region")["mt_co2"]
    produced = dict(zip(economy.regions, economy.emissions.reshape(12, 12).sum(1), strict=True))
    for region, published in (("CHN", 9_794), ("USA", 5_253), ("IND", 1_848), ("RUS", 1_791), ("TUR", 345)):
        assert produced[region] + households[region] == pytest.approx(published, abs=0.5)


def test_clipped_inventories_are_reported() -> None:
    assert "3 cells, 7.673 billion USD" in describe("world-2011-final-demand")


@pytest.mark.parametrize(
    ("regions", "published"), [(("EU26", "GBR"), 929), (("USA",), 739), (("CHN",), -1596), (("RUS",), -394)]
)
def test_net_imports_of_embodied_co2(economy: Economy, regions: tuple[str, ...], published: float) -> None:
    assert net_imports(economy, regions) == pytest.approx(published, abs=1.0)


def test_economy_is_balanced_and_productive(economy: Economy) -> None:
    assert (economy.value_added > 0).all()
    assert (economy.transactions >= 0).all()
    assert (economy.final_demand >= 0).all()
    assert np.abs(np.linalg.eigvals(economy.transactions / economy.output)).max() < 1


def test_default_values_follow_the_rules_of_the_annex() -> None:
    table = load_defaults()
    assert table["country"].nunique() == 120
    assert table["origin"].value_counts().to_dict() == {"country": 10_931, "fallback": 725, "realigned": 1}
    total_charged = table["sector"].isin(["Cement", "Fertilisers"])
    charged = table["total_t_per_t"].where(total_charged, table["direct_t_per_t"])
    assert (table["charged_t_per_t"] == charged).all()
    assert ((table["markup_class"] == "fertilisers") == (table["sector"] == "Fertilisers")).all()
    parts = table["direct_t_per_t"] + table["indirect_t_per_t"].fillna(0.0)
    assert (parts - table["total_t_per_t"]).abs().max() < 0.011 + 1e-9


def test_an_empty_row_takes_the_whole_row_of_other_countries() -> None:
    table: Any = load_defaults().set_index(["country", "cn_code", "good"])
    columns = ["route", "direct_t_per_t", "indirect_t_per_t", "total_t_per_t", "charged_t_per_t"]
    filled = table.loc[("Albania", "25239000", "White hydraulic cements")]
    other = table.loc[("Other countries and territories", "25239000", "White hydraulic cements")]
    assert filled["origin"] == "fallback"
    assert filled[columns].tolist() == other[columns].tolist() == ["B", 1.31, 0.18, 1.49, 1.49]


def test_spot_values_of_the_annexes() -> None:
    defaults = load_defaults().set_index(["country", "cn_code"])["charged_t_per_t"]
    assert defaults["Algeria", "7208"].item() == 3.0
    assert defaults["Algeria", "7601"].item() == 0.36
    # A second reading of the annex: seamless tube, and urea as direct + indirect.
    for country, tube, urea in (("China", 2.68, 2.84), ("India", 4.32, 2.22), ("Kazakhstan", 5.12, 1.58)):
        assert defaults[country, "730451"].item() == tube
        assert defaults[country, "31021019"].item() == pytest.approx(urea, abs=0.0101)  # parts are rounded
    benchmarks = load_benchmarks().set_index(["cn_code", "route", "variant"])["benchmark_t_per_t"]
    assert len(benchmarks) == 1804
    assert [benchmarks["72083700", route, ""] for route in "CDE"] == [1.37, 0.481, 0.072]
    assert benchmarks["76011010", "K", ""] == 1.423
    schedule = load_schedule().set_index("year")
    assert schedule["cbam_factor"].tolist() == [0.975, 0.95, 0.9, 0.775, 0.515, 0.39, 0.265, 0.14, 0.0]
    assert schedule["markup_general"].tolist() == [0.1, 0.2] + [0.3] * 7
    assert (schedule["markup_fertilisers"] == 0.01).all()


def test_prices_are_rounded_yearly_means_and_one_certificate_price() -> None:
    prices = load_prices()
    means = prices[prices["kind"] == "allowance"].set_index("year")["eur_per_t"]
    assert means.index.tolist() == list(range(2005, 2026))
    assert means[[2022, 2023, 2024, 2025]].tolist() == [81.0, 85.5, 66.4, 74.4]
    assert prices.loc[prices["kind"] == "certificate", ["period", "eur_per_t"]].to_numpy().tolist() == [
        ["2026-Q1", 75.36]
    ]
    partners = load_partner_prices().set_index(["initiative", "year"])["usd_per_t"]
    for scheme, published in (("EU ETS", 86.5), ("UK ETS", 99.0), ("Korea ETS", 18.7), ("China national ETS", 9.2)):
        assert partners[scheme, 2022] == pytest.approx(published, abs=0.06)


def test_installations_match_the_published_totals_and_name_nobody() -> None:
    table = load_installations().set_index("model_sector")
    megatonnes = table["verified_t"] / 1e6
    for sector, published in (("iron_steel", 129), ("cement", 122), ("aluminium", 9.8), ("fertiliser", 24)):
        assert megatonnes[sector] == pytest.approx(published, rel=0.02)
    assert megatonnes.drop("aviation").sum() == pytest.approx(1530, rel=ROUNDED)
    shares = table[["top_1_percent_share", "top_5_percent_share", "top_10_percent_share"]]
    assert (shares.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    assert (table["installations"] >= 30).all()
    assert all(not text.startswith(("id", "name", "holder")) for text in table.columns)
