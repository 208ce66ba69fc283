"""The trajectory of a run with the names, shapes and conventions of the reference's logs.

Time comes first; index 0 is the state after reset, index t that after the t-th step.  `actions` and `returned_reward`
have no index 0.  `tariffs` and `future_tariffs` are those just chosen, which act in the next activity step;
`desired_imports` are rates, `scaled_imports` and `tariffed_imports` trillion USD a year.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from carbonray.runtime.inprocess import threads
from carbonray.runtime.negotiation_run import Moment, moments
from carbonray.runtime.shard import RULES, Policy
from carbonray.worlds.climate_negotiation import climate, economy, trade
from carbonray.worlds.climate_negotiation.heads import LEVELS
from carbonray.worlds.climate_negotiation.world import NegotiationWorld

BY_REGION = {
    "capital_all_regions": "capital",
    "labor_all_regions": "population",
    "production_factor_all_regions": "productivity",
    "intensity_all_regions": "intensity",
    "savings_all_regions": "savings",
    "mitigation_rate_all_regions": "mitigation",
    "max_export_limit_all_regions": "export_limit",
    "mitigation_cost_all_regions": "abatement_coefficient",
    "damages_all_regions": "damage",
    "abatement_cost_all_regions": "abatement_cost",
    "utility_all_regions": "utility",
    "social_welfare_all_regions": "welfare",
    "reward_all_regions": "reward",
    "consumption_all_regions": "consumption",
    "current_balance_all_regions": "balance",
    "gross_output_all_regions": "output",
    "investment_all_regions": "investment",
    "production_all_regions": "production",
    "desired_imports": "bids",
}
"""The reference's name of each figure in the regions' accounts."""


def replay(
    world: NegotiationWorld, policy: Policy = RULES, *, seed: int = 0, steps: int | None = None
) -> dict[str, NDArray[Any]]:
    """Arrays of one replica whose regions follow a policy, to the end, or less."""
    last = None if steps is None else steps + 1
    with threads(1):
        seen = islice(moments([world], seed=seed, policy=policy), last)
        return arrays(world, [moment for (moment,) in seen])


def arrays(world: NegotiationWorld, seen: Sequence[Moment]) -> dict[str, NDArray[Any]]:
    """Arrays of the first replica of a run."""
    states = [_state(world, moment) for moment in seen]
    found = {name: np.stack([state[name] for state in states]) for name in states[0]}
    taken = [moment for moment in seen if moment.levels is not None]
    found["actions"] = np.stack([_first(moment.levels) for moment in taken]).astype(np.int8)
    found["returned_reward"] = np.stack([_first(moment.reward) for moment in taken])
    if not world.negotiates:
        del found["mitigation_mask_after_step"]
    return found


def _state(world: NegotiationWorld, moment: Moment) -> dict[str, NDArray[Any]]:
    commons, physics, everyone = moment.commons, world.parameters.climate, world.count
    begun, last = commons.activity > 0, max(commons.activity - 1, 0)
    kept = economy.kept_capital(world.parameters.regions) * begun
    least = world.heads.at_least(commons.treaty.minimum_mitigation)
    legal = torch.arange(LEVELS, device=least.device) >= least[..., None]
    passed = trade.arriving(commons.trade.imports, commons.trade.tariffs, revenue_returned=world.rules.revenue_returned)
    counts = {"timestep": commons.step, "activity_timestep": commons.activity}
    counts["stage"] = commons.step % 3 if world.negotiates else 0
    return {
        "global_temperature": _first(commons.temperature),
        "global_carbon_mass": _first(commons.carbon),
        "global_exogenous_emissions": np.array([begun * climate.other_forcing(physics, last)]),
        "global_land_emissions": np.array([begun * climate.land_emissions(physics, last) / everyone]),
        **{name: np.array([count], dtype=np.int32) for name, count in counts.items()},
        "capital_depreciation_all_regions": kept.cpu().numpy(),
        **{name: _first(moment.rows[own].values) for name, own in BY_REGION.items()},
        "tariffs": _first(commons.tariffs),
        "future_tariffs": _first(commons.tariffs),
        "scaled_imports": _first(commons.trade.imports),
        "tariffed_imports": _first(passed),
        "tariff_revenue": _first(moment.rows["tariff_revenue"].values)[:, None],
        "minimum_mitigation_rate_all_regions": _first(commons.treaty.minimum_mitigation),
        "promised_mitigation_rate": _first(commons.offers.promised),
        "requested_mitigation_rate": _first(commons.offers.requested),
        "proposal_decisions": _first(commons.offers.accepted),
        "mitigation_mask_after_step": _first(legal).astype(np.int8),
    }


def _first(values: torch.Tensor | None) -> NDArray[Any]:
    assert values is not None
    return values[0].cpu().numpy().copy()
