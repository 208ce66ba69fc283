"""Where a policy starts: from the rules of its world, so that a market is learned from where it rests.

The policy is fitted to the shares of levels that stand for what rule agents do, by cross entropy, in states that they
meet: undisturbed, with some choices left to chance, and in turmoil.  What it adds to them is then learned.
"""

from itertools import product

import numpy as np
import torch
from torch import Tensor

from carbonray.learn.networks import Decider, legal_only
from carbonray.learn.problem import Problem, episode
from carbonray.runtime import inprocess

DISTURBED = (0.0, 0.2, 1.0)
"""Shares of agents who choose by chance in the episodes from which rules are learned."""
EXPLORED = 0.01
"""Share of first choices that are not the rules', spread over all legal levels."""
STEPS, ROWS, RATE = 400, 1024, 3e-3
"""Gradient steps, rows of each, and the first learning rate of Adam, which falls to zero."""
ASKED = 2000
"""Agents at most, drawn anew in each state, whose rules are learned from."""
SEED = 1 << 61
"""Beyond that of a training: of worlds that nobody else meets."""


def imitate(decider: Decider, problem: Problem, seed: int) -> bool:
    """Fit a policy without memory to the rules.

    Args:
        decider: fitted in place, on the device where it is.
        problem: whose worlds have the rules, on the CPU.
        seed: of the training.

    Returns:
        Whether there are rules that levels can stand for; else nothing is changed.
    """
    if not _encoded(problem):
        return False
    device = next(decider.parameters()).device
    seen, mask, shares = (values.to(device) for values in _met(problem, SEED + seed))
    spread = mask / decider.heads.within(mask.float())
    wanted = (1 - EXPLORED) * shares + EXPLORED * spread
    rng = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(decider.parameters(), lr=RATE)
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        rows = torch.randint(len(seen), (ROWS,), generator=rng).to(device)
        logits, _ = decider(seen[rows][:, None, None])
        said = decider.heads.log_shares(legal_only(logits[:, 0, 0], mask[rows]))
        optimiser.zero_grad()
        loss = -(wanted[rows] * said).sum(-1).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(decider.parameters(), 1.0)
        optimiser.step()
    optimiser.zero_grad()
    return True


def _encoded(problem: Problem) -> bool:
    """Whether levels can stand for what the rules do."""
    world = problem.world
    everyone = {name: np.arange(role.count) for name, role in world.roles.items()}
    state = inprocess.reset(world, SEED, 1, [everyone])
    ruled = world.scripted(state.agents[0], state.commons, world.shocks(SEED, 1, 0, everyone))
    return problem.role in world.encode(ruled)


def _met(problem: Problem, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Observations [R, F], legal levels [R, L] and shares of levels [R, L] of rules."""
    role, own = problem.role, torch.as_tensor(problem.ids)
    rng = torch.Generator().manual_seed(seed)
    rows: list[tuple[Tensor, Tensor, Tensor]] = []
    for world, chance in product(problem.worlds, DISTURBED):
        for met in episode(world, seed, chance, rng):
            if role not in met.looks:
                continue
            shares, look = world.encode(met.ruled), met.looks[role]
            asked = own[torch.randperm(len(own), generator=rng)[:ASKED]]
            seen, legal, ruled = (
                values[0].cpu()[asked] for values in (look.values.float(), look.mask, shares[role].float())
            )
            rows.append((seen, legal, ruled))
    seen, legal, ruled = (torch.cat(column) for column in zip(*rows, strict=True))
    return seen, legal, ruled
