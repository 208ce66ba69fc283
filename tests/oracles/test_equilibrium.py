"""The static equilibrium against the published table of its test arm, closed forms and its own identities."""

import json
import math
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from carbonray.data import load_economy
from carbonray.worlds.cbam.economy import Array, Economy
from carbonray.worlds.cbam.equilibrium import Elasticities, Equilibrium, NotConvergedError, leakage_rate, solve

EXACT = 1e-12
TIGHT = 1e-9
TABLE = 0.2  # percentage points within which an independent implementation should land
WHOLE_POINT = 0.5  # the table prints these without decimals
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "equilibrium_test_arm.json").read_text(encoding="utf-8"))

SECTORS = ("AGR", "MIN", "REF", "CHE", "NMM", "MET", "ELE", "CON", "EQP", "OMF", "TRA", "SRV")
DOMESTIC = np.array([2.5, 3.0, 2.1, 3.3, 2.9, 3.3, 2.8, 1.9, 3.9, 3.0, 1.9, 1.9])
FINAL_DEMAND = np.array([0.5, 0.8, 0.5, 0.8, 0.8, 0.8, 0.4, 0.8, 0.8, 0.8, 0.8, 0.8])
PRICED = ("REF", "CHE", "NMM", "MET", "ELE")
INDUSTRY = ("CHE", "NMM", "MET")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One run of the test arm beside its reference."""

    economy: Economy
    policy: Equilibrium
    reference: Equilibrium
    intensity: Array
    base_intensity: Array
    home: NDArray[np.bool_]

    def leakage(self, *sectors: str) -> float:
        """In per cent, of all sectors or of the named ones."""
        return 100 * leakage_rate(
            self.policy,
            self.reference,
            intensity_policy=self.intensity,
            intensity_reference=self.base_intensity,
            home=self.home,
            counted=_in_sectors(self.economy, sectors or self.economy.sectors),
        )


def elasticities(*, scale: float = 1.0, factor: float = 2.0) -> Elasticities:
    return Elasticities(domestic=scale * DOMESTIC, final_demand=FINAL_DEMAND, inputs=0.3, factor=factor)


def _in_sectors(economy: Economy, sectors: tuple[str, ...]) -> NDArray[np.bool_]:
    return np.isin(np.tile(economy.sectors, len(economy.regions)), sectors)


@cache
def world() -> Economy:
    economy = load_economy("world-2011")
    assert economy.sectors == SECTORS  # the order of the elasticities above
    return economy


@cache
def arm(
    policy: str,
    *,
    scale: float = 1.0,
    factor: float = 2.0,
    price: float = 50.0,
    home_regions: tuple[str, ...] = ("EU26",),
    charged: tuple[str, ...] = (*INDUSTRY, "ELE"),
) -> Arm:
    """Auctioning, `free` allocation or `cbam` on top of auctioning; exp(-0.003 price) abates at no cost."""
    economy = world()
    region = np.repeat(economy.regions, len(economy.sectors))
    home = np.isin(region, home_regions)
    priced = home & _in_sectors(economy, PRICED)
    base_intensity = economy.emissions / economy.output
    intensity = np.where(priced, base_intensity * np.exp(-0.003 * price), base_intensity)
    cost = np.where(priced, price * intensity, 0.0)
    charge = np.zeros((len(cost), len(economy.regions)))
    if policy == "free":
        cost = cost - np.where(home & _in_sectors(economy, INDUSTRY), 0.9 * price * base_intensity, 0.0)
    if policy == "cbam":
        wedge = np.where(~home & _in_sectors(economy, charged), price * base_intensity, 0.0)
        charge[:, np.isin(economy.regions, home_regions)] = wedge[:, None]
    law = elasticities(scale=scale, factor=factor)
    return Arm(
        economy=economy,
        policy=solve(economy, law, carbon_cost=cost, charge=charge),
        reference=solve(economy, law, carbon_cost=np.zeros_like(cost), charge=np.zeros_like(charge)),
        intensity=intensity,
        base_intensity=base_intensity,
        home=home,
    )


def small_economy(seed: int, *, n_regions: int = 3, n_sectors: int = 2) -> Economy:
    """A balanced table drawn at random, with some cells that nobody imports from."""
    rng = np.random.default_rng(seed)
    n_cells = n_regions * n_sectors
    coefficients = rng.uniform(0.0, 1.0, (n_cells, n_cells)) * (rng.uniform(size=(n_cells, n_cells)) < 0.8)
    coefficients *= rng.uniform(0.2, 0.7, n_cells) / np.maximum(coefficients.sum(0), 1e-9)
    final = rng.uniform(0.1, 10.0, (n_cells, n_regions))
    output = np.linalg.solve(np.eye(n_cells) - coefficients, final.sum(1))
    return Economy(
        regions=tuple(f"R{i}" for i in range(n_regions)),
        sectors=tuple(f"S{i}" for i in range(n_sectors)),
        year=2011,
        transactions=coefficients * output,
        final_demand=final,
        emissions=output * rng.uniform(0.0, 0.002, n_cells),
    )


@dataclass(frozen=True, kw_only=True)
class SmallCase:
    """A random economy under a random policy."""

    economy: Economy
    elasticities: Elasticities
    carbon_cost: Array
    charge: Array
    charge_incidence: float

    def solve(self) -> Equilibrium:
        return solve(
            self.economy,
            self.elasticities,
            carbon_cost=self.carbon_cost,
            charge=self.charge,
            charge_incidence=self.charge_incidence,
        )


def small_case(seed: int) -> SmallCase:
    rng = np.random.default_rng([seed, 1])
    economy = small_economy(seed)
    return SmallCase(
        economy=economy,
        elasticities=Elasticities(
            domestic=rng.uniform(0.5, 4.0, 2),
            final_demand=rng.uniform(0.2, 1.2, 2),
            inputs=rng.uniform(0.1, 0.9),
            factor=rng.choice([0.5, 2.0, 5.0, math.inf]),
        ),
        carbon_cost=rng.uniform(-0.05, 0.15, 6),
        charge=rng.uniform(0.0, 0.2, (6, 3)) * (1 - np.repeat(np.eye(3), 2, axis=0)),
        charge_incidence=rng.uniform(0.0, 1.0),
    )


class TestBaseYear:
    def test_without_policy_the_base_year_stays(self) -> None:
        economy = world()
        rest = solve(economy, elasticities(), carbon_cost=np.zeros(144), charge=np.zeros((144, 12)))
        assert np.abs(rest.price - 1).max() < EXACT
        assert np.abs(rest.output / economy.output - 1).max() < EXACT
        assert np.abs(rest.intermediate - economy.transactions).max() < EXACT * economy.output.max()
        assert np.abs(rest.final - economy.final_demand).max() < EXACT * economy.output.max()

    def test_growth_met_by_capacity_leaves_prices_alone(self) -> None:
        economy = world()
        growth = np.linspace(1.0, 1.6, 12)
        technology = economy.transactions / economy.output
        capacity = np.linalg.solve(np.eye(144) - technology, (economy.final_demand * growth).sum(1))
        zero = np.zeros((144, 12))
        grown = solve(
            economy, elasticities(), carbon_cost=zero[:, 0], charge=zero, final_demand_growth=growth, capacity=capacity
        )
        assert np.abs(grown.price - 1).max() < TIGHT
        assert np.abs(grown.output / capacity - 1).max() < TIGHT


class TestPublishedTable:
    @pytest.mark.parametrize("row", GOLDEN["rows"])
    def test_each_row_of_the_test_arm_is_reproduced(self, row: dict[str, float]) -> None:
        setting = {"scale": row["sigma_scale"], "factor": row["factor"] or math.inf, "price": row["price"]}
        for policy in ("auctioning", "free", "cbam"):
            assert arm(policy, **setting).leakage() == pytest.approx(row[policy], abs=TABLE)
        auctioning = arm("auctioning", **setting)
        assert auctioning.leakage("MET") == pytest.approx(row["metals"], abs=WHOLE_POINT)
        assert auctioning.leakage("NMM") == pytest.approx(row["minerals"], abs=WHOLE_POINT)
        metals = auctioning.home & _in_sectors(auctioning.economy, ("MET",))
        change = 100 * (auctioning.policy.output[metals] / auctioning.reference.output[metals] - 1)
        assert change == pytest.approx(row["metals_output"], abs=TABLE)

    def test_electricity_in_the_wedge_is_most_of_the_effect(self) -> None:
        without = arm("cbam", charged=INDUSTRY).leakage()
        assert without == pytest.approx(GOLDEN["cbam_without_electricity"], abs=TABLE)

    def test_the_table_would_notice_elasticities_that_are_five_per_cent_off(self) -> None:
        assert abs(arm("auctioning", scale=1.05).leakage() - GOLDEN["rows"][0]["auctioning"]) > TABLE


class TestClosedForms:
    def test_one_good_made_from_nothing_follows_the_nested_demand_system(self) -> None:
        final = np.array([[60.0, 5.0, 3.0], [30.0, 80.0, 2.0], [10.0, 15.0, 40.0]])
        economy = Economy(
            regions=("A", "B", "C"),
            sectors=("S",),
            year=2011,
            transactions=np.zeros((3, 3)),
            final_demand=final,
            emissions=np.ones(3),
        )
        sigma, eta, cost = 2.5, 0.8, np.array([0.2, 0.0, 0.1])
        one_good = Elasticities(domestic=np.array([sigma]), final_demand=np.array([eta]), inputs=0.3, factor=math.inf)
        found = solve(economy, one_good, carbon_cost=cost, charge=np.zeros((3, 3)))
        price = 1 + cost
        import_price = (0.75 * price[1] ** (1 - 2 * sigma) + 0.25 * price[2] ** (1 - 2 * sigma)) ** (
            1 / (1 - 2 * sigma)
        )
        composite = (0.6 * price[0] ** (1 - sigma) + 0.4 * import_price ** (1 - sigma)) ** (1 / (1 - sigma))
        total = 100 * composite**-eta
        from_abroad = 0.4 * total * (import_price / composite) ** -sigma
        expected = [
            0.6 * total * (price[0] / composite) ** -sigma,
            0.75 * from_abroad * (price[1] / import_price) ** (-2 * sigma),
            0.25 * from_abroad * (price[2] / import_price) ** (-2 * sigma),
        ]
        np.testing.assert_allclose(found.price, price, rtol=TIGHT)
        np.testing.assert_allclose(found.final[:, 0], expected, rtol=TIGHT)

    @pytest.mark.parametrize("limit", [{"domestic": 1.0}, {"domestic": 0.5}, {"inputs": 1.0}])
    def test_cobb_douglas_is_the_limit_of_its_neighbours(self, limit: dict[str, float]) -> None:
        case = small_case(7)

        def output(shift: float) -> Array:
            domestic = np.full(2, limit.get("domestic", 2.0) + shift)
            near = replace(case.elasticities, domestic=domestic, inputs=limit.get("inputs", 0.3) + shift)
            return replace(case, elasticities=near).solve().output

        np.testing.assert_allclose(output(0.0), (output(1e-5) + output(-1e-5)) / 2, rtol=TIGHT)


class TestIdentities:
    @given(seed=st.integers(0, 10_000))
    @settings(max_examples=30, deadline=None)
    def test_goods_money_and_profit_balance(self, seed: int) -> None:
        case = small_case(seed)
        found = case.solve()
        np.testing.assert_allclose(found.intermediate.sum(1) + found.final.sum(1), found.output, rtol=TIGHT)

        payments = (found.delivered_price * found.deliveries).sum()
        receipts = (found.price * found.output - found.charge_borne).sum()
        assert payments == pytest.approx(receipts + found.customs.sum(), rel=TIGHT)
        assert found.charge_borne.sum() == pytest.approx(case.charge_incidence * found.customs.sum(), rel=TIGHT)

        paid_for_inputs = (np.repeat(found.delivered_price, 2, axis=1) * found.intermediate).sum(0)
        base = case.economy
        epsilon = case.elasticities.inputs
        factor_price = (found.output / base.output) ** (1 / case.elasticities.factor)
        value_added = base.value_added / base.output * factor_price * (found.unit_cost / factor_price) ** epsilon
        costs = paid_for_inputs + (value_added + case.carbon_cost) * found.output + found.charge_borne
        np.testing.assert_allclose(costs, found.price * found.output, rtol=TIGHT)

    @given(seed=st.integers(0, 10_000), order=st.permutations(range(3)))
    @settings(max_examples=20, deadline=None)
    def test_permuting_regions_permutes_the_result(self, seed: int, order: list[int]) -> None:
        case = small_case(seed)
        base = case.economy
        regions = np.array(order)
        cells = (2 * regions[:, None] + np.arange(2)).ravel()
        permuted = replace(
            case,
            economy=replace(
                base,
                regions=tuple(base.regions[region] for region in order),
                transactions=base.transactions[np.ix_(cells, cells)],
                final_demand=base.final_demand[np.ix_(cells, regions)],
                emissions=base.emissions[cells],
            ),
            carbon_cost=case.carbon_cost[cells],
            charge=case.charge[np.ix_(cells, regions)],
        )
        before, after = case.solve(), permuted.solve()
        np.testing.assert_allclose(after.price, before.price[cells], rtol=TIGHT)
        np.testing.assert_allclose(after.output, before.output[cells], rtol=TIGHT)
        np.testing.assert_allclose(after.customs, before.customs[regions], rtol=TIGHT, atol=TIGHT)


class TestLeakage:
    def test_leakage_rises_with_substitution(self) -> None:
        rates = [arm("auctioning", scale=scale).leakage() for scale in (0.4, 0.7, 1.0, 1.4)]
        assert np.diff(rates).min() > 1

    def test_leakage_rises_with_the_supply_of_the_fixed_factor(self) -> None:
        rates = [arm("auctioning", factor=factor).leakage() for factor in (0.5, 1.0, 2.0, 4.0, math.inf)]
        assert np.diff(rates).min() > 1

    def test_leakage_falls_as_the_coalition_grows(self) -> None:
        larger = [("EU26",), ("EU26", "GBR"), ("EU26", "GBR", "USA"), ("EU26", "GBR", "USA", "JPN", "KTW", "CAU")]
        rates = [arm("auctioning", home_regions=members).leakage() for members in larger]
        assert np.diff(rates).max() < 0

    def test_free_allocation_and_the_border_charge_lower_leakage(self) -> None:
        auctioning = arm("auctioning").leakage()
        assert arm("free").leakage() < auctioning
        assert arm("cbam", charged=INDUSTRY).leakage() < auctioning
        assert arm("cbam").leakage(*INDUSTRY) < arm("free").leakage(*INDUSTRY)

    def test_leakage_is_undefined_when_home_emissions_do_not_fall(self) -> None:
        run = arm("auctioning")
        back = replace(run, policy=run.reference, reference=run.policy, intensity=run.base_intensity)
        assert math.isnan(replace(back, base_intensity=run.intensity).leakage())


class TestFailure:
    def test_an_iteration_cut_short_says_how_far_it_came(self) -> None:
        case = small_case(1)
        with pytest.raises(NotConvergedError, match="after 1 iterations: residual"):
            solve(case.economy, case.elasticities, carbon_cost=case.carbon_cost, charge=case.charge, max_iterations=1)

    def test_a_subsidy_larger_than_cost_has_no_equilibrium(self) -> None:
        case = small_case(1)
        with pytest.raises(NotConvergedError):
            solve(case.economy, case.elasticities, carbon_cost=np.full(6, -2.0), charge=case.charge)
