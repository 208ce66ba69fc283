"""What a run charges at the border against the law's own formula for one tonne."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from carbonray.config import LEGAL_CBAM_FACTOR, Scenario, at_year
from carbonray.data import charge_per_tonne, load_economy
from carbonray.data.scenarios import load
from carbonray.runtime import pair
from carbonray.runtime.charges import charges
from carbonray.worlds.cbam import Economy

TIGHT = 1e-7  # sums over firms are in fixed point: half a thousandth of a dollar in the smallest flows


@cache
def economy() -> Economy:
    return load_economy("goods-2011")


@cache
def charged() -> tuple[Scenario, pd.DataFrame]:
    """Two years of the law when everybody declares default values."""
    changes = {"firms.number": 1000, "years": 2, "policy.reporting": "default", "economy": "goods-2011"}
    scenario = load("law", **changes)
    return scenario, charges(pair.run(scenario, economy=economy()))


def by_law(scenario: Scenario, row: pd.Series) -> float:
    goods, cell = economy().goods, economy().cells.index(f"{row['region']}-{row['sector']}")
    assert goods is not None
    year = int(row["year"])
    priced = scenario.partners.price.get(row["region"], 0.0)
    paid_abroad = priced * (1 + scenario.partners.price_growth) ** (year - 2026)
    mark_up = scenario.policy.markup_fixed.get(row["sector"], at_year(scenario.policy.markup, year))
    return scenario.policy.coverage[row["sector"]] * charge_per_tonne(
        embedded=goods.default_value[cell] * (1 + mark_up),
        benchmark=goods.default_benchmark[cell],
        cbam_factor=LEGAL_CBAM_FACTOR[year],
        certificate_price=at_year(scenario.policy.price, year),
        price_paid_abroad=paid_abroad,
    )


def test_a_tonne_declared_at_its_default_value_pays_what_the_law_says() -> None:
    scenario, table = charged()
    assert set(table["sector"]) == {"STL", "ALU", "CEM", "FER"}
    owed = np.array([by_law(scenario, row) for _, row in table.iterrows()])
    np.testing.assert_allclose(table["charge_eur_per_t"], owed, rtol=TIGHT, atol=TIGHT)
    assert owed.max() > 100


def test_tonnes_times_unit_value_is_the_value_of_imports() -> None:
    _, table = charged()
    goods = economy().goods
    assert goods is not None
    places = [economy().cells.index(f"{r}-{s}") for r, s in zip(table["region"], table["sector"], strict=True)]
    value = table["imports_kt"] * goods.unit_value[places] / 1e3
    np.testing.assert_allclose(value, table["imports_musd"], rtol=TIGHT)


def test_a_wrong_phase_in_of_emissions_would_be_noticed() -> None:
    scenario, table = charged()
    row = table[(table["region"] == "IND") & (table["sector"] == "STL") & (table["year"] == 2026)].iloc[0]
    wrong = by_law(scenario, row) * (1 - LEGAL_CBAM_FACTOR[2026])
    assert row["charge_eur_per_t"] > 10 * wrong


def test_a_benchmark_by_share_of_intensity_gives_other_charges() -> None:
    other = load("law", **{"firms.number": 1000, "years": 1, "policy.benchmark": "share", "economy": "goods-2011"})
    own = load("law", **{"firms.number": 1000, "years": 1, "economy": "goods-2011"})
    paid = [charges(pair.run(each, economy=economy()))["charge_musd"].sum() for each in (own, other)]
    assert paid[0] != pytest.approx(paid[1], rel=0.01)


def test_free_allocation_at_home_does_not_exceed_what_was_emitted_a_year_before() -> None:
    changes = {"firms.number": 1000, "years": 4, "economy": "goods-2011"}
    held, full = (load("no-cbam", **changes, **{"policy.benchmark_year": rule}) for rule in ("previous", "base"))
    goods = np.isin(np.array([cell.split("-")[1] for cell in economy().cells]), ["STL", "ALU", "CEM", "FER"])
    home = np.array([cell.startswith("EU26-") for cell in economy().cells]) & goods

    def granted(scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
        run = pair.run(scenario, economy=economy(), record_firms=False)
        accounts = run.policy.accounts
        price = accounts["carbon_cost"][:, 0, home] / accounts["emissions"][:, 0, home]
        allocated = (accounts["allocation"][:, 0, home] / price).reshape(4, 4, -1).sum(1)
        return allocated / run.policy.output[:, 0, home].reshape(4, 4, -1).sum(1), (
            run.policy.emissions[:, 0, home].reshape(4, 4, -1).sum(1)
            / run.policy.output[:, 0, home].reshape(4, 4, -1).sum(1)
        )

    per_unit, intensity = granted(held)
    assert (per_unit[1:] <= intensity[:-1] * (1 + TIGHT)).all()
    generous, _ = granted(full)
    assert (generous[1:] > intensity[:-1]).any()
    np.testing.assert_allclose(generous[1:], generous[:1].repeat(3, axis=0), rtol=TIGHT)
