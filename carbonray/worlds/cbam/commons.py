"""The commons of the CBAM world: what everybody may see, after clearing and for the quarter to come.

Axes: B replica, S good, R region, C cell, E supplier slot.
"""

from dataclasses import dataclass

from torch import Tensor

from carbonray.worlds.cbam.border_charge import CarbonTerms
from carbonray.worlds.cbam.law import Law
from carbonray.worlds.cbam.market import Market


@dataclass(frozen=True, kw_only=True)
class Cleared:
    """What this quarter's market gave; [B, C] unless said otherwise."""

    market: Market
    flows: Tensor  # [B, S, D, K, R] volume by good, buyer and origin, million USD a quarter at base prices
    iterations: int
    price: Tensor  # of the producer, USD / USD
    charge: Tensor  # mean border charge per unit that crosses
    revenue: Tensor  # per unit, of a firm that is charged nothing
    carbon_price: Tensor  # USD / t CO2 paid
    allocation: Tensor  # value of free allowances per unit
    strike: Tensor | None  # USD / t CO2 of the contracts that pay for abatement
    crossing_share: Tensor  # of sales that cross the home region's border
    trend: Tensor  # capacity relative to the base year
    intensity_factor: Tensor  # trend and other common changes of intensity
    input_need: Tensor  # [B, S, C] input per unit of effective scale: a pc^-eps
    input_cost: Tensor  # sum_s a pc^(1-eps)
    embodied_inputs: Tensor  # t CO2 / USD, inputs' emissions per unit of scale, without named suppliers
    slot_weight: Tensor  # [B, E, C] input per unit of scale from the named flow
    slot_order: Tensor  # [B, E, C] volume of the named flow per unit of the good bought
    slot_value: Tensor  # [B, E, C] value of the named flow per value of the good bought
    fill: Tensor  # share of pooled orders delivered, by product
    input_fill: Tensor  # [B, S, C] share of pooled purchases delivered, by good and buying cell
    lost: Tensor  # share of all orders for a product that is not delivered
    arriving_capacity: Tensor  # relocated to the cell, million USD a quarter
    arriving_plan: Tensor


@dataclass(frozen=True, kw_only=True)
class Commons:
    """State of the commons between two quarters."""

    step: int
    log_price: Tensor  # [B, S, R]
    commitment: Tensor  # [B, R] a partner's price as a share of the home price
    home_emissions: Tensor  # [B, S] Mt CO2 at home this year so far
    home_output: Tensor  # [B, S] million USD at home this year so far
    benchmark_intensity: Tensor  # [B, S] t CO2 / USD that the benchmark refers to
    fuel_price: Tensor  # [B] relative to the base path
    law: Law  # [B] in force
    revenue: Tensor  # [B] million USD from auctions and the border this year so far
    decree: Tensor  # [B, H] how the regulator turns the law of the year to come
    quarter: Tensor  # [B, 5] what the regulator is judged on, see `regulator.BOOKED`: last quarter,
    year: Tensor  # [B, 5] this year so far,
    last_year: Tensor  # [B, 5] and last year
    terms: CarbonTerms
    intensity_factor: Tensor  # [B, C] trend and other common changes of intensity
    trend_growth: Tensor  # [B, C] of capacity this quarter, share
    trend: Tensor  # [B, C] capacity relative to the base year
    crossing_share: Tensor  # [B, C] share of sales that crosses the home region's border, last quarter
    strike: Tensor | None  # [B, C] USD / t CO2 that contracts for abatement guarantee; zero where there are none
    fund: Tensor  # [B, 2] million USD set aside for contracts at home and abroad
    declared: Tensor | None  # [B, C] default values that replace intensities
    indirect: Tensor | None  # [B, C] electricity-related t CO2 / USD that is charged too
    cleared: Cleared | None
