"""Static equilibrium of the trading world: what the simulation is judged against.

Axes: C cell (region, sector), region-major; R region; S sector; J buyer: the C cells, then the R final demands.
Money million USD of the base year, in which every base price is 1; mass Mt CO2; both a year.

Zero profit in every cell and demand = output, in nested constant-elasticity demand:

    import composite   pm = (sum_r mu p_d^(1-2 sigma))^(1/(1-2 sigma)),      p_d = p + (1 - lambda) T
    good composite     pc = (alpha p_home^(1-sigma) + (1-alpha) pm^(1-sigma))^(1/(1-sigma))
    unit cost          c  = (v w^(1-epsilon) + sum_s a pc^(1-epsilon))^(1/(1-epsilon)),   w = (X/K)^(1/chi)
    price              p  = c + carbon cost + abatement cost + lambda sum_d (share of sales to d) T_d
    inputs, final use  a (pc/c)^(-epsilon) X  and  F g pc^(-eta)

mu, alpha, a, v -> shares of the base table;  sigma, eta, epsilon, chi -> Elasticities.domestic, .final_demand, .inputs,
.factor;  K -> capacity;  T -> charge;  lambda -> charge_incidence;  g -> final_demand_growth.  Value added is nominal:
it anchors the price level, and incomes do not answer to the policy.

The method shares nothing with the simulation's: Newton on prices (the derivative of a unit cost is the input
coefficient), the Leontief inverse for quantities, damping of output by how strongly it answers to its own cost, and
Anderson mixing (1965) of the iterates.  It holds from chi = 0.1 to infinity and for several times the usual sigma.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.worlds.cbam.economy import Array, Economy

IMPORT_TO_DOMESTIC = 2.0  # elasticity between imports over that between home-made and imported ("rule of two")
LARGEST_STEP = 0.5  # in log price and log output
MEMORY = 8  # iterations that the mixing looks back on
COBB_DOUGLAS = 1e-9  # an exponent this near zero is taken as the limit


class NotConvergedError(ValueError):
    """The iteration ended before prices and outputs came to rest."""


@dataclass(frozen=True, kw_only=True)
class Elasticities:
    """How buyers and producers answer to relative prices; all positive."""

    domestic: Array  # [S] home-made against imported; twice that among imports
    final_demand: Array  # [S] of final use to the good's composite price, no income effect
    inputs: float  # among goods and the factor in production
    factor: float  # of output to the price of the quasi-fixed factor; math.inf: free supply


@dataclass(frozen=True, kw_only=True)
class Equilibrium:
    """Prices and quantities at rest, with the policy's payments."""

    price: Array  # [C] at the factory gate
    delivered_price: Array  # [C, R] what buyers in a region pay
    unit_cost: Array  # [C] of inputs and factor, before carbon, abatement and the charge
    output: Array  # [C]
    intermediate: Array  # [C, C] volumes from supplier (row) to user (column)
    final: Array  # [C, R] volumes
    customs: Array  # [R] charges received
    charge_borne: Array  # [C] charges paid by exporters, part of customs
    iterations: int
    residual: float  # largest relative excess demand or loss at these prices and outputs

    @property
    def deliveries(self) -> Array:
        """[C, R] volumes from a cell to all buyers in a region."""
        return self.final + _by_region(self.intermediate, self.final.shape[1])


@dataclass(frozen=True, kw_only=True)
class _Shares:
    """The base table as shares, one column per buyer."""

    inputs: Array  # [S, C] purchases of a good per unit of output
    value_added: Array  # [C]
    final: Array  # [S, R] final use of a good
    home: Array  # [S, J] home-made part of a good's purchases
    imports: Array  # [R, S, J] of the imported part, by origin; sums to 1
    is_home: Array  # [R, 1, J] 1 where origin and buyer are in one region
    region: NDArray[np.intp]  # [J] region of the buyer


def solve(
    economy: Economy,
    elasticities: Elasticities,
    *,
    carbon_cost: Array,
    charge: Array,
    charge_incidence: float = 0.0,
    final_demand_growth: Array | None = None,
    capacity: Array | None = None,
    abatement_cost: Array | None = None,
    tolerance: float = 1e-11,
    max_iterations: int = 500,
) -> Equilibrium:
    """Find the prices and outputs at which every cell breaks even and sells what it makes.

    Args:
        carbon_cost: [C] per unit of output, free allocation deducted; may be negative.
        charge: [C, R] per unit of a cell's product delivered into a region.
        charge_incidence: in [0, 1], the share of the charge that the exporter bears.
        final_demand_growth: [R] or [C, R] multiplier of base final use, one if not given.
        capacity: [C] quasi-fixed factor, base output if not given.
        abatement_cost: [C] per unit of output, zero if not given.

    Raises:
        NotConvergedError: the residual is still above the tolerance, or not a number.
    """
    shares = _shares(economy)
    base, n_cells = economy.output, len(economy.output)
    capacity = base if capacity is None else capacity
    growth = np.ones(1) if final_demand_growth is None else final_demand_growth
    extra_cost = carbon_cost + (0.0 if abatement_cost is None else abatement_cost)
    answer = IMPORT_TO_DOMESTIC * np.tile(elasticities.domestic, len(economy.regions)) * shares.value_added
    damping = 1 / (1 + answer / elasticities.factor)
    state, states, steps = np.zeros(2 * n_cells), list[Array](), list[Array]()  # log price, log output over base
    borne, residual = np.zeros(n_cells), math.nan
    for iteration in range(max_iterations + 1):
        price, output = np.exp(state[:n_cells]), base * np.exp(state[n_cells:])
        delivered = price[:, None] + (1 - charge_incidence) * charge
        factor_price = _ratio(output, capacity, otherwise=1.0) ** (1 / elasticities.factor)
        unit_cost, coefficients, final = _demand(shares, elasticities, delivered, factor_price)
        final = final * growth
        leontief = np.eye(n_cells) - coefficients
        demanded = np.linalg.solve(leontief, final.sum(1))
        deliveries = final + _by_region(coefficients * demanded, final.shape[1])
        borne, borne_before = charge_incidence * _ratio((deliveries * charge).sum(1), demanded), borne
        loss, excess = unit_cost + extra_cost + borne - price, _ratio(demanded, output, otherwise=1.0)
        residual = float(max(np.abs(loss / price).max(), np.abs(excess - 1).max(), np.abs(borne - borne_before).max()))
        if residual <= tolerance:
            return Equilibrium(
                price=price,
                delivered_price=delivered,
                unit_cost=unit_cost,
                output=demanded,
                intermediate=coefficients * demanded,
                final=final,
                customs=(deliveries * charge).sum(0),
                charge_borne=borne * demanded,
                iterations=iteration,
                residual=residual,
            )
        if not (math.isfinite(residual) and excess.min() > 0):
            break
        states.append(state)
        steps.append(np.concatenate([np.linalg.solve(leontief.T, loss) / price, damping * np.log(excess)]))
        state = _mixed(states[-MEMORY:], steps[-MEMORY:])
    raise NotConvergedError(f"no equilibrium after {iteration} iterations: residual {residual:.3g} > {tolerance:.3g}")


def leakage_rate(
    policy: Equilibrium,
    reference: Equilibrium,
    *,
    intensity_policy: Array,
    intensity_reference: Array,
    home: NDArray[np.bool_],
    counted: NDArray[np.bool_] | None = None,
) -> float:
    """Rise of emissions abroad over their fall at home: dE_foreign / (-dE_home).

    Args:
        intensity_policy, intensity_reference: [C] t CO2 / USD of output.
        home: [C] cells of the pricing regions.
        counted: [C] cells that count on both sides (a sector's own rate), all if not given.

    Returns:
        The rate, or nan where home emissions of the counted cells do not fall: there is no rate then.
    """
    change = intensity_policy * policy.output - intensity_reference * reference.output
    change = change if counted is None else np.where(counted, change, 0.0)
    fall_at_home = -float(change[home].sum())
    return float(change[~home].sum()) / fall_at_home if fall_at_home > 0 else math.nan


def _shares(economy: Economy) -> _Shares:
    """Take the base table apart into the shares of each nest; a nest that is not used gets harmless ones."""
    n_regions, n_sectors = len(economy.regions), len(economy.sectors)
    use = np.hstack([economy.transactions, economy.final_demand]).reshape(n_regions, n_sectors, -1)
    region = np.concatenate([np.repeat(np.arange(n_regions), n_sectors), np.arange(n_regions)])
    is_home = (np.arange(n_regions)[:, None] == region)[:, None, :].astype(np.float64)
    total, bought_at_home = use.sum(0), (use * is_home).sum(0)
    imported = use * (1 - is_home)
    imports = imported.sum(0)
    inputs = _ratio(total[:, : len(economy.output)], economy.output)
    return _Shares(
        inputs=inputs,
        value_added=1 - inputs.sum(0),
        final=total[:, len(economy.output) :],
        home=np.where(imports > 0, _ratio(bought_at_home, total), 1.0),
        imports=np.where(imports > 0, _ratio(imported, imports), 1 / n_regions),
        is_home=is_home,
        region=region,
    )


def _demand(shares: _Shares, elasticities: Elasticities, delivered: Array, factor: Array) -> tuple[Array, Array, Array]:
    """Unit costs [C], input coefficients [C, C] and final use [C, R] at delivered prices [C, R]."""
    n_regions, n_cells = delivered.shape[1], delivered.shape[0]
    sigma = elasticities.domestic[:, None]
    sigma_imports = IMPORT_TO_DOMESTIC * sigma
    price = delivered.reshape(n_regions, -1, n_regions)
    price_home = np.einsum("rsr->sr", price)[:, shares.region]
    imports_powered = np.einsum("rsj,rsj->sj", shares.imports, _power(price, 1 - sigma_imports)[:, :, shares.region])
    price_imports = _root(imports_powered, 1 - sigma_imports)
    home_powered, imported_powered = _power(price_home, 1 - sigma), _power(price_imports, 1 - sigma)
    composite = _root(shares.home * home_powered + (1 - shares.home) * imported_powered, 1 - sigma)

    k = np.asarray(1 - elasticities.inputs)
    inputs_powered = (shares.inputs * _power(composite[:, :n_cells], k)).sum(0)
    unit_cost = _root(shares.value_added * _power(factor, k) + inputs_powered, k)

    from_home = shares.home * (price_home / composite) ** -sigma
    from_abroad = (1 - shares.home) * (price_imports / composite) ** -sigma * price_imports**sigma_imports
    abroad_by_origin = shares.imports * (price**-sigma_imports)[:, :, shares.region]
    by_origin = shares.is_home * from_home + abroad_by_origin * from_abroad
    inputs = shares.inputs * (composite[:, :n_cells] / unit_cost) ** -elasticities.inputs
    final = shares.final * composite[:, n_cells:] ** -elasticities.final_demand[:, None]
    coefficients = (inputs * by_origin[:, :, :n_cells]).reshape(n_cells, n_cells)
    return unit_cost, coefficients, (final * by_origin[:, :, n_cells:]).reshape(n_cells, n_regions)


def _power(price: Array, k: Array) -> Array:
    """A price as it enters a mean of exponent k: price^k, log price in the Cobb-Douglas limit k = 0."""
    limit = np.abs(k) < COBB_DOUGLAS
    return np.where(limit, np.log(np.where(limit, price, 1.0)), price**k)


def _root(mean: Array, k: Array) -> Array:
    """The price index of a mean of exponent k: the inverse of `_power`."""
    limit = np.abs(k) < COBB_DOUGLAS
    return np.where(
        limit, np.exp(np.where(limit, mean, 0.0)), np.where(limit, 1.0, mean) ** (1 / np.where(limit, 1.0, k))
    )


def _mixed(states: list[Array], steps: list[Array]) -> Array:
    """Next iterate: the combination of the last ones whose steps, to first order, cancel (Anderson 1965)."""
    step = steps[-1]
    if len(steps) > 1:
        state_changes, step_changes = np.diff(states, axis=0).T, np.diff(steps, axis=0).T
        step = step - (state_changes + step_changes) @ np.linalg.lstsq(step_changes, step, rcond=1e-10)[0]
    return np.asarray(states[-1] + np.clip(step, -LARGEST_STEP, LARGEST_STEP))


def _ratio(part: Array, whole: Array, *, otherwise: float = 0.0) -> Array:
    """Part over whole, or another number where the whole is zero."""
    out = np.full(np.broadcast_shapes(part.shape, whole.shape), otherwise)
    return np.asarray(np.divide(part, whole, out=out, where=whole != 0))


def _by_region(flows: Array, n_regions: int) -> Array:
    """[C, C] flows to cells as [C, R] flows to regions."""
    return np.asarray(flows.reshape(len(flows), n_regions, -1).sum(2))
