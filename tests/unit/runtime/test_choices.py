"""Levels are judged head by head; the nearest legal one is found by looking at each."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from carbonray.runtime.choices import checked, only

HEADS = (3, 2, 4)
TWO = torch.zeros(2, 1, 3, dtype=torch.int64)
ALL = torch.ones(2, 1, 9, dtype=torch.bool)


def judged(choices: Tensor, mask: Tensor = ALL, illegal: str = "refuse") -> Tensor:
    return checked("firm", HEADS, choices, mask, illegal)  # type: ignore[arg-type]


def test_legal_choices_are_handed_on_without_a_copy() -> None:
    assert judged(TWO) is TWO


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (TWO[0], "firm: choices are int64 [1, 3], but must be int64 [2, 1, 3] [replica, agent, head]"),
        (TWO.to(torch.int32), "firm: choices are int32 [2, 1, 3], but must be int64 [2, 1, 3] [replica, agent, head]"),
        (TWO - 1, "firm_0 of replica 0, head 0: level -1 is out of range; its levels are 0-2"),
        (TWO + torch.tensor([0, 2, 0]), "firm_0 of replica 0, head 1: level 2 is out of range; its levels are 0-1"),
    ],
)
@pytest.mark.parametrize("illegal", ["refuse", "nearest"])
def test_what_is_no_choice_is_refused(choices: Tensor, message: str, illegal: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        judged(choices, illegal=illegal)


def test_a_forbidden_level_is_refused_with_agent_head_and_what_is_legal() -> None:
    mask = ALL.clone()
    mask[1, 0, 6] = False  # level 1 of head 2
    chosen = TWO + torch.tensor([0, 0, 1])
    with pytest.raises(ValueError, match=r"^firm_0 of replica 1, head 2: level 1 is forbidden .*; legal now: 0, 2-3$"):
        judged(chosen, mask)
    with pytest.raises(ValueError, match=r"^firm_0, head 2: level 1"):  # a lone world has no replicas to speak of
        judged(chosen[1:], mask[1:])


@st.composite
def masks(draw: st.DrawFn) -> Tensor:
    """[2, 1, 9] with a legal level in every head."""
    rows = []
    for _ in range(2):
        row: list[bool] = []
        for count in HEADS:
            legal = draw(st.sets(st.integers(0, count - 1), min_size=1))
            row += [level in legal for level in range(count)]
        rows.append([row])
    return torch.tensor(rows)


@st.composite
def levels(draw: st.DrawFn) -> Tensor:
    """[2, 1, 3] within range."""
    return torch.tensor([[[draw(st.integers(0, count - 1)) for count in HEADS]] for _ in range(2)])


@given(choices=levels(), mask=masks())
def test_the_nearest_legal_level_replaces_a_forbidden_one(choices: Tensor, mask: Tensor) -> None:
    found = judged(choices, mask, "nearest")
    for replica in range(2):
        for head, legal in enumerate(mask[replica, 0].split(HEADS)):
            chosen = int(choices[replica, 0, head])
            allowed = [level for level, fine in enumerate(legal.tolist()) if fine]
            assert int(found[replica, 0, head]) == min(
                allowed, key=lambda level, near=chosen: (abs(level - near), level)
            )


@given(choices=levels())
def test_a_choice_that_holds_is_all_that_its_mask_leaves(choices: Tensor) -> None:
    mask = only(HEADS, choices)
    assert int(mask.sum()) == choices.numel()
    assert judged(choices, mask) is choices
