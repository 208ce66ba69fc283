"""Paths of demand, intensity and origins; what a scenario may say of sectors and their parents."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from carbonray.config import Abatement, Disruption, Disruptions, Paths, Scenario, ScenarioError, by_sector
from carbonray.data import load_economy
from carbonray.data.scenarios import load
from carbonray.runtime import pair
from carbonray.worlds.cbam import Economy, paths
from carbonray.worlds.cbam.names import check_names
from carbonray.worlds.cbam.parameters import calibrate_technology

EXACT = 1e-12
YEAR = np.arange(4) / 4


def with_paths(scenario: Scenario, **given: dict[str, dict[int, float]]) -> Scenario:
    return scenario.model_copy(update={"paths": Paths(**given)})


def test_the_mean_of_a_year_is_the_path_at_that_year(
    small_economy: Economy, small_scenario: Callable[..., Scenario]
) -> None:
    scenario = with_paths(small_scenario("law"), demand={"CHN": {2026: 1.0, 2027: 1.2, 2028: 1.4}})
    index = paths.demand_index(small_economy, scenario, 1 + YEAR)
    assert float(index[:, 1].mean()) == pytest.approx(1.2, abs=EXACT)


def test_a_region_without_a_path_keeps_its_growth(
    small_economy: Economy, small_scenario: Callable[..., Scenario]
) -> None:
    scenario = with_paths(small_scenario("law"), demand={"CHN": {2026: 1.0, 2030: 2.0}})
    plain = paths.demand_index(small_economy, small_scenario("law"), YEAR)
    moved = paths.demand_index(small_economy, scenario, YEAR)
    assert torch.equal(plain[:, [0, 2, 3]], moved[:, [0, 2, 3]])


def test_the_path_of_a_cell_stands_before_that_of_its_region(
    small_economy: Economy, small_scenario: Callable[..., Scenario]
) -> None:
    given = {"EU26": {2026: 0.9}, "EU26-ELE": {2026: 0.5}}
    index = paths.intensity_index(small_economy, with_paths(small_scenario("law"), intensity=given), YEAR)
    at = {cell: float(index[2, place]) for place, cell in enumerate(small_economy.cells)}
    assert (at["EU26-MET"], at["EU26-ELE"]) == (0.9, 0.5)
    assert at["CHN-MET"] == pytest.approx(0.99**0.5, abs=EXACT)


def test_the_path_of_a_parent_holds_for_what_is_split_from_it() -> None:
    economy = load_economy("goods-2026")
    scenario = with_paths(load("law"), intensity={"EU26-MET": {2026: 0.5}, "EU26-ALU": {2026: 0.7}})
    check_names(economy, scenario)
    index = paths.intensity_index(economy, scenario, YEAR)
    at = {cell: float(index[0, place]) for place, cell in enumerate(economy.cells)}
    assert (at["EU26-STL"], at["EU26-ALU"], at["EU26-OMT"], at["CHN-STL"]) == (0.5, 0.7, 0.5, 1.0)


def test_a_code_may_hold_a_hyphen(world_2011: Economy) -> None:
    hyphened = replace(world_2011, regions=tuple("CHN-E" if r == "CHN" else r for r in world_2011.regions))
    growth = dict.fromkeys(hyphened.regions, 0.0)
    law = load("law", **{"growth": growth, "partners.price": {"CHN-E": 10.0}})
    scenario = with_paths(law, intensity={"CHN-E": {2026: 0.5}, "CHN-E-ELE": {2026: 0.2}})
    check_names(hyphened, scenario)
    index = paths.intensity_index(hyphened, scenario, YEAR)
    at = {place: float(index[0, number]) for number, place in enumerate(hyphened.places)}
    assert (at["CHN-E", "MET"], at["CHN-E", "ELE"], at["USA", "MET"]) == (0.5, 0.2, 1.0)
    with pytest.raises(ScenarioError, match=r"paths\.intensity: unknown sector TEA"):
        check_names(hyphened, with_paths(law, intensity={"CHN-E-TEA": {2026: 0.5}}))


def test_an_event_names_a_sector_of_the_table_itself() -> None:
    struck = Disruption(region="CHN", sector="MET", year=2026)
    scenario = load("law").model_copy(update={"disruptions": Disruptions(events=(struck,))})
    with pytest.raises(ScenarioError, match=r"disruptions.events: unknown sector MET; goods-2026 has AGR"):
        check_names(load_economy("goods-2026"), scenario)


def test_weights_of_origins_keep_what_every_buyer_spends_on_a_good(small_economy: Economy) -> None:
    weight = np.array([1.0, 3.0, 0.5, 1.2])
    moved = paths.reweighted(small_economy, weight)
    for before, after in (
        (small_economy.transactions, moved.transactions),
        (small_economy.final_demand, moved.final_demand),
    ):
        by_good = [flows.reshape(4, 6, -1).sum(0) for flows in (before, after)]
        np.testing.assert_allclose(by_good[1], by_good[0], rtol=EXACT)
    assert moved.output[6:12].sum() > small_economy.output[6:12].sum()


def test_shares_by_weight_are_those_of_the_reweighted_table(
    small_economy: Economy, small_scenario: Callable[..., Scenario]
) -> None:
    weight = np.array([1.0, 3.0, 0.5, 1.2])
    scenario = small_scenario("law")
    plain = calibrate_technology(small_economy, scenario, 4)
    moved = calibrate_technology(paths.reweighted(small_economy, weight), scenario, 4)
    home, imports = paths.weighted_shares(plain.home_share, plain.import_share, torch.as_tensor(weight))
    torch.testing.assert_close(home, moved.home_share, rtol=0, atol=EXACT)
    torch.testing.assert_close(imports, moved.import_share, rtol=0, atol=EXACT)


def test_even_weights_change_nothing(small_economy: Economy, small_scenario: Callable[..., Scenario]) -> None:
    scenario = small_scenario("law", years=1)
    even = with_paths(scenario, origin={region: {2026: 2.0} for region in small_economy.regions})
    runs = [pair.run(each, economy=small_economy) for each in (scenario, even)]
    np.testing.assert_allclose(runs[1].policy.emissions, runs[0].policy.emissions, rtol=1e-10)


def test_the_base_path_stays_at_base_prices_under_paths(
    small_economy: Economy, small_scenario: Callable[..., Scenario]
) -> None:
    scenario = with_paths(
        small_scenario("no-policy", years=2, **{"firms.intensity_spread": 0.0}),
        demand={"EU26": {2026: 1.0, 2028: 1.02}, "CHN": {2026: 1.0, 2028: 1.1}},
        origin={"CHN": {2026: 1.0, 2028: 1.05}},
    )
    run = pair.run(scenario, economy=small_economy)
    np.testing.assert_allclose(run.policy.price, 1.0, rtol=1e-8)
    grown = run.policy.output[-1, 0] / run.policy.output[0, 0]
    assert grown[6:12].min() > 1.08


def test_a_sector_takes_its_own_value_then_its_parents() -> None:
    assert by_sector(("STL", "ALU", "SRV"), {"STL": 1, "MET": 2}, 3) == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy.coverage": {"STL": 0.5}}, "policy.coverage: unknown sector STL"),
        ({"policy.priced_sectors": ("TEA",)}, "policy.priced_sectors: unknown sector TEA"),
        ({"growth": {"MARS": 0.1}}, "growth: unknown region MARS"),
    ],
)
def test_what_a_scenario_says_must_apply(
    small_economy: Economy, small_scenario: Callable[..., Scenario], change: dict[str, object], message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        check_names(small_economy, small_scenario("law", **change))


def test_a_parents_value_that_no_sector_takes_is_refused(
    small_economy: Economy, small_scenario: Callable[..., Scenario]
) -> None:
    split = replace(small_economy, sectors=("REF", "CHE", "NMM", "STL", "ELE", "SRV"))
    given = small_scenario("law").abatement | {"STL": Abatement(price=1, potential=0.5, exponent=2)}
    check_names(split, small_scenario("law").model_copy(update={"abatement": given}))
    given = given | {"MET": Abatement(price=2, potential=0.5, exponent=2)}
    with pytest.raises(ScenarioError, match=r"abatement.MET: has no effect, since STL have values of their own"):
        check_names(split, small_scenario("law").model_copy(update={"abatement": given}))
