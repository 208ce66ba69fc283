"""The figures of a run: which there are, and which are undefined."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from carbonray.config import Scenario
from carbonray.data.scenarios import names
from carbonray.kpi.history import yearly
from carbonray.kpi.leakage import UNDEFINED, leakage
from carbonray.kpi.summary import stability
from carbonray.runtime import pair, tables
from carbonray.runtime.pair import Pair
from carbonray.runtime.robustness import summary_of
from carbonray.worlds.cbam import Economy

TIGHT = 1e-9
RATES = (
    "leakage_rate",
    "leakage_rate_cbam_goods",
    "leakage_rate_final_year",
    "leakage_rate_cbam_goods_final_year",
)
KEYS = {
    *RATES,
    "home_reduction_mt",
    "foreign_increase_mt",
    "home_reduction_cbam_goods_mt",
    "foreign_increase_cbam_goods_mt",
    "leaked_mt",
    "leaked_mt_cbam_goods",
    "output_change_share",
    "supply_shortfall_share",
    "plan_shortfall_share",
    "delivered_growth_variance",
    "undefined_reason",
    "leakage_rate_by_sector",
    "home_reduction_by_sector_mt",
    "foreign_increase_by_partner_mt",
    "output_change_by_sector",
    "exports_change_by_sector",
    "imports_change_by_sector",
    "revenue_musd",
    "abatement_cost_musd",
    "channels",
    "intervals",
}


@pytest.fixture(scope="module")
def runs(small_economy: Economy, small_scenario: Callable[..., Scenario]) -> dict[str, Pair]:
    changes = {"years": 2, "replicas": 3}
    return {
        name: pair.run(
            small_scenario(name, **(changes | ({"growth": {}} if name == "test-arm" else {}))), economy=small_economy
        )
        for name in names()
    }


@pytest.mark.parametrize("name", names())
def test_every_scenario_gives_every_figure_as_json(runs: dict[str, Pair], name: str) -> None:
    summary = summary_of(runs[name])
    assert set(summary) >= KEYS
    json.dumps(summary, allow_nan=False)
    if name == "no-policy":
        return
    for rate in RATES:
        low, high = summary["intervals"][rate]
        assert low < summary[rate] < high
    assert summary["undefined_reason"] is None
    assert summary["home_reduction_mt"] > 0


def test_without_policy_rates_are_null_with_a_reason(runs: dict[str, Pair]) -> None:
    summary = summary_of(runs["no-policy"])
    assert [summary[rate] for rate in RATES] == [None] * 4
    assert summary["leaked_mt"] is None
    assert summary["undefined_reason"] == UNDEFINED
    assert set(summary["leakage_rate_by_sector"].values()) == {None}
    assert summary["home_reduction_mt"] == 0
    assert summary["foreign_increase_mt"] == 0
    assert not set(RATES) & set(summary["intervals"])


def test_total_and_cbam_goods_leakage_stand_side_by_side(runs: dict[str, Pair]) -> None:
    summary = summary_of(runs["law"])
    assert summary["leakage_rate"] != summary["leakage_rate_cbam_goods"]
    run = runs["law"]
    emitted = [side.emissions.sum(0) for side in (run.policy, run.reference)]
    sector = np.tile(run.world.sectors, len(run.world.regions))
    home = run.world.policy.home_cell.numpy()
    goods = leakage(*emitted, home, np.isin(sector, ["CHE", "NMM", "MET"]))
    assert summary["leakage_rate_cbam_goods"] == pytest.approx(goods.rate.mean(), rel=TIGHT)


def test_channels_of_a_run_sum_to_the_foreign_increase_of_its_last_year(runs: dict[str, Pair]) -> None:
    run = runs["law"]
    summary = summary_of(run)
    foreign = ~run.world.policy.home_cell.numpy()
    change = yearly(run.policy.emissions)[-1] - yearly(run.reference.emissions)[-1]
    rise = change[:, foreign].sum(1).mean()
    assert sum(summary["channels"].values()) == pytest.approx(rise, rel=1e-6)


def test_sectors_and_partners_add_up_to_the_total(runs: dict[str, Pair]) -> None:
    summary = summary_of(runs["law"])
    assert sum(summary["home_reduction_by_sector_mt"].values()) == pytest.approx(
        summary["home_reduction_mt"], rel=TIGHT
    )
    by_partner = summary["foreign_increase_by_partner_mt"]
    assert sum(by_partner.values()) == pytest.approx(summary["foreign_increase_mt"], rel=TIGHT)
    assert "EU26" not in by_partner


def test_cbam_raises_revenue_only_where_it_is_in_force(runs: dict[str, Pair]) -> None:
    for name, charged in (("law", True), ("no-cbam", False), ("no-policy", False)):
        revenue = summary_of(runs[name])["revenue_musd"]
        assert (revenue["border_charge"] > 0) == charged
        assert (revenue["carbon_price"] > 0) == (name != "no-policy")


def test_quarters_of_a_run_average_to_its_tonnes(runs: dict[str, Pair]) -> None:
    run = runs["law"]
    frame, summary = tables.steps(run), summary_of(run)
    assert len(frame) == 3 * 8
    assert frame["home_reduction_mt"].sum() / 3 == pytest.approx(summary["home_reduction_mt"], rel=TIGHT)
    assert list(frame.columns[:4]) == ["replica", "step", "year", "quarter"]
    assert frame["year"].tolist() == [2026] * 12 + [2027] * 12


def test_undelivered_share_of_a_run_by_hand(runs: dict[str, Pair]) -> None:
    run = runs["no-policy"].policy
    lost = np.zeros_like(run.lost)
    made = run.output.copy()
    lost[0, :, 0] = 0.25 * made[0, :, 0]  # of what the first cell made in the first quarter
    made[0, :, 0] *= 0.75
    struck = replace(run, lost=lost, accounts={**run.accounts, "output": made})
    gone = run.output[0, :, 0] * 0.25
    np.testing.assert_allclose(stability(struck)["supply_shortfall_share"], gone / run.output.sum((0, 2)), rtol=TIGHT)
