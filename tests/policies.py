"""Policies that tests make by hand: no training is needed to act."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from carbonray.learn.inference import network
from carbonray.learn.networks import Decider, Shape
from carbonray.learn.policy import Trained
from carbonray.learn.policy_folder import Origin, save
from carbonray.worlds.world import Role

ORIGIN = Origin(
    world="cbam",
    scenario="law",
    role="firm",
    method="vdn",
    acts="greedy",
    command="carbonray train law",
    seed=3,
    agent_steps=10_000_000,
    datasets={"economy": "0" * 64},
    measured={"leakage_rate": 0.2},
)


def shape_of(role: Role, *, hidden: int = 16, recurrent: bool = False) -> Shape:
    return Shape(features=role.features, heads=role.heads, hidden=hidden, recurrent=recurrent)


def lively(shape: Shape, seed: int = 0) -> Decider:
    """Random weights that make much of what is seen: choices differ between agents and steps."""
    rng = torch.Generator().manual_seed(seed)
    decider = Decider(shape)
    with torch.no_grad():
        for value in decider.parameters():
            value.copy_(torch.randn(value.shape, generator=rng) / max(value.shape[-1], 4) ** 0.5)
        decider.head.weight *= 4
        decider.trunk.mean.fill_(1.0)  # about what most features are at rest
    return decider


def always(shape: Shape, levels: Sequence[int]) -> Decider:
    """Prefers one level of each head whatever is seen."""
    decider = Decider(shape)
    with torch.no_grad():
        decider.head.weight.zero_()
        for level, part in zip(levels, decider.head.bias.split(shape.heads), strict=True):
            part[level] = 5.0
    return decider


def trained(decider: Decider, role: str = "firm", **changes: Any) -> Trained:
    return Trained(network=network(decider.shape, decider.state_dict()), role=role, **changes)


def saved(folder: Path, decider: Decider, **changes: Any) -> Path:
    """A folder with a policy, as a training leaves it."""
    return save(folder, decider, ORIGIN.model_copy(update=changes))
