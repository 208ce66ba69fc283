"""Behaviour without learning: business as usual, constant rates, or random levels; always within what is legal."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.worlds import draws
from carbonray.worlds.climate_negotiation.heads import EXPORT_LIMIT, MITIGATION, SAVINGS, Heads

USUAL_SAVINGS = 0.2
LEVEL_DRAW = 0


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What regions do without learning.

    Rates are for `constant` only, and taken at the nearest level, that of proposals at the lowest that is no less.
    """

    kind: Literal["business-as-usual", "constant", "random"] = "business-as-usual"
    savings: float = USUAL_SAVINGS
    mitigation: float = 0.0
    export_limit: float = 0.0
    tariff: float = 0.0  # on every other region's goods
    imports: float = 0.0  # bid for every other region's goods, share of gross output
    proposal: float = 0.0  # mitigation rate promised to and requested of every other region
    cooperators: frozenset[int] | None = None  # who proposes and accepts; everybody where left out


def levels_of(behaviour: Behaviour, heads: Heads) -> dict[str, int]:
    """The level that each rate is taken at."""
    names = ("savings", "mitigation", "export_limit", "tariff", "imports")
    nearest = {name: heads.level(getattr(behaviour, name)) for name in names}
    return nearest | {"proposal": heads.level_at_least(behaviour.proposal)}


def constant(behaviour: Behaviour, heads: Heads, ids: Tensor) -> Tensor:
    """[n, heads] int8 levels that never change, before they are held to what is legal."""
    levels = torch.zeros(len(ids), len(heads.sizes), dtype=torch.int8)
    if behaviour.kind == "business-as-usual":
        levels[:, SAVINGS] = heads.level(USUAL_SAVINGS)
        return levels.to(ids.device)
    taken = levels_of(behaviour, heads)
    levels[:, SAVINGS] = taken["savings"]
    levels[:, MITIGATION] = taken["mitigation"]
    levels[:, EXPORT_LIMIT] = taken["export_limit"]
    levels[:, heads.tariffs] = taken["tariff"]
    levels[:, heads.bids] = taken["imports"]
    if heads.negotiates:
        everyone = range(heads.regions) if behaviour.cooperators is None else behaviour.cooperators
        willing = torch.tensor([int(region) in everyone for region in ids.tolist()], dtype=torch.int8)[:, None]
        levels[:, heads.promised] = levels[:, heads.requested] = willing * taken["proposal"]
        levels[:, heads.accepted] = willing
    return levels.to(ids.device)


def uniforms(seed: int, replicas: int, step: int, ids: NDArray[np.int64], heads: Heads) -> Tensor:
    """[B, n, heads] numbers in [0, 1), each a function of (seed, replica, step, region, head)."""
    number = len(heads.sizes)
    keys = (ids[:, None] * heads.most + np.arange(number)).ravel()
    rows = [draws.uniform(seed, replica, step, LEVEL_DRAW, keys) for replica in range(replicas)]
    return torch.from_numpy(np.stack(rows).reshape(replicas, len(ids), number))


def any_legal(numbers: Tensor, lowest: Tensor, highest: Tensor) -> Tensor:
    """[B, n, heads] int8 levels, each legal one equally likely, from numbers in [0, 1)."""
    return lowest + (numbers * (highest - lowest + 1)).to(torch.int8)
