"""The charge at the border: what it must never do, and that it is the legal formula."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.config import LEGAL_CBAM_FACTOR, Scenario, at_year
from carbonray.data import charge_per_tonne
from carbonray.data.worlds import build_world
from carbonray.runtime import inprocess
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.border_charge import CarbonTerms, border_charge, carbon_terms, free_allocation
from carbonray.worlds.cbam.parameters import PolicyParams, calibrate_policy

TIGHT = 1e-12

intensities = st.floats(0.0, 10.0)
prices = st.floats(0.0, 300.0)
shares = st.floats(0.0, 1.0)
untimed = settings(deadline=None)


def charge(
    intensity: float, *, benchmark: float, factor: float, price: float, paid: float = 0.0, coverage: float = 1.0
) -> float:
    numbers = {
        "intensity": intensity,
        "deduction": factor * benchmark,
        "rate": coverage * price,
        "offset": coverage * paid,
    }
    return border_charge(**{name: torch.tensor([[x]], dtype=torch.float64) for name, x in numbers.items()}).item()


class TestFormula:
    @given(e=intensities, b=intensities, f=shares, p=prices, paid=prices, k=shares)
    @untimed
    def test_it_is_the_legal_charge_times_coverage(
        self, e: float, b: float, f: float, p: float, paid: float, k: float
    ) -> None:
        legal = charge_per_tonne(embedded=e, benchmark=b, cbam_factor=f, certificate_price=p, price_paid_abroad=paid)
        found = charge(e, benchmark=b, factor=f, price=p, paid=paid, coverage=k)
        assert found == pytest.approx(k * legal, rel=1e-9, abs=1e-9)

    @given(e=intensities, b=intensities, f=shares, p=prices, paid=prices)
    @untimed
    def test_it_is_never_negative(self, e: float, b: float, f: float, p: float, paid: float) -> None:
        assert charge(e, benchmark=b, factor=f, price=p, paid=paid) >= 0.0

    @given(b=intensities, below=shares, p=prices, f=shares)
    @untimed
    def test_nothing_is_owed_below_the_benchmark_that_is_still_free(
        self, b: float, below: float, p: float, f: float
    ) -> None:
        assert charge(below * f * b, benchmark=b, factor=f, price=p) == 0.0

    @given(e=intensities, dirtier=intensities, b=intensities, f=shares, p=prices)
    @untimed
    def test_a_dirtier_good_pays_no_less(self, e: float, dirtier: float, b: float, f: float, p: float) -> None:
        terms = {"benchmark": b, "factor": f, "price": p}
        assert charge(e + dirtier, **terms) >= charge(e, **terms) - TIGHT

    @given(e=intensities, b=intensities, f=shares, p=prices, more=prices, paid=prices)
    @untimed
    def test_it_rises_with_the_price_at_home_and_falls_with_the_price_paid(
        self, e: float, b: float, f: float, p: float, more: float, paid: float
    ) -> None:
        now = charge(e, benchmark=b, factor=f, price=p, paid=paid)
        assert charge(e, benchmark=b, factor=f, price=p + more, paid=paid) >= now - TIGHT
        assert charge(e, benchmark=b, factor=f, price=p, paid=paid + more) <= now + TIGHT

    @given(excess=st.floats(0.01, 5.0), b=intensities, p=st.floats(1.0, 300.0))
    @untimed
    def test_the_whole_excess_is_paid_from_the_first_year(self, excess: float, b: float, p: float) -> None:
        first = at_year(LEGAL_CBAM_FACTOR, 2026)
        found = charge(first * b + excess, benchmark=b, factor=first, price=p)
        assert found == pytest.approx(p * excess, rel=1e-9)
        assert found > (1 - first) * p * excess  # what phasing in the emissions would charge

    @given(p=prices, b=intensities, phi=shares, psi=shares, k=shares)
    @untimed
    def test_only_covered_goods_lose_free_allocation(
        self, p: float, b: float, phi: float, psi: float, k: float
    ) -> None:
        def value(covered_share: float) -> float:
            number = {"price": p, "benchmark": b, "coverage": k, "covered_share": covered_share}
            tensors = {name: torch.tensor([x], dtype=torch.float64) for name, x in number.items()}
            return free_allocation(**tensors, other_share=psi).item()

        assert value(1.0) - value(phi) == pytest.approx(p * b * k * (1 - phi), rel=1e-9, abs=1e-9)
        assert value(0.0) == pytest.approx(p * b * (1 - k) * psi, rel=1e-9, abs=1e-9)


def terms_in(policy: PolicyParams, year: int, mean: torch.Tensor) -> CarbonTerms:
    """What a year's law means where goods at home have these intensities."""
    law = policy.law.in_year(year, 1)
    price = policy.price(law, policy.commitment.unsqueeze(0), year)
    return carbon_terms(policy, law, price=price, home_intensity=mean)


class TestTerms:
    def test_each_year_of_the_law_charges_by_its_own_price_and_factor(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        scenario = small_scenario("law", years=10)
        policy = calibrate_policy(small_economy, scenario)
        n_sectors = len(small_economy.sectors)
        mean = torch.full((1, n_sectors), 2.0, dtype=torch.float64)
        steel_of_china = small_economy.cells.index("CHN-MET")
        for year in range(10):
            terms = terms_in(policy, year, mean)
            found = border_charge(
                intensity=torch.full((1, 24), 5.0, dtype=torch.float64),
                deduction=terms.deduction,
                rate=terms.rate,
                offset=terms.offset,
            )
            legal = charge_per_tonne(
                embedded=5.0,
                benchmark=0.9 * 2.0,
                cbam_factor=at_year(LEGAL_CBAM_FACTOR, 2026 + year),
                certificate_price=75 + (130 - 75) * year / 9,
                price_paid_abroad=10 * 1.03**year,
            )
            assert found[0, steel_of_china].item() == pytest.approx(0.75 * legal, rel=1e-9)
            assert found[0, small_economy.cells.index("CHN-SRV")].item() == 0.0
            assert found[0, :n_sectors].abs().max().item() == 0.0  # nothing is charged at home

    def test_nothing_is_charged_allocated_or_priced_at_home_where_the_policy_is_not_enforced(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        policy = calibrate_policy(small_economy, small_scenario("law", **{"policy.export_rebate": 1.0}).reference())
        mean = torch.ones(1, len(small_economy.sectors), dtype=torch.float64)
        terms = terms_in(policy, 0, mean)
        at_home = policy.home_cell
        assert terms.price[0, at_home].abs().max() == 0
        assert terms.allocation.abs().max() == 0
        assert terms.rate.abs().max() == 0
        assert terms.price[0, ~at_home].max() == 10  # China's own

    def test_free_allocation_goes_to_its_sectors_at_home_only(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        policy = calibrate_policy(small_economy, small_scenario("no-cbam"))
        mean = torch.ones(1, len(small_economy.sectors), dtype=torch.float64)
        terms = terms_in(policy, 0, mean)
        gets = {
            cell for cell, value in zip(small_economy.cells, terms.allocation[0].tolist(), strict=True) if value > 0
        }
        assert gets == {f"EU26-{sector}" for sector in ("REF", "CHE", "NMM", "MET")}


class TestIncidence:
    @pytest.mark.parametrize("incidence", [0.0, 0.2, 1.0])
    def test_a_cleaner_firm_keeps_its_whole_advantage_whoever_bears_the_charge(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario], incidence: float
    ) -> None:
        scenario = small_scenario("law", years=1, start_year=2032, **{"policy.incidence": incidence})
        world = build_world(scenario, small_economy)
        ids = np.arange(len(world.firms.size))
        state = inprocess.reset(world, 0, 1, [{"firm": ids}])
        taken = inprocess.advance(world, state, [world.shocks(0, 1, 0, {"firm": ids})], [ids])
        firms, cleared = taken.state.agents[0], taken.state.commons.cleared
        assert cleared is not None
        mine = firms.shard.cell == small_economy.cells.index("CHN-MET")
        crossing = cleared.crossing_share[0, small_economy.cells.index("CHN-MET")]
        per_unit = (firms.profit / firms.output)[0, mine]
        cost = firms.scale[0, mine] ** (1 / world.market.inputs)
        carbon = cleared.carbon_price[0, small_economy.cells.index("CHN-MET")] * firms.intensity[0, mine]
        net_revenue = per_unit + cost + carbon
        owed = crossing * firms.charge[0, mine]
        torch.testing.assert_close(net_revenue - net_revenue[0], -(owed - owed[0]), rtol=1e-9, atol=TIGHT)
        assert (owed - owed[0]).abs().max() > 1e-4  # firms do differ
        assert firms.paid.sum().item() == pytest.approx(taken.accounts["border_charge"].sum().item(), rel=1e-9)
