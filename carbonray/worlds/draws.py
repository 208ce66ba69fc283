"""Random numbers of agents, keyed so that any subset of agents draws the same numbers.

Every number is a function of (seed, replica, step, agent id, draw) alone: Philox4x64-10, a counter-based
generator (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", SC'11), as numpy carries it.

    key     = (seed, draw)
    counter = (slot // 4, step, replica, 0)    numpy adds one before the first block
    output  = word slot % 4 of that block      slot = id + 1, so that the commons, agent -1, has slot 0

`draw` names the use of a number within a step; two uses of one agent in one step need two draws.
Generating runs over the whole range from the smallest to the largest id asked for (about 10 ns each).
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]
LongArray = NDArray[np.int64]

_LANES = 4  # 64-bit words in a block of Philox4x64


def raw(seed: int, replica: int, step: int, draw: int, ids: LongArray) -> NDArray[np.uint64]:
    """Draw 64 random bits for each agent.

    Args:
        seed: of the run, like the other three in [0, 2^64).
        replica: number of the parallel copy of the world.
        step: number of the step.
        draw: what the number is for.
        ids: [N] agents, in any order, -1 for the commons.
    Returns:
        [N] 64 bits each.
    Raises:
        ValueError: an id below -1.
    """
    if ids.size == 0:
        return np.empty(0, dtype=np.uint64)
    slots = ids + 1
    first, last = int(slots.min()), int(slots.max())
    if first < 0:
        raise ValueError(f"an agent id is at least -1 (the commons), got {first - 1}")
    block = first // _LANES
    key = np.array([seed, draw], dtype=np.uint64)
    counter = np.array([block, step, replica, 0], dtype=np.uint64)
    words = np.random.Philox(key=key, counter=counter).random_raw(last + 1 - block * _LANES)
    return np.asarray(words[slots - block * _LANES], dtype=np.uint64)


def uniform(seed: int, replica: int, step: int, draw: int, ids: LongArray) -> Array:
    """Draw a number in [0, 1) for each agent: the upper 53 bits of `raw` times 2^-53.

    Args and errors as in `raw`.
    Returns:
        [N] in [0, 1).
    """
    return np.asarray((raw(seed, replica, step, draw, ids) >> np.uint64(11)) * 2.0**-53)


def normal(seed: int, replica: int, step: int, draw: int, ids: LongArray) -> Array:
    """Draw a standard normal number for each agent, by inversion.

    x = sqrt(2) erfinv(2u - 1),  u = (upper 52 bits + 1/2) * 2^-52

    so that 2u - 1 is exact, symmetric about zero and never -1 or 1: |x| < 8.3.

    Args and errors as in `raw`.
    Returns:
        [N] mean 0, variance 1.
    """
    upper = (raw(seed, replica, step, draw, ids) >> np.uint64(12)).astype(np.float64)
    centred = (upper + 0.5) * 2.0**-51 - 1.0
    return np.asarray(torch.special.erfinv(torch.from_numpy(centred)).numpy() * math.sqrt(2.0))
