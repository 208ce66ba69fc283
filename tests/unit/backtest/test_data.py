"""The tables of the backtest: they agree with one another, and rebuild from the raw ones."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from carbonray.backtest.record import HOME
from carbonray.data import load_economy, load_table
from carbonray.data.build_history import SCOPE_BREAKS, build_history, declared

RAW = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
EXACT, TIGHT = 1e-12, 1e-9


def test_purchases_by_origin_are_those_of_the_tables() -> None:
    use = load_table("history-eu-use")
    for year in (1995, 2004):
        economy = load_economy(f"history-{year}")
        here = np.isin(economy.regions, HOME)
        bought = economy.transactions[:, np.repeat(here, len(economy.sectors))].sum(1)
        bought = bought + economy.final_demand[:, here].sum(1)
        shipped = use[use["year"] == year].set_index(["origin", "sector"])["musd"]
        index = pd.MultiIndex.from_product([economy.regions, economy.sectors])
        # Negatives are cut off by buyer in the economy and in the sum here: 1 billion USD at most over the world.
        assert bought == pytest.approx(shipped.reindex(index).to_numpy(), rel=1e-3, abs=100.0)


def test_gdp_is_the_tables_value_added_to_2011_and_goes_on_with_the_declared_growth() -> None:
    gdp = load_table("history-regions").pivot(index="year", columns="region", values="gdp_musd")
    economy = load_economy("history-2004")
    made = economy.value_added.reshape(len(economy.regions), -1).sum(1)
    assert gdp.loc[2004, list(economy.regions)].to_numpy() == pytest.approx(made, rel=1e-3)
    usa = declared("history_gdp").query("entity == 'USA'").set_index("year")["value"]
    assert gdp.loc[2022, "USA"] / gdp.loc[2011, "USA"] == pytest.approx(usa[2022] / usa[2011], rel=TIGHT)
    assert (gdp > 0).all().all()


def test_regions_and_embodied_carbon_tell_one_story() -> None:
    regions = load_table("history-regions").pivot(index="year", columns="region", values="mt_co2")
    embodied = load_table("history-embodied").pivot(index="year", columns="area", values="production_mt")
    assert embodied["EU26"].to_numpy() == pytest.approx(regions["EU26"].to_numpy(), rel=EXACT)
    both = (regions["EU26"] + regions["GBR"]).to_numpy()
    assert embodied["EU26+GBR"].to_numpy() == pytest.approx(both, rel=EXACT)
    power = load_table("history-regions").dropna(subset=["power_mt_co2"])
    assert (power["power_mt_co2"] < power["mt_co2"]).all()


def test_links_only_take_away_and_only_after_a_break() -> None:
    ets = load_table("history-ets")
    before = ets["year"] < SCOPE_BREAKS[0]
    assert (ets.loc[before, "linked_mt"] == ets.loc[before, "verified_mt"]).all()
    assert (ets["linked_mt"] <= ets["verified_mt"] * (1 + EXACT)).all()


def test_every_declared_figure_says_where_it_comes_from() -> None:
    for name in ("history_gdp", "history_money"):
        table = declared(name)
        assert set(table["tag"]) <= {"read", "recall", "assumption"}
        assert table["source"].str.len().min() > 10
        assert (table["value"] > 0).all()


def test_the_declared_price_level_agrees_with_gdp_at_current_over_constant_prices() -> None:
    money = load_table("history-money")
    level = money[money["name"] == "us_deflator"].set_index("year")["value"]
    usa = load_table("history-regions").query("region == 'USA'").set_index("year")
    implied = usa["gdp_musd"] / usa["real_gdp_musd"]
    ratio = (implied / implied.loc[2011]) / (level / level.loc[2011])
    assert ratio.loc[2000:].sub(1).abs().max() < 0.025


@pytest.mark.raw
@pytest.mark.slow
@pytest.mark.skipif(not RAW.is_dir(), reason="raw tables (../shared/data) are absent")
def test_the_shipped_tables_rebuild_from_the_raw_ones() -> None:
    frames, _ = build_history(RAW)
    for name, built in frames.items():
        shipped = load_table(name)
        pd.testing.assert_frame_equal(
            built[list(shipped.columns)].reset_index(drop=True), shipped, check_dtype=False, rtol=TIGHT
        )
