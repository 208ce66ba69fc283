"""Who leaks most: a case worked by hand, and that shares add up whatever the economy."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from carbonray.config import Abatement, Firms, Partners, Policy, Scenario, ScenarioError
from carbonray.data.placing import Placed, place
from carbonray.data.plants import COLUMNS, Plants, load_plants
from carbonray.predict.risk import Impact, cell_risk, plant_risk
from carbonray.predict.trade import REAL_ORIGIN, cheapest_origin, official_indicator, trade_exposure
from carbonray.runtime.equilibrium import at_rest, carbon_costs
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.named_firms import NamedFirms

EXACT = 1e-12
YEAR = 2027
SHARED = ("leakage_rate", "reappears_in", "trade_exposure", "official_indicator", "official_at_risk",
          "cheapest_origin", "cheapest_origin_charge")  # fmt: skip


@pytest.fixture(scope="module")
def tiny() -> Economy:
    """Two regions that make metals and services from nothing but their own factor."""
    final_demand = np.array([[80.0, 20.0], [300.0, 0.0], [50.0, 150.0], [0.0, 200.0]])
    return Economy(
        regions=("EU26", "CHN"),
        sectors=("MET", "SRV"),
        year=2026,
        transactions=np.zeros((4, 4)),
        final_demand=final_demand,
        emissions=np.array([0.2, 0.01, 0.8, 0.02]),
    )


@pytest.fixture(scope="module")
def law() -> Scenario:
    """100 EUR/t, at which half of the emissions of metals is cut; half of them a covered good, half of it free."""
    return Scenario(
        name="tiny",
        growth={},
        policy=Policy(
            price={2026: 100},
            priced_sectors=("MET",),
            free_sectors=("MET",),
            free_allocation={2026: 0.5},
            cbam=True,
            cbam_factor={2026: 0.5},
            coverage={"MET": 0.5},
        ),
        partners=Partners(),
        abatement={"MET": Abatement(price=200, potential=1.0, exponent=2.0)},
        firms=Firms(number=20, intensity_trend=0.0),
    )


@pytest.fixture(scope="module")
def two() -> Placed:
    """A dirty and a clean plant of the home region's metals."""
    named = NamedFirms(
        cell=np.array([0, 0]),
        output=np.array([40.0, 20.0]),
        intensity=np.array([0.003, 0.001]),
        allocation=np.ones(2),
    )
    return Placed(named=named, table=listed({"name": "dirty"}, {"name": "clean"}).table)


IMPACT = Impact(
    foreign_increase=np.array([[2.0, 0.0]]), home_reduction=np.array([8.0, 0.0]), output_change=np.array([-0.1, 0.0])
)


def listed(*rows: dict[str, Any]) -> Plants:
    """A list of plants with some values given."""
    common = {"company": "Testville AG", "country": "DE", "region": "EU26", "sector": "MET", "output_t": np.nan}
    frame = pd.DataFrame([{"plant_id": f"P{i}", **common} | row for i, row in enumerate(rows)])
    return Plants(label="mine.csv", table=frame.reindex(columns=list(COLUMNS)))


class TestByHand:
    """Metals at home cut 0.002 t/USD to 0.001; benchmark 0.0009; allocation 100 (0.5 0.5 + 0.5) 0.0009 = 0.0675."""

    def test_a_cell(self, law: Scenario, tiny: Economy) -> None:
        table = cell_risk(law, tiny, IMPACT, YEAR)
        metals = table.loc[0]
        assert (metals["rank"], metals["cell"], metals["region"], metals["sector"]) == (1, "EU26-MET", "EU26", "MET")
        assert (metals["reappears_in"], metals["cheapest_origin"], metals["official_at_risk"]) == ("CHN", "CHN", True)
        expected = {
            "leaked_mt": 2.0,
            "reappears_mt": 2.0,
            "leakage_rate": 0.25,
            "output_change_share": -0.1,
            "carbon_cost_share": 100 * 0.001 - 0.0675,
            "abatement_cost_share": 0.002 * (200 / 2) * 0.5**2,
            "trade_exposure": (20 + 50) / (100 + 50),
            "official_indicator": 70 / 150 * 0.2e3 / 100,
            "cheapest_origin_charge": 0.5 * 100 * (0.004 - 0.5 * 0.0009),
        }
        for name, value in expected.items():
            assert metals[name] == pytest.approx(value, rel=EXACT), name
        assert metals["reason"] == (
            "pays 3.2 % of its value for carbon; spends 5.0 % to emit less; 47 % of the market is traded; "
            "goods of China pay 18 % at the border; most reappears in China"
        )

    def test_a_good_that_is_neither_priced_nor_traded(self, law: Scenario, tiny: Economy) -> None:
        services = cell_risk(law, tiny, IMPACT, YEAR).loc[1]
        figures = services[["leaked_mt", "output_change_share", "carbon_cost_share", "abatement_cost_share"]]
        assert (figures == 0).all()
        assert np.isnan(services["cheapest_origin_charge"])
        assert (services["cheapest_origin"], services["reappears_in"]) == ("", "")
        assert services["reason"] == "pays nothing for carbon; nothing of the market is traded"

    def test_plants(self, law: Scenario, tiny: Economy, two: Placed) -> None:
        table = plant_risk(law, tiny, two, IMPACT, YEAR)
        assert list(table["plant"]) == ["dirty", "clean"]
        assert list(table["rank"]) == [1, 2]
        dirty, clean = 40 * (0.15 - 0.0675 + 0.075), 20 * (0.05 - 0.0675 + 0.025)
        whole = 100 * (0.1 - 0.0675 + 0.05)
        np.testing.assert_allclose(table["carbon_cost_share"], [0.0825, -0.0175], rtol=EXACT)
        np.testing.assert_allclose(table["abatement_cost_share"], [0.075, 0.025], rtol=EXACT)
        np.testing.assert_allclose(table["leaked_mt"], [2 * dirty / whole, 2 * clean / whole], rtol=EXACT)
        fall = [-0.1 * dirty / whole * 100 / 40, -0.1 * clean / whole * 100 / 20]
        np.testing.assert_allclose(table["output_change_share"], fall, rtol=EXACT)
        assert table["reason"][1].startswith("is given 1.8 % of its value more than it pays for carbon; spends 2.5 %")

    def test_who_gains_leaks_nothing(self, law: Scenario, tiny: Economy, two: Placed) -> None:
        favoured = replace(two, named=replace(two.named, allocation=np.array([0.5, 2.0])))
        table = plant_risk(law, tiny, favoured, IMPACT, YEAR).set_index("plant")
        assert table["leaked_mt"]["clean"] == table["output_change_share"]["clean"] == 0
        assert 0 < table["leaked_mt"]["dirty"] <= 2


class TestCosts:
    def test_they_are_those_of_the_economy_at_rest(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        scenario = small_scenario("law", years=9)
        found, rest = carbon_costs(small_economy, scenario, 2034), at_rest(small_economy, scenario, 2034)
        np.testing.assert_allclose(found.intensity, rest.intensity, rtol=EXACT)
        np.testing.assert_allclose(found.price * found.intensity - found.allocation, rest.carbon_cost, rtol=EXACT)
        np.testing.assert_allclose(found.charge, rest.charge, rtol=EXACT)

    def test_a_year_outside_the_scenario_is_refused(self, law: Scenario, tiny: Economy) -> None:
        with pytest.raises(ScenarioError, match="2036 is outside"):
            cell_risk(law, tiny, IMPACT, 2036)

    @pytest.mark.parametrize("home", [("EU26",), ("EU26", "USA")])
    def test_without_a_price_nobody_pays_and_all_leak_by_what_they_make(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario], home: tuple[str, ...]
    ) -> None:
        scenario = small_scenario("no-policy", home=home)
        table = cell_risk(scenario, small_economy, impact(small_economy, scenario), YEAR)
        assert (table[["carbon_cost_share", "abatement_cost_share", "cheapest_origin_charge"]] == 0).all(axis=None)
        output = dict(zip(small_economy.cells, small_economy.output, strict=True))
        for _, cells in table.groupby("sector"):
            made = np.array([output[cell] for cell in cells["cell"]])
            np.testing.assert_allclose(cells["leaked_mt"] / cells["leaked_mt"].sum(), made / made.sum(), rtol=EXACT)

    def test_less_abroad_in_all_may_be_more_in_some_places(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        moved = Impact(
            foreign_increase=np.array([[1.0] * 6, [-3.0] * 6, [0.0] * 6]),
            home_reduction=np.ones(6),
            output_change=np.zeros(6),
        )
        table = cell_risk(small_scenario("law"), small_economy, moved, YEAR)
        assert (table["leaked_mt"] == -2).all()
        assert (table["reappears_mt"] == 1).all()
        assert table["reason"].str.endswith("less is emitted abroad, though more in China").all()

    def test_where_nothing_leaks_all_share_the_first_rank(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        none = Impact(foreign_increase=np.zeros((3, 6)), home_reduction=np.zeros(6), output_change=np.zeros(6))
        table = cell_risk(small_scenario("no-policy"), small_economy, none, YEAR)
        assert set(table["rank"]) == {1}
        assert not (table["reappears_in"] != "").any()


def impact(economy: Economy, scenario: Scenario) -> Impact:
    """Some impact or other, of both signs."""
    rng = np.random.default_rng(7)
    n_partners, n_sectors = len(economy.regions) - len(scenario.home), len(economy.sectors)
    return Impact(
        foreign_increase=rng.normal(0.5, 1.0, (n_partners, n_sectors)),
        home_reduction=rng.uniform(1.0, 9.0, n_sectors),
        output_change=rng.uniform(-0.2, 0.05, n_sectors),
    )


@pytest.fixture(scope="module")
def scenario(small_scenario: Callable[..., Scenario]) -> Scenario:
    return small_scenario("law", years=9, home=("EU26", "USA"))


@pytest.fixture(scope="module")
def plants(small_economy: Economy) -> Placed:
    return place(load_plants("eu"), small_economy)


class TestShares:
    def test_cells_add_up_to_sectors(self, small_economy: Economy, scenario: Scenario) -> None:
        policy = impact(small_economy, scenario)
        table = cell_risk(scenario, small_economy, policy, 2034)
        assert len(table) == 2 * len(small_economy.sectors)
        leaked = table.groupby("sector")["leaked_mt"].sum()[list(small_economy.sectors)]
        np.testing.assert_allclose(leaked, policy.foreign_increase.sum(0), rtol=EXACT, atol=EXACT)
        risen = table.groupby("sector")["reappears_mt"].sum()[list(small_economy.sectors)]
        np.testing.assert_allclose(risen, policy.foreign_increase.clip(0).sum(0), rtol=EXACT)
        output = dict(zip(small_economy.cells, small_economy.output, strict=True))
        table["lost"] = table["output_change_share"] * table["cell"].map(output)
        table["output"] = table["cell"].map(output)
        sums = table.groupby("sector")[["lost", "output"]].sum().loc[list(small_economy.sectors)]
        np.testing.assert_allclose(sums["lost"] / sums["output"], policy.output_change, rtol=1e-9)

    def test_plants_and_the_rest_add_up_to_cells(
        self, small_economy: Economy, scenario: Scenario, plants: Placed
    ) -> None:
        policy = impact(small_economy, scenario)
        cells = cell_risk(scenario, small_economy, policy, 2034).set_index("cell")
        table = plant_risk(scenario, small_economy, plants, policy, 2034)
        costs, named = carbon_costs(small_economy, scenario, 2034), plants.named
        shares = (table.groupby("cell")["leaked_mt"].sum() / cells["leaked_mt"]).dropna()
        assert len(shares) == 4
        for cell, share in shares.items():
            at = small_economy.cells.index(str(cell))
            inside = named.cell == at
            output = small_economy.output[at] - named.output[inside].sum()
            before = small_economy.emissions[at] - (named.output * named.intensity)[inside].sum()
            moved = costs.intensity[at] * small_economy.output[at] / small_economy.emissions[at]
            per_tonne = costs.price[at] * moved + costs.abatement[at] * moved / costs.intensity[at]
            rest = max(before * per_tonne - costs.allocation[at] * output, 0.0)
            paid = paid_by(table[table["cell"] == cell])
            assert share == pytest.approx(paid / (paid + rest), rel=1e-9)

    def test_a_plant_has_the_market_of_its_cell(
        self, small_economy: Economy, scenario: Scenario, plants: Placed
    ) -> None:
        policy = impact(small_economy, scenario)
        cells = cell_risk(scenario, small_economy, policy, 2034).set_index("cell")
        table = plant_risk(scenario, small_economy, plants, policy, 2034)
        pd.testing.assert_frame_equal(
            cells.loc[table["cell"], list(SHARED)].reset_index(drop=True), table[list(SHARED)], check_exact=True
        )

    def test_plants_in_another_order_are_the_same_plants(
        self, small_economy: Economy, scenario: Scenario, plants: Placed
    ) -> None:
        order = np.random.default_rng(3).permutation(len(plants.table))
        named = plants.named
        shuffled = Placed(
            named=NamedFirms(
                cell=named.cell[order],
                output=named.output[order],
                intensity=named.intensity[order],
                allocation=named.allocation[order],
            ),
            table=plants.table.iloc[order].reset_index(drop=True),
        )
        policy = impact(small_economy, scenario)
        one, other = (
            plant_risk(scenario, small_economy, each, policy, 2034).set_index("plant_id").sort_index()
            for each in (plants, shuffled)
        )
        pd.testing.assert_frame_equal(one.drop(columns="rank"), other.drop(columns="rank"), rtol=1e-9)

    def test_plants_abroad_are_left_out(self, small_economy: Economy, small_scenario: Callable[..., Scenario]) -> None:
        plants = place(
            listed(
                {"name": "here", "emissions_t": 5e5, "free_allocation_t": 4e5},
                {"name": "there", "emissions_t": 5e5, "free_allocation_t": 0.0, "region": "CHN"},
            ),
            small_economy,
        )
        scenario = small_scenario("law")
        table = plant_risk(scenario, small_economy, plants, impact(small_economy, scenario), YEAR)
        assert list(table["plant"]) == ["here"]
        assert table["official_at_risk"].dtype == bool

    def test_an_impact_on_another_economy_is_refused(self, tiny: Economy, law: Scenario) -> None:
        with pytest.raises(ValueError, match=r"output_change has shape \(3,\); .* need \(2,\)"):
            cell_risk(law, tiny, replace(IMPACT, output_change=np.zeros(3)), YEAR)


def paid_by(plants: pd.DataFrame) -> float:
    """What plants pay that pay anything."""
    cost = (plants["carbon_cost_share"] + plants["abatement_cost_share"]) * plants["output_musd"]
    return float(cost.clip(lower=0).sum())


class TestTrade:
    def test_trade_within_the_home_region_does_not_count(self, small_economy: Economy) -> None:
        one = trade_exposure(small_economy, np.array([True, False, False, False]))
        both = trade_exposure(small_economy, np.array([True, True, False, False]))
        assert (both[:6] <= one[:6]).all()
        assert ((both >= 0) & (both <= 2)).all()

    def test_the_indicator_of_the_world_is_nothing_for_it_trades_with_nobody(self, small_economy: Economy) -> None:
        assert (official_indicator(small_economy, np.ones(4, bool)) == 0).all()

    def test_bought_electricity_counts(self, small_economy: Economy) -> None:
        home, sectors = np.array([True, False, False, False]), np.array(small_economy.sectors)
        dark = replace(small_economy, emissions=np.where(np.tile(sectors, 4) == "ELE", 0.0, small_economy.emissions))
        full, direct = (official_indicator(economy, home) for economy in (small_economy, dark))
        assert (full[sectors != "ELE"] > direct[sectors != "ELE"]).all()
        assert direct[sectors == "ELE"] == 0

    def test_the_cheapest_origin_is_a_real_one_and_the_largest_of_equals(self, small_economy: Economy) -> None:
        home = np.array([True, False, False, False])
        sold = small_economy.final_demand[:, 0] + small_economy.transactions[:, :6].sum(1)
        imports = sold.reshape(4, 6) * ~home[:, None]
        share = imports / imports.sum(0)
        origin, charge = cheapest_origin(small_economy, home, np.zeros(24))
        np.testing.assert_array_equal(origin[:6], share.argmax(0))
        assert (charge == 0).all()
        rng = np.random.default_rng(5)
        asked = rng.uniform(0.1, 0.5, (4, 6))
        origin, charge = cheapest_origin(small_economy, home, asked.ravel())
        for sector in range(6):
            real = [r for r in range(4) if share[r, sector] >= REAL_ORIGIN]
            assert origin[sector] == min(real, key=lambda r, s=sector: asked[r, s])
            assert charge[sector] == asked[origin[sector], sector]
