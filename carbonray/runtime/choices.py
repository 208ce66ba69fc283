"""Learners' choices: one level for each head of every agent, judged by the masks.

Axes: B replica, n agent, H head, L level of any head, laid end to end as in a mask.
"""

from itertools import groupby
from typing import Literal

import torch
from torch import Tensor

Illegal = Literal["refuse", "nearest"]
"""What becomes of a level that the mask forbids: an error, or the nearest legal level of its head, the lower of two."""


def checked(role: str, heads: tuple[int, ...], choices: Tensor, mask: Tensor, illegal: Illegal) -> Tensor:
    """Choices that a world may decode.

    Args:
        role: name of the role.
        heads: levels of each head.
        choices: [B, n, H] int64.
        mask: [B, n, L] bool, whether a level is legal.
        illegal: what becomes of levels that the mask forbids.
    Returns:
        [B, n, H] int64; the choices themselves where all are legal.
    Raises:
        ValueError: of another shape or type, out of range, or forbidden; names agent, head and rule.
    """
    shape = [*mask.shape[:2], len(heads)]
    if choices.dtype != torch.int64 or list(choices.shape) != shape:
        kind = str(choices.dtype).removeprefix("torch.")
        raise ValueError(
            f"{role}: choices are {kind} {list(choices.shape)}, but must be int64 {shape} [replica, agent, head]"
        )
    outside = (choices < 0) | (choices >= torch.tensor(heads, device=mask.device))
    if outside.any():
        who, head, level = _first(role, choices, outside)
        raise ValueError(f"{who}, head {head}: level {level} is out of range; its levels are 0-{heads[head] - 1}")
    forbidden = ~mask.gather(2, _places(heads, choices))
    if not forbidden.any():
        return choices
    if illegal == "nearest":
        return _nearest(heads, choices, mask)
    who, head, level = _first(role, choices, forbidden)
    replica, agent = forbidden.nonzero()[0, :2].tolist()
    start = sum(heads[:head])
    legal = mask[replica, agent, start : start + heads[head]].nonzero()[:, 0].tolist()
    raise ValueError(f"{who}, head {head}: level {level} is forbidden by the mask; legal now: {_spans(legal)}")


def only(heads: tuple[int, ...], choices: Tensor) -> Tensor:
    """[B, n, L] the mask that leaves nothing but what was chosen, [B, n, H]."""
    none = torch.zeros(*choices.shape[:2], sum(heads), dtype=torch.bool, device=choices.device)
    return none.scatter_(2, _places(heads, choices), value=True)


def _places(heads: tuple[int, ...], choices: Tensor) -> Tensor:
    """[B, n, H] where each chosen level stands in a mask."""
    levels = torch.tensor(heads, device=choices.device)
    return choices + levels.cumsum(0) - levels


def _nearest(heads: tuple[int, ...], choices: Tensor, mask: Tensor) -> Tensor:
    """[B, n, H] the legal level of each head that is nearest to the choice; ordered by distance, then by level."""
    head = torch.arange(len(heads)).repeat_interleave(torch.tensor(heads)).to(mask.device)
    level = torch.cat([torch.arange(count) for count in heads]).to(mask.device)
    most = max(heads)
    rank = torch.where(mask, (level - choices[..., head]).abs() * most + level, most * most)
    best = torch.full_like(choices, most * most).scatter_reduce(2, head.expand_as(rank), rank, "amin")
    return best % most


def _first(role: str, choices: Tensor, wrong: Tensor) -> tuple[str, int, int]:
    """Agent, head and level of the first wrong choice."""
    replica, agent, head = wrong.nonzero()[0].tolist()
    where = f" of replica {replica}" if len(choices) > 1 else ""
    return f"{role}_{agent}{where}", head, int(choices[replica, agent, head])


def _spans(levels: list[int]) -> str:
    """`0-3, 5` for 0, 1, 2, 3 and 5."""
    spans = [[level for _, level in span] for _, span in groupby(enumerate(levels), lambda at: at[1] - at[0])]
    return ", ".join(str(span[0]) if len(span) == 1 else f"{span[0]}-{span[-1]}" for span in spans) or "none"
