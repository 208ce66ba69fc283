"""Where a policy starts: from the rules of its world, so that a market is learned from where it rests.

The policy is fitted to the shares of levels that stand for what rule agents do, by cross entropy, in states that they
meet: undisturbed, with some choices left to chance, and in turmoil.  What it adds to them is then learned.
"""

from itertools import product

import numpy as np
import torch
from torch import Tensor

from carbonray.learn.networks import Decider, legal_only
from carbonray.learn.policy import blend
from carbonray.learn.problem import PROBED, Problem, any_legal
from carbonray.runtime import inprocess
from carbonray.worlds.world import WorldError

DISTURBED = (0.0, 0.2, 1.0)
"""Shares of choices left to chance in the episodes from which rules are learned."""
EXPLORED = 0.05
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
        Whether there are rules that levels can stand for, of agents of one role; else nothing is changed.
    """
    met = None if len(problem.world.roles) > 1 else _met(problem, SEED + seed)
    if met is None:
        return False
    device = next(decider.parameters()).device
    seen, mask, shares = (values.to(device) for values in met)
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


def _met(problem: Problem, seed: int) -> tuple[Tensor, Tensor, Tensor] | None:
    """Observations [R, F], legal levels [R, L] and shares of levels [R, L] of rules; nothing if levels say none."""
    everyone = {name: np.arange(role.count) for name, role in problem.world.roles.items()}
    role, own = problem.role, torch.as_tensor(problem.ids)
    rng = torch.Generator().manual_seed(seed)
    columns: tuple[list[Tensor], ...] = ([], [], [])
    for world, disturbed in product(problem.worlds, DISTURBED):
        state = inprocess.reset(world, seed, 1, [everyone])
        for step in range(min(world.steps, PROBED)):
            shocks = world.shocks(seed, 1, step, everyone)
            agents, commons = state.agents[0], state.commons
            ruled = world.scripted(agents, commons, shocks)
            shares = world.encode(ruled)
            if shares is None:
                return None
            looks = world.observe(agents, commons)
            look = looks[role]
            asked = own[torch.randperm(len(own), generator=rng)[:ASKED]]
            for column, values in zip(columns, (look.values.float(), look.mask, shares[role].float()), strict=True):
                column.append(values[0].cpu()[asked])
            strays = torch.rand(1, len(everyone[role]), generator=rng) < disturbed
            chance = world.decode(any_legal(world, looks, rng))
            actions = blend(chance, ruled, strays.to(look.values.device)) if disturbed else ruled
            try:
                edges = np.arange(world.edges.shape[1])
                state = inprocess.advance(world, state, [shocks], [edges], [actions]).state
            except WorldError:
                break
    seen, mask, wanted = (torch.cat(column) for column in columns)
    return seen, mask, wanted
