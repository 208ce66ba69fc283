"""Settings and shards at the edge of what is allowed."""

from collections.abc import Callable

import numpy as np
import pytest

from carbonray.config import Scenario, ScenarioError
from carbonray.data.worlds import build_world
from carbonray.kpi.summary import stability
from carbonray.runtime import inprocess, pair
from carbonray.runtime.robustness import summary_of
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.market import MarketError

Fit = Callable[..., Scenario]
WHOLE_CELL = {"region": "CHN", "sector": "MET", "year": 2026, "quarters": 3}


@pytest.mark.parametrize("scale", [0.3, 0.5])
def test_buyers_without_imports_do_not_break_the_market(
    small_economy: Economy, small_scenario: Fit, scale: float
) -> None:
    alone = np.array(small_economy.transactions)
    alone[1:, -1] = 0.0  # the last cell buys nothing but from one supplier
    economy = Economy(
        regions=small_economy.regions,
        sectors=small_economy.sectors,
        year=small_economy.year,
        transactions=alone,
        final_demand=small_economy.final_demand,
        emissions=small_economy.emissions,
    )
    run = pair.run(small_scenario("law", years=1, **{"market.sigma_scale": scale}), economy=economy)
    assert np.isfinite(run.policy.emissions).all()


def test_an_empty_shard_changes_nothing(small_economy: Economy, small_scenario: Fit) -> None:
    world = build_world(small_scenario("law", **{"firms.number": 180}), small_economy)
    everybody, nobody = np.arange(180), np.arange(0)
    accounts = []
    for shards in ([everybody], [everybody, nobody]):
        state = inprocess.reset(world, 0, 1, [{"firm": ids} for ids in shards])
        shocks = [world.shocks(0, 1, 0, {"firm": ids}) for ids in shards]
        accounts.append(inprocess.advance(world, state, shocks, shards).accounts)
    assert all(np.array_equal(accounts[0][name], accounts[1][name]) for name in accounts[0])


def test_a_cell_that_stands_whole_counts_as_lost_and_keeps_its_stock(
    small_economy: Economy, small_scenario: Fit
) -> None:
    run = pair.run(small_scenario("law", years=1, **{"disruptions.events": [WHOLE_CELL]}), economy=small_economy)
    assert stability(run.policy)["supply_shortfall_share"][0] > 0.001
    cell = small_economy.cells.index("CHN-MET")
    bought = run.policy.purchases[0][:, cell].sum()
    assert bought > 0


def test_without_priced_sectors_the_change_of_output_is_undefined(small_economy: Economy, small_scenario: Fit) -> None:
    run = pair.run(small_scenario("law", years=1, **{"policy.priced_sectors": []}), economy=small_economy)
    assert summary_of(run)["output_change_share"] is None


def test_a_market_that_cannot_clear_says_for_which_product(small_economy: Economy, small_scenario: Fit) -> None:
    stiff = {"market.sigma_scale": 0.05, "market.inputs": 0.05, "market.final_demand_other": 0.0}
    stiff |= {"market.final_demand": {}, "disruptions.events": [WHOLE_CELL]}
    with pytest.raises(MarketError, match=r"quarter \d+: no prices clear the market .* from [A-Z]+"):
        pair.run(small_scenario("law", years=1, **stiff), economy=small_economy)


def test_stocks_that_could_not_grow_are_refused(small_scenario: Fit) -> None:
    with pytest.raises(ScenarioError, match=r"firms\.stock_target"):
        small_scenario("law", **{"firms.stock_target": 1.0})
