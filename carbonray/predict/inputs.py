"""What a predictor is asked: the figures of a law and an economy that it knows, read from a scenario, and back.

Axes: N case (a law in an economy), I input, Y year, F feature of a year.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from carbonray.config import Scenario, at_year, by_sector
from carbonray.predict.space import ECONOMY, EXTENSIBLE, LEVERS, YEARS, Bound

Array = NDArray[np.float64]

PATHS = ("price", "free_allocation", "cbam_factor")
REVENUE = np.array([6.0, 0.5, 1.5, *[1.0] * (len(YEARS) - 3)])
"""[Y] what auctions bring at a given price, relative to later years: in the first nobody has cut yet, and in
the second free allowances still follow what was emitted before."""
COVERED = ("STL", "ALU", "CEM", "FER", *EXTENSIBLE)
SCALARS = ("cbam", "export_rebate", "support_home", "support_abroad")
OF_ECONOMY = tuple(name for name in ECONOMY if name != "partner_price")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The inputs by name, as a row has them."""

    sectors: tuple[str, ...]
    partners: tuple[str, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """[I] such as price.2030, coverage.STL, partner_price.CHN, sigma_scale."""
        return (
            *(f"{path}.{year}" for path in PATHS for year in YEARS),
            *(f"coverage.{sector}" for sector in COVERED),
            *SCALARS,
            *(f"partner_price.{region}" for region in self.partners),
            *OF_ECONOMY,
        )

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """[I] between which runs were drawn."""
        both = {**LEVERS, **ECONOMY}
        return tuple(both[name.partition(".")[0]] for name in self.names)

    @cached_property
    def places(self) -> Mapping[str, int | slice]:
        """Where each input is in a row: one figure, or those of a group, which lie side by side."""
        groups = [name.partition(".")[0] for name in self.names]
        return {
            name: slice(groups.index(name), groups.index(name) + groups.count(name))
            if "." in self.names[groups.index(name)]
            else groups.index(name)
            for name in groups
        }

    def take(self, rows: Array, name: str) -> Array:
        """Columns of an input: [N, Y] of a path, [N, k] of a group, [N] of one figure."""
        return rows[:, self.places[name]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A row of inputs, and what of the scenario it does not hold."""

    row: Array  # [I]
    approximated: tuple[str, ...] = ()  # keys whose value is near but not equal to what the row stands for, and how
    unknown: tuple[str, ...] = ()  # keys that differ from what the predictor was built for, and are no inputs


def case_of(layout: Layout, base: Scenario, scenario: Scenario) -> Case:
    """The inputs of a scenario.

    Args:
        layout: of the inputs.
        base: what the runs of the predictor had in common.
        scenario: what is asked.
    """
    policy, partners = scenario.policy, scenario.partners
    approximated: list[str] = []
    first, last = YEARS[0], YEARS[-1]
    prices, growth = dict(partners.price), partners.price_growth
    if partners.commitment:
        start, end = (at_year(policy.price, year) for year in (first, last))
        prices |= {region: share * start for region, share in partners.commitment.items()}
        growth = (end / start) ** (1 / (last - first)) - 1 if start > 0 and end > 0 else 0.0
        approximated.append("partners.commitment: taken as prices that grow evenly and do not move at random")
    home = [region for region in scenario.growth if region in scenario.home]
    shifts = [
        scenario.growth.get(region, 0.0) - base.growth.get(region, 0.0)
        for region in base.growth
        if region not in base.home
    ]
    shift = float(np.mean(shifts))
    if max(shifts) - min(shifts) > 1e-9:
        approximated.append("growth: partners' growth differs region by region; its mean difference is taken")
    values: dict[str, float] = {
        "cbam": float(policy.cbam),
        "export_rebate": policy.export_rebate,
        "sigma_scale": scenario.market.sigma_scale,
        "factor_supply": scenario.market.factor_supply,
        "inputs": scenario.market.inputs,
        "abatement_scale": scenario.abatement_scale,
        "incidence": policy.incidence,
        "growth_home": scenario.growth.get(home[0], 0.0) if home else 0.0,
        "growth_abroad": shift,
        "intensity_trend": scenario.firms.intensity_trend,
        "fuel": float(scenario.fuel.channel),
        "price_growth": growth,
    }
    if scenario.years < len(YEARS):
        approximated.append(f"years: all of {first}-{last} are told, not {scenario.years}")
    for name in ("support_home", "support_abroad"):
        path = [at_year(getattr(policy, name), year) for year in YEARS]
        values[name] = float(np.mean(path))
        if max(path) - min(path) > 1e-9:
            approximated.append(f"policy.{name}: changes over the years; its mean is taken")
    for name in PATHS:
        values |= {f"{name}.{year}": at_year(getattr(policy, name), year) for year in YEARS}
    coverage = dict(zip(layout.sectors, by_sector(layout.sectors, policy.coverage, 0.0), strict=True))
    values |= {f"coverage.{sector}": coverage[sector] for sector in COVERED}
    beyond = [f"policy.coverage.{sector}" for sector in layout.sectors if sector not in COVERED and coverage[sector]]
    values |= {f"partner_price.{region}": prices.get(region, 0.0) for region in layout.partners}
    row = np.array([values[name] for name in layout.names])
    return Case(row=row, approximated=tuple(approximated), unknown=(*_unknown(base, scenario), *beyond))


READ = (
    "name", "summary", "seed", "replicas", "years", "growth", "abatement_scale", "firms.number", "firms.slots",
    "firms.plants", "firms.intensity_trend", "firms.learned", "market.sigma_scale", "market.factor_supply",
    "market.inputs", "partners.price", "partners.price_growth", "partners.commitment", "partners.commitment_step",
    "fuel.channel", "policy.incidence", *(f"policy.{name}" for name in LEVERS),
)  # fmt: skip
"""Keys that are inputs, or do not move what is predicted: a prediction is of the mean economy of many firms."""


def _unknown(base: Scenario, scenario: Scenario) -> tuple[str, ...]:
    """Keys in which a scenario differs from the base and that are no inputs."""
    parts = {name for name in Scenario.model_fields if getattr(base, name) != getattr(scenario, name)}
    sides = [_flat(each.model_dump(mode="json", include=parts)) for each in (base, scenario)]
    keys = dict.fromkeys((*sides[0], *sides[1]))
    return tuple(
        key
        for key in keys
        if sides[0].get(key) != sides[1].get(key)
        and not any(key == read or key.startswith(f"{read}.") for read in READ)
    )


def _flat(tree: Mapping[str, object], before: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{key}.")
        else:
            flat[f"{before}{key}"] = value
    return flat


def rows_of(layout: Layout, base: Scenario, scenarios: Sequence[Scenario]) -> Array:
    """[N, I]."""
    return np.stack([case_of(layout, base, each).row for each in scenarios])


def features(layout: Layout, rows: Array) -> Array:
    """[N, Y, F] what a year's figures depend on: the law of the year and of those before it, and the economy.

    What firms pay is spelt out, since networks learn products slowly: p (1 - phi), p k (1 - f) and their means so far.
    """
    price, free, factor = (layout.take(rows, name) for name in PATHS)
    price = price / 100
    on, rebate, at_home, abroad = (layout.take(rows, name)[:, None] + 0 * price for name in SCALARS)
    charged, net = on * price * (1 - factor), price * (1 - free)
    before, revenue = _lag(price), (price - price * free * 0.6) * REVENUE
    years = np.arange(price.shape[1])
    columns = [
        price, before, _lag(before), _most(before), _mean(price),
        free, _lag(free), net, _lag(net), _mean(net),
        on, on * factor, on * price, charged, _lag(charged), _mean(charged),
        rebate, rebate * price, rebate * net,
        *(part for share in (at_home, abroad) for part in _contracts(share * _lag(revenue))),
        np.log(np.maximum(price, 0.01)), _most(np.sqrt(before)), at_home, abroad,
        *(0 * price + (years == year) for year in (0, 1, 2)), 0 * price + years / years[-1],
    ]  # fmt: skip
    coverage = layout.take(rows, "coverage")
    for place in range(coverage.shape[1]):
        share = coverage[:, place, None]
        columns += [0 * price + share, share * on * price, share * charged, share * net]
    growth = (1 + layout.take(rows, "price_growth"))[:, None] ** years
    columns += [paid[:, None] / 100 * growth for paid in layout.take(rows, "partner_price").T]
    for name in OF_ECONOMY:
        values = layout.take(rows, name)
        columns.append((np.log(values) if name == "factor_supply" else values)[:, None] + 0 * price)
    return np.stack(columns, 2)


def _lag(path: Array) -> Array:
    return np.concatenate([0 * path[:, :1], path[:, :-1]], 1)


def _most(path: Array) -> Array:
    return np.maximum.accumulate(path, 1)


def _mean(path: Array) -> Array:
    return path.cumsum(1) / np.arange(1, path.shape[1] + 1)


def _contracts(deposits: Array) -> list[Array]:
    """What contracts cut, now and a year ago: each deposit [N, Y] in their fund is paid out evenly to the last year.

    By the abatement law m ~ u^(1 / (k - 1)) with k - 1 near 1.4 and u m = what is paid a year, m ~ that^0.42.
    """
    left = np.arange(deposits.shape[1], 0, -1)
    cut = np.maximum(np.cumsum(deposits / left, 1), 0.0) ** 0.42
    return [cut, _lag(cut)]
