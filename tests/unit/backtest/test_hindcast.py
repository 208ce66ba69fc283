"""Drivers and hindcast: paths keep yearly means, runs emit what was emitted, embodied carbon adds up."""

import numpy as np
import pandas as pd
import pytest
import torch

from carbonray.backtest.drivers import Parameters, abated, origin_weights, path, scenario_of
from carbonray.backtest.evaluate import lines
from carbonray.backtest.hindcast import Told, forecast, history, net_import, told, volumes_of
from carbonray.backtest.record import HOME, Record, load_record
from carbonray.config import at_year
from carbonray.data import load_economy
from carbonray.runtime import pair
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.abatement import abatement_at
from carbonray.worlds.cbam.parameters import calibrate_firms

pytestmark = pytest.mark.slow  # the whole suite runs them; `make check` has a minute

FIRMS, LAST = 720, 2008
PARAMETERS = Parameters(size=1.0, price_level=0.5)
EXACT, TIGHT, CLOSE = 1e-12, 1e-9, 0.02


@pytest.fixture(scope="module")
def record() -> Record:
    return load_record()


@pytest.fixture(scope="module")
def economy() -> Economy:
    return load_economy("history-2004")


@pytest.fixture(scope="module")
def run(record: Record, economy: Economy) -> pair.Pair:
    scenario = history(record, economy, PARAMETERS, last=LAST, firms=FIRMS)
    return pair.run(scenario, economy=economy, record_firms=False)


def test_a_path_has_the_yearly_means_it_was_made_from() -> None:
    wanted = pd.Series([1.0, 1.1, 0.8, 1.3, 1.2], index=range(2004, 2009))
    knots = path(wanted, 2004, 2008)
    quarters = np.array([-0.375, -0.125, 0.125, 0.375])
    means = [np.mean([at_year(knots, year + float(q)) for q in quarters]) for year in range(2005, 2009)]
    assert means == pytest.approx(wanted.loc[2005:].to_list(), rel=EXACT)
    assert knots[2004] == 1.0


def test_abatement_is_the_models_own_a_year_later_and_never_undone(record: Record, economy: Economy) -> None:
    scenario = scenario_of(record, economy, PARAMETERS, last=LAST, firms=FIRMS)
    cut = abated(scenario.abatement, scenario.policy.price)
    params = calibrate_firms(economy, scenario)
    price = torch.full((len(economy.cells),), scenario.policy.price[2005], dtype=torch.float64)
    own = abatement_at(params, price).numpy()[: len(economy.sectors)]
    for sector in cut:
        assert cut.loc[2006, sector] == pytest.approx(own[economy.sectors.index(sector)], rel=TIGHT)
        assert cut.loc[2005, sector] == 0.0
        assert bool((cut[sector].diff().dropna() >= 0).all())


def test_weights_are_one_in_the_base_year_and_follow_size(record: Record) -> None:
    still = origin_weights(record, 2004, Parameters(size=0.0, price_level=0.0))
    assert np.allclose(still, 1.0)
    weights = origin_weights(record, 2004, Parameters(size=1.0, price_level=0.0))
    assert np.allclose(weights.loc[2004], 1.0)
    assert weights.loc[2010, "CHN"] > 1.2
    assert weights.loc[2010, "JPN"] < 1.0


def test_under_the_price_every_region_emits_what_it_emitted(record: Record, run: pair.Pair) -> None:
    said = told(run.economy, run.policy, 2004)
    emitted = said.emissions.reshape(len(said.emissions), len(said.regions), -1).sum(2)
    for place, region in enumerate(said.regions):
        observed = record.co2[region].loc[2004:LAST].to_numpy() / record.co2[region].loc[2004]
        assert emitted[:, place] / emitted[0, place] == pytest.approx(observed, rel=CLOSE), region


def test_without_the_price_only_home_emits_more(run: pair.Pair) -> None:
    policy, reference = (told(run.economy, side, 2004) for side in (run.policy, run.reference))
    home = np.repeat(np.isin(run.economy.regions, HOME), len(run.economy.sectors))
    change = policy.emissions - reference.emissions
    assert (change[2:, home].sum(1) < 0).all()
    assert np.abs(change[:, ~home].sum(1)).max() < 0.05 * np.abs(change[:, home].sum(1)).max()


def test_embodied_carbon_of_all_regions_adds_up_to_none(run: pair.Pair) -> None:
    said = told(run.economy, run.policy, 2004)
    assert np.abs(said.net_import.sum(1)).max() < TIGHT * said.emissions.sum(1).max()


def test_embodied_carbon_of_two_regions_is_the_worked_example() -> None:
    # One good each; region 0 emits 1 per unit and sells 30 of its 100 to region 1's final demand; region 1 emits none.
    purchases = np.array([[0.0, 0.0, 70.0, 30.0], [0.0, 0.0, 10.0, 40.0]])
    assert net_import(purchases, np.array([100.0, 0.0])) == pytest.approx([-30.0, 30.0], rel=EXACT)


def test_a_forecast_starts_at_the_anchor(record: Record, run: pair.Pair) -> None:
    said = told(run.economy, run.policy, 2004)
    one = record.find("trade MET extra-EU")
    doubled = Told(**{**vars(said), "sales_home": 2 * said.sales_home})
    volumes = volumes_of(record)
    assert forecast(doubled, one, volumes) == pytest.approx(forecast(said, one, volumes), rel=EXACT)
    assert min(forecast(said, one, volumes)) == 2005


def test_rows_are_scored_against_all_three_naive_forecasts(record: Record, run: pair.Pair) -> None:
    found = lines(record, told(run.economy, run.policy, 2004), {})
    assert all(set(line.skill) == {"last value", "trend", "constant share"} for line in found)
    by_key = {line.key: line for line in found}
    assert by_key["trade MET by origin"].pooled_of == 10
    assert not by_key["ets combustion"].counted
    assert sum(not line.detail for line in found) >= 15
