"""A policy in a folder comes back as it was, and whatever is wrong with the folder is told in one line."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from policies import ORIGIN, lively, saved

from carbonray.learn.networks import Shape
from carbonray.learn.policy import PolicyError
from carbonray.learn.policy_folder import CARD, LARGEST, WEIGHTS, load

FIRM = Shape(features=17, heads=(5, 4, 73))
REGION = Shape(features=1043, heads=(10,) * 57, hidden=24)


def test_a_policy_comes_back_as_it_was(tmp_path: Path) -> None:
    shape = Shape(features=17, heads=(5, 4, 73), hidden=16, recurrent=True)
    decider = lively(shape)
    found = load(saved(tmp_path / "mine", decider, acts="sampled"))
    assert found.card.shape == shape
    assert found.card.weights == "float32"
    assert (found.trained.role, found.trained.sampled, found.trained.who) == ("firm", True, None)
    assert {name: getattr(found.card, name) for name in ORIGIN.model_dump()} == ORIGIN.model_dump() | {
        "acts": "sampled"
    }
    told = {"name": "mine", "sha256": found.card.sha256, "method": "vdn", "acts": "sampled", "scenario": "cbam/law",
            "agent_steps": 10_000_000, "command": "carbonray train law", "roles": ["firm"]}  # fmt: skip
    assert found.told() == told
    seen, memory = torch.randn(9, 17, dtype=torch.float64), torch.zeros(9, 32, dtype=torch.float64)
    with torch.no_grad():
        expected = decider(seen[None, None].float(), memory[None].float())[0]
    torch.testing.assert_close(found.trained.network.values(seen, memory)[0].float(), expected[0, 0])


def test_the_same_policy_is_the_same_bytes(tmp_path: Path) -> None:
    one, two = (saved(tmp_path / name, lively(FIRM)) for name in ("one", "two"))
    for name in (WEIGHTS, CARD):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_half_the_digits_are_kept_where_only_that_is_small_and_the_card_says_so(tmp_path: Path) -> None:
    small, large = saved(tmp_path / "firm", lively(FIRM)), saved(tmp_path / "region", lively(REGION))
    assert (load(small).card.weights, load(large).card.weights) == ("float32", "float16")
    assert max((folder / WEIGHTS).stat().st_size for folder in (small, large)) <= LARGEST
    huge = saved(tmp_path / "huge", lively(Shape(features=1043, heads=(10,) * 57)))
    assert load(huge).card.weights == "float32"


def rewritten(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """The card with something changed."""
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    change(card)
    (folder / CARD).write_text(json.dumps(card), encoding="utf-8")


def repacked(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """The weights with something changed, and their hash."""
    with np.load(folder / WEIGHTS) as arrays:
        weights = dict(arrays)
    change(weights)
    np.savez(folder / WEIGHTS, **weights)
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    rewritten(folder, lambda card: card.update(sha256=digest))


WRONG: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no card": (lambda folder: (folder / CARD).unlink(), "card.json cannot be read (No such file or directory)"),
    "no text": (lambda folder: (folder / CARD).write_bytes(b"\xff\xfe\x00"), "card.json is no text"),
    "no json": (lambda folder: (folder / CARD).write_text("{"), "card.json: Invalid JSON: EOF"),
    "unknown key": (
        lambda folder: rewritten(folder, lambda card: card.update(colour="blue")),
        "card.json: colour: Extra inputs are not permitted",
    ),
    "missing key": (lambda folder: rewritten(folder, lambda card: card.pop("role")), "card.json: role: Field required"),
    "another format": (
        lambda folder: rewritten(folder, lambda card: card.update(format=2)),
        "card.json: format: Input should be 1",
    ),
    "another method": (
        lambda folder: rewritten(folder, lambda card: card.update(method="magic")),
        "card.json: method: Input should be 'vdn', 'actor-critic' or 'ppo'",
    ),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), "policy.npz cannot be read (No such file or directory)"),
    "changed weights": (
        lambda folder: (folder / WEIGHTS).write_bytes(b"PK"),
        "policy.npz is not the file that card.json tells of; its bytes have changed",
    ),
    "no npz": (lambda folder: spoil(folder), "policy.npz is no npz file ("),
    "lacking": (
        lambda folder: repacked(folder, lambda weights: weights.pop("head.bias")),
        "policy.npz lacks head.bias",
    ),
    "too much": (
        lambda folder: repacked(folder, lambda weights: weights.update(more=np.zeros(1))),
        "policy.npz has more, which no such network has",
    ),
    "another shape": (
        lambda folder: rewritten(folder, lambda card: card.update(hidden=32)),
        "policy.npz: trunk.layers.0.weight is float32 [64, 17], but must be float32 [32, 17]",
    ),
    "another type": (
        lambda folder: repacked(folder, lambda weights: weights.update({"trunk.mean": np.zeros(17)})),
        "policy.npz: trunk.mean is float64 [17], but must be float32 [17]",
    ),
    "no number": (
        lambda folder: repacked(folder, lambda weights: weights["head.bias"].fill(np.nan)),
        "policy.npz: head.bias holds something that is no finite number",
    ),
}


def spoil(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"PK\x03\x04 and no more")
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    rewritten(folder, lambda card: card.update(sha256=digest))


@pytest.mark.parametrize("kind", sorted(WRONG))
def test_what_is_wrong_is_told_in_one_line(kind: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "mine", lively(FIRM))
    spoilt, words = WRONG[kind]
    load(folder)
    spoilt(folder)
    with pytest.raises(PolicyError) as refused:
        load(folder)
    assert str(refused.value).startswith(f"policy {folder}: {words}")
    assert "\n" not in str(refused.value)
