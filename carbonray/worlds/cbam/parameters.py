"""Calibration: from an economy and a scenario to the tensors that a run reads.

Axes: Y year of the run, T quarter, R region (origin), D destination region, S sector (good), C = R x S cell,
K = S + 1 buyers within a destination: its sectors, then final demand.  Money million USD of the base year,
mass Mt CO2, flows a quarter; intensities and charges per USD of base-year output.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from carbonray.config import Policy, Scenario, ScenarioError, at_year, by_sector
from carbonray.units import QUARTERS, USD_2011_PER_EURO_2026
from carbonray.worlds import exact
from carbonray.worlds.cbam import paths
from carbonray.worlds.cbam.economy import Array, Economy
from carbonray.worlds.cbam.law import Law, law_of
from carbonray.worlds.cbam.named_firms import NamedFirms
from carbonray.worlds.cbam.names import check_names

UNUSED = 1e-30
"""Input coefficient of a good that a cell does not buy: its stock cover is then defined and never binds."""
LIMIT = 1e-4
"""An elasticity this near to one is moved to one plus or minus this: the Cobb-Douglas limit."""


@dataclass(frozen=True, kw_only=True)
class TechnologyParams:
    """How goods are made and bought in the base year."""

    home_share: Tensor  # [S, D, K] share of home-made goods in purchases (alpha)
    import_share: Tensor  # [S, D, K, R] share of an origin in imports (mu)
    import_share_by_buyer: Tensor  # [S, D, R, K] the same, laid out for sums over buyers
    inputs: Tensor  # [S, D, S_buyer] input of good s per unit of output (a)
    factor_share: Tensor  # [C] value added per unit of output (v)
    final_demand: Tensor  # [S, D] million USD a quarter (F)
    output: Tensor  # [C] million USD a quarter
    intensity: Tensor  # [C] t CO2 / USD
    embodied: Tensor  # [C] t CO2 / USD with inputs' emissions, e (I - A)^-1
    trend: Tensor  # [T + 1, C] output on the path without policy, relative to the base year
    demand_trend: Tensor  # [T + 1, D] final demand on that path, relative to the base year
    intensity_trend: Tensor  # [T + 1, C] intensity without policy, relative to the base year
    origin_weight: Tensor | None  # [T + 1, R] of a region's goods in all purchases, relative to the base year


@dataclass(frozen=True, kw_only=True)
class MarketParams:
    """Elasticities."""

    domestic: Tensor  # [S] between home-made and imported (sigma_d)
    imports: Tensor  # [S] between origins (sigma_m = 2 sigma_d)
    final_demand: Tensor  # [S] eta
    inputs: float  # epsilon
    factor_supply: float  # chi
    incidence: float  # lambda, share of the charge that the exporter bears


@dataclass(frozen=True, kw_only=True)
class PolicyParams:
    """What is charged and allocated, by year."""

    home: Tensor  # [R] bool
    law: Law  # [L, Y + 1] what the home region turns
    enforced: bool
    partners_price: Tensor  # [Y + 1, R] USD / t, zero at home
    commitment: Tensor  # [R] share of the home price, NaN where a region has its own price
    commitment_step: float
    priced: Tensor  # [S] bool
    free: Tensor  # [S] bool
    free_share_other: float
    covered: Tensor  # [G] int64, sectors with CBAM goods
    benchmark_share: float
    benchmark_follows: bool  # last year's intensity rather than the base year's
    legal_benchmark: Tensor  # [C] t CO2 / USD; NaN where the benchmark is a share of the intensity at home
    default_benchmark: Tensor  # [C] the same for importers that declare default values
    paid_share: float
    default_values: bool
    legal_default: Tensor  # [C] t CO2 / USD before mark-up; NaN where the cell's base intensity stands in
    markup: Tensor  # [Y + 1, S]
    indirect: Tensor  # [S] bool
    retaliation: float
    threshold: float  # Mt CO2 a quarter
    regulated: bool  # whether a regulator turns the law
    levers: tuple[str, ...]  # what it may turn
    settled: int  # last years in which it may turn nothing
    extensible: Tensor  # [S] bool, all of whose output it may cover

    @property
    def home_cell(self) -> Tensor:
        """[C] bool."""
        return self.home.repeat_interleave(len(self.priced))

    @property
    def crosses(self) -> bool:
        """Whether anything can be charged or refunded at the home region's border."""
        rebated = self.regulated and self.enforced
        return rebated or bool((self.law.cbam > 0).any() or (self.law.export_rebate > 0).any())

    @property
    def supports(self) -> bool:
        """Whether revenue can pay for abatement."""
        paid = self.regulated and self.enforced
        return paid or bool((self.law.support_home > 0).any() or (self.law.support_abroad > 0).any())

    @property
    def own_prices(self) -> Tensor:
        """[R] commitments of partners who have none."""
        return torch.full_like(self.commitment, math.nan)

    def price(self, law: Law, commitment: Tensor, year: int) -> Tensor:
        """[B, R] USD / t CO2 that each region's producers pay in a year.

        Args:
            law: in force, [B].
            commitment: [B, R] share of the home price, in force or not; NaN where a partner has its own price.
            year: of the run.
        """
        abroad = torch.where(commitment.isnan(), self.partners_price[year], commitment * law.price[:, None])
        return torch.where(self.home, law.price[:, None] * self.enforced, abroad)


@dataclass(frozen=True, kw_only=True)
class FirmParams:
    """Behaviour and technology of firms; cell values are [C]."""

    cell_ends: Tensor  # [C] int64: firms up to and including each cell
    size: Tensor  # [N] million USD a quarter
    intensity_spread: float
    growth_response: float
    growth_limit: float
    stock_target: float
    stock_adjustment: float
    abatement_lag: int
    exporters_abate: bool
    price_response: float
    abatement_price: Tensor  # [C] USD / t (P_b)
    abatement_potential: Tensor  # [C] (m_max)
    abatement_exponent: Tensor  # [C] (k)
    abatement_cap: Tensor  # [C]
    learned: bool
    sourcing_step: float
    sourcing_limit: float
    sourcing_cost: float
    relocation_step: float
    relocation_cost: float
    own_intensity: Tensor | None = None  # [N] t CO2 / USD of named firms, NaN for sampled ones; None if all are sampled
    own_allocation: Tensor | None = None  # [N] free allowances per unit relative to the cell's


@dataclass(frozen=True, kw_only=True)
class ObjectiveParams:
    """What a regulator weighs, in million USD."""

    leakage: float  # of a Mt CO2 abroad
    home: float  # of a Mt CO2 at home
    output: float  # of a million USD of value added at home
    revenue: float  # of a million USD of public money


def calibrate_objective(scenario: Scenario) -> ObjectiveParams:
    """The scenario's weights in USD."""
    weights = scenario.regulator
    return ObjectiveParams(
        leakage=weights.leakage * USD_2011_PER_EURO_2026,
        home=weights.home * USD_2011_PER_EURO_2026,
        output=weights.output,
        revenue=weights.revenue,
    )


def calibrate_technology(economy: Economy, scenario: Scenario, steps: int) -> TechnologyParams:
    """Base-year shares, and the path on which the economy grows without policy."""
    n_regions, n_sectors = len(economy.regions), len(economy.sectors)
    output = economy.output
    if output.min() <= 0:
        raise ScenarioError(f"{scenario.economy}: {economy.cells[int(output.argmin())]} has no output; merge it")
    flows = np.concatenate(
        [
            economy.transactions.reshape(n_regions, n_sectors, n_regions, n_sectors),
            economy.final_demand.reshape(n_regions, n_sectors, n_regions, 1),
        ],
        axis=3,
    )  # [R, S, D, K]
    by_origin = np.ascontiguousarray(flows.transpose(1, 2, 3, 0))  # [S, D, K, R]
    bought = by_origin.sum(3)
    own = np.einsum("sdkd->sdk", by_origin)
    foreign = by_origin.copy()
    np.einsum("sdkd->sdk", foreign)[:] = 0.0
    imported = foreign.sum(3)
    home_share = np.divide(own, bought, out=np.ones_like(own), where=bought > 0)
    import_share = np.divide(foreign, imported[..., None], out=np.zeros_like(foreign), where=imported[..., None] > 0)
    inputs = np.maximum(bought[:, :, :-1] / output.reshape(1, n_regions, n_sectors), UNUSED)
    quarterly = torch.as_tensor(output / QUARTERS)
    shares = torch.as_tensor(economy.transactions / output)  # [C, C] input of product o per unit of cell j
    elapsed = np.arange(steps + 1) / QUARTERS
    demand_trend = paths.demand_index(economy, scenario, elapsed)
    weight = paths.origin_weights(economy, scenario, elapsed)
    intensity = torch.as_tensor(economy.emissions / output)
    leontief = exact.inverse(torch.eye(len(output), dtype=torch.float64) - shares)
    return TechnologyParams(
        home_share=torch.as_tensor(home_share),
        import_share=torch.as_tensor(import_share),
        import_share_by_buyer=torch.as_tensor(np.ascontiguousarray(import_share.transpose(0, 1, 3, 2))),
        inputs=torch.as_tensor(inputs),
        factor_share=torch.as_tensor(economy.value_added / output),
        final_demand=torch.as_tensor(np.ascontiguousarray(bought[:, :, -1]) / QUARTERS),
        output=quarterly,
        intensity=intensity,
        embodied=exact.apply(leontief.T, intensity),
        demand_trend=demand_trend,
        intensity_trend=paths.intensity_index(economy, scenario, elapsed),
        origin_weight=weight,
        trend=_trend(economy, demand_trend, weight, scenario),
    )


def _trend(economy: Economy, demand_trend: Tensor, weight: Tensor | None, scenario: Scenario) -> Tensor:
    """Output that clears every market at base prices while final demand grows, [T + 1, C] relative to the base year.

    Purchases of inputs are use plus the part of the gap to the stock target that is closed this quarter:
    X_t = A_t ((1 + q n) X_t) - q s_t + F_t  and  s_{t+1} = (1 - q) s_t + q n A_t X_t  with q the stock adjustment and
    n the target; A_t and F_t split purchases over origins by the weights of the time.
    """
    adjustment, target = scenario.firms.stock_adjustment, scenario.firms.stock_target
    output = torch.as_tensor(economy.output / QUARTERS)
    identity = torch.eye(len(output), dtype=torch.float64)
    stock = target * output  # of composite inputs, by buyer, in units of its output
    path = [output]
    for step in range(1, demand_trend.shape[0]):
        if step == 1 or (weight is not None and bool((weight[step] != weight[step - 1]).any())):
            now = economy if weight is None else paths.reweighted(economy, weight[step].numpy())
            shares = torch.as_tensor(now.transactions / economy.output)
            final_demand = torch.as_tensor(now.final_demand) / QUARTERS
            solve = exact.inverse(identity - shares * (1 + adjustment * target))
        stock = (1 - adjustment) * stock + adjustment * target * path[-1]
        demand = exact.apply(final_demand, demand_trend[step])
        path.append(exact.apply(solve, demand - adjustment * exact.apply(shares, stock)))
    trend = torch.stack(path) / output
    if not bool((trend > 0).all()):
        raise ScenarioError(
            f"{scenario.name}: growth, firms.stock_adjustment, firms.stock_target: "
            "no positive output path exists for these values"
        )
    return trend


def calibrate_market(economy: Economy, scenario: Scenario) -> MarketParams:
    """Elasticities by sector, the sensitive assumptions."""
    market = scenario.market
    found = by_sector(economy.sectors, market.domestic, math.nan)
    if math.nan in found:
        missing = economy.sectors[found.index(math.nan)]
        raise ScenarioError(f"{scenario.name}: market.domestic: sector {missing} has no elasticity")
    domestic = torch.tensor(found, dtype=torch.float64) * market.sigma_scale
    eta = by_sector(economy.sectors, market.final_demand, market.final_demand_other)
    return MarketParams(
        domestic=_off_one(domestic),
        imports=_off_one(2 * domestic),
        final_demand=torch.tensor(eta, dtype=torch.float64),
        inputs=1 - LIMIT if abs(market.inputs - 1) < LIMIT else market.inputs,
        factor_supply=market.factor_supply,
        incidence=scenario.policy.incidence,
    )


def _off_one(elasticity: Tensor) -> Tensor:
    return torch.where((elasticity - 1).abs() < LIMIT, 1 + LIMIT, elasticity)


def calibrate_policy(economy: Economy, scenario: Scenario, laws: Sequence[Policy] = ()) -> PolicyParams:
    """Prices, allocation and charge by year of the run; `laws` that are run together replace the scenario's policy.

    Raises:
        ScenarioError: if names are unknown, or laws differ in what is no lever.
    """
    policy, partners = scenario.policy, scenario.partners
    check_names(economy, scenario)
    years = [scenario.start_year + i for i in range(scenario.years + 1)]
    home = torch.tensor([region in scenario.home for region in economy.regions])
    commitment = torch.tensor([partners.commitment.get(r, math.nan) for r in economy.regions], dtype=torch.float64)
    abroad = torch.tensor(
        [
            [partners.price.get(r, 0.0) * (1 + partners.price_growth) ** (y - years[0]) for r in economy.regions]
            for y in years
        ],
        dtype=torch.float64,
    )
    markups = [by_sector(economy.sectors, policy.markup_fixed, at_year(policy.markup, y)) for y in years]
    return PolicyParams(
        home=home,
        law=law_of(laws or [policy], economy.sectors, years),
        enforced=policy.enforced,
        partners_price=torch.where(home, 0.0, abroad * USD_2011_PER_EURO_2026),
        commitment=torch.where(home, math.nan, commitment),
        commitment_step=partners.commitment_step,
        priced=_among(economy, policy.priced_sectors),
        free=_among(economy, policy.free_sectors),
        free_share_other=policy.free_allocation_other,
        covered=torch.tensor(by_sector(economy.sectors, policy.coverage, 0.0)).nonzero().flatten(),
        benchmark_share=policy.benchmark_share,
        benchmark_follows=policy.benchmark_year == "previous",
        legal_benchmark=_per_dollar(economy, "benchmark" if policy.benchmark == "legal" else None),
        default_benchmark=_per_dollar(economy, "default_benchmark" if policy.benchmark == "legal" else None),
        paid_share=policy.paid_share,
        default_values=policy.reporting == "default",
        legal_default=_per_dollar(economy, "default_value"),
        markup=torch.tensor(markups, dtype=torch.float64),
        indirect=_among(economy, policy.indirect_sectors),
        retaliation=policy.retaliation * (policy.cbam and policy.enforced),
        threshold=policy.threshold_t * 1e-6 / QUARTERS,
        regulated=scenario.regulator.acts,
        levers=scenario.regulator.levers,
        settled=min(scenario.regulator.settled, max(scenario.years - 2, 0)),
        extensible=_among(economy, scenario.regulator.extensible),
    )


def _among(economy: Economy, chosen: tuple[str, ...]) -> Tensor:
    return torch.tensor(by_sector(economy.sectors, dict.fromkeys(chosen, True), other=False))


def _per_dollar(economy: Economy, figure: str | None) -> Tensor:
    """[C] what the law says of a tonne, t CO2e / t, over the tonne's value; NaN where goods have no tonnes."""
    if economy.goods is None or figure is None:
        return torch.full((len(economy.cells),), math.nan, dtype=torch.float64)
    per_tonne: Array = getattr(economy.goods, figure)
    return torch.as_tensor(per_tonne / economy.goods.unit_value)


def calibrate_firms(economy: Economy, scenario: Scenario, named: NamedFirms | None = None) -> FirmParams:
    """Number and size of firms, and their behaviour."""
    firms = scenario.firms
    ends = firms_per_cell(economy, firms.number, named).cumsum()
    options = by_sector(economy.sectors, scenario.abatement, scenario.abatement_other) * len(economy.regions)
    cells = torch.tensor(
        [
            [o.price * scenario.abatement_scale * USD_2011_PER_EURO_2026, o.potential, o.exponent, o.cap]
            for o in options
        ],
        dtype=torch.float64,
    ).T.contiguous()
    return FirmParams(
        cell_ends=torch.as_tensor(ends),
        size=torch.as_tensor(firm_sizes(economy, scenario, named)),
        intensity_spread=firms.intensity_spread,
        growth_response=firms.growth_response,
        growth_limit=firms.growth_limit,
        stock_target=firms.stock_target,
        stock_adjustment=firms.stock_adjustment,
        abatement_lag=firms.abatement_lag,
        exporters_abate=firms.exporters_abate,
        price_response=firms.price_response,
        abatement_price=cells[0],
        abatement_potential=cells[1],
        abatement_exponent=cells[2],
        abatement_cap=torch.minimum(cells[3], cells[1]),
        learned=firms.learned,
        sourcing_step=firms.sourcing_step,
        sourcing_limit=firms.sourcing_limit,
        sourcing_cost=firms.sourcing_cost,
        relocation_step=firms.relocation_step,
        relocation_cost=firms.relocation_cost,
        own_intensity=None if named is None else torch.as_tensor(named.spread(named.intensity, ends, others=math.nan)),
        own_allocation=None if named is None else torch.as_tensor(named.spread(named.allocation, ends, others=1.0)),
    )


MINIMUM_FIRMS = 5


def firms_per_cell(
    economy: Economy, number: int, named: NamedFirms | None = None
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """[C] firms: five each, the rest half by output and half by emissions (largest remainders).

    A cell with named firms has at least five more than those, so that `number` is then the least.

    Raises:
        ScenarioError: if there are too few firms for five in every cell.
    """
    output, emissions = economy.output, economy.emissions
    least = MINIMUM_FIRMS * len(output)
    if number < least:
        raise ScenarioError(
            f"firms.number: {number} firms are too few; {len(output)} cells need at least {MINIMUM_FIRMS} each, {least}"
        )
    share = (output / output.sum() + emissions / emissions.sum()) / 2
    wanted = share * (number - least)
    counts = np.floor(wanted).astype(np.int64)
    order = np.argsort(counts - wanted, kind="stable")
    counts[order[: number - least - counts.sum()]] += 1
    counts += MINIMUM_FIRMS
    if named is not None:
        named_counts = named.counts(len(counts))
        counts = np.where(named_counts > 0, np.maximum(counts, named_counts + MINIMUM_FIRMS), counts)
    return np.asarray(counts)


def firm_sizes(
    economy: Economy, scenario: Scenario, named: NamedFirms | None = None
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """[N] base output a quarter, largest first in each cell, summing to the cell's: Zipf (Axtell 2001).

    Named firms come first with their own; the sampled ones are the tail of the law behind them and fill the rest.
    """
    counts = firms_per_cell(economy, scenario.firms.number, named)
    starts = counts.cumsum() - counts
    rank = np.arange(counts.sum()) - np.repeat(starts, counts) + 1
    weight = np.exp(np.log(rank) * (-1.0 / scenario.firms.size_exponent))
    rest = economy.output / QUARTERS
    if named is not None:
        weight[named.firms(counts.cumsum())] = 0.0
        rest = rest - np.bincount(named.cell, named.output, len(counts)) / QUARTERS
    total = np.add.reduceat(weight, starts)
    size = weight * np.repeat(rest / total, counts)
    if named is not None:
        size[named.firms(counts.cumsum())] = named.output / QUARTERS
    return np.asarray(size)
