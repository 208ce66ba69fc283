"""Heads agree with reading level by level; weights start at the shares; memory carries on where it was left."""

from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from carbonray.learn.networks import FORBIDDEN, SEEN, Decider, Heads, Shape, Trunk, Value, Weights, legal_only

TIGHT = 1e-6
SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=6)


def by_head(sizes: list[int], values: Tensor) -> list[list[float]]:
    """The levels of each head, of values [L]."""
    found, first = [], 0
    for size in sizes:
        found.append(values[first : first + size].tolist())
        first += size
    return found


@settings(max_examples=25, deadline=None)
@given(sizes=SIZES, seed=st.integers(0, 1000))
def test_heads_read_as_head_by_head(sizes: list[int], seed: int) -> None:
    heads, rng = Heads(sizes), torch.Generator().manual_seed(seed)
    values = torch.randn(2, 3, sum(sizes), generator=rng)
    choices = torch.stack([torch.randint(size, (2, 3), generator=rng) for size in sizes], -1)
    chosen, best, highest = heads.chosen(values, choices), heads.best(values), heads.highest(values)
    shares, hot = heads.log_shares(values), heads.one_hot(choices)
    entropy = heads.entropy(shares)
    for row in torch.cartesian_prod(torch.arange(2), torch.arange(3)).tolist():
        place = tuple(row)
        read = by_head(sizes, values[place])
        taken = choices[place].tolist()
        assert chosen[place].tolist() == [each[level] for each, level in zip(read, taken, strict=True)]
        assert best[place].tolist() == [each.index(max(each)) for each in read]
        assert highest[place].tolist() == [max(each) for each in read]
        for level, ones in zip(taken, by_head(sizes, hot[place]), strict=True):
            assert ones == [float(at == level) for at in range(len(ones))]
        odds = [torch.tensor(each).softmax(0) for each in read]
        assert torch.allclose(shares[place].exp(), torch.cat(odds), atol=TIGHT)
        wanted = torch.stack([-(each * each.log()).sum() / log(max(2, len(each))) for each in odds])
        assert torch.allclose(entropy[place], wanted, atol=1e-5)


def test_the_lowest_of_equal_levels_is_best() -> None:
    assert Heads((3, 2)).best(torch.zeros(5)).tolist() == [0, 0]


@settings(max_examples=30, deadline=None)
@given(sizes=SIZES, seed=st.integers(0, 1000))
def test_forbidden_levels_are_never_best_nor_drawn_and_carry_no_entropy(sizes: list[int], seed: int) -> None:
    heads, rng = Heads(sizes), torch.Generator().manual_seed(seed)
    mask = torch.rand(sum(sizes), generator=rng) < 0.5
    mask |= heads.one_hot(torch.stack([torch.randint(size, (), generator=rng) for size in sizes])).bool()
    logits = legal_only(100 * torch.randn(50, sum(sizes), generator=rng), mask)
    uniform = torch.rand(logits.shape, generator=rng)
    uniform[:2] = torch.tensor([[0.0], [1 - 2**-24]])  # the ends of what rand gives
    drawn, shares = heads.drawn(logits, uniform[:, : len(sizes)])
    torch.testing.assert_close(shares, heads.chosen(heads.log_shares(logits), drawn).exp())
    for levels in (heads.best(logits), heads.any_of(mask.expand_as(logits), uniform[:, : len(sizes)]), drawn):
        assert bool(heads.chosen(mask.expand_as(logits).float(), levels).all())
    legal_levels = torch.tensor([float(sum(each)) for each in by_head(sizes, mask)])
    most = torch.tensor([log(max(2, size)) for size in sizes])
    even = heads.entropy(heads.log_shares(legal_only(torch.zeros(sum(sizes)), mask)))
    assert torch.allclose(even * most, legal_levels.log(), atol=TIGHT)


def test_levels_are_drawn_as_often_as_their_logits_say() -> None:
    heads, draws = Heads((3, 2)), 20_000
    odds = torch.tensor([0.7, 0.2, 0.1, 0.4, 0.6])
    uniform = torch.rand(draws, 2, generator=torch.Generator().manual_seed(0))
    even, legal = torch.tensor([0.5, 0.0, 0.5, 0.5, 0.5]), torch.tensor([True, False, True, True, True])
    for wanted, levels in (
        (odds, heads.drawn(odds.log().expand(draws, 5), uniform)[0]),
        (even, heads.any_of(legal.expand(draws, 5), uniform)),
        (torch.tensor([1 / 3, 1 / 3, 1 / 3, 0.5, 0.5]), heads.any_of(None, uniform)),
    ):
        often = heads.one_hot(levels).mean(0)
        assert bool(((often - wanted).abs() <= 4 * (wanted * (1 - wanted) / draws).sqrt()).all())  # standard errors


def test_no_mask_means_all_is_legal() -> None:
    values = torch.randn(4)
    assert legal_only(values, None) is values
    assert legal_only(values, torch.tensor([True, False, True, True]))[1] == FORBIDDEN


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_never_negative_and_begin_at_the_shares(seed: int) -> None:
    torch.manual_seed(seed)
    weights, share = Weights(3), torch.tensor([0.5, 0.3, 0.2])
    assert torch.allclose(weights(torch.randn(3, 3), share), share, atol=TIGHT)
    for parameter in weights.parameters():
        torch.nn.init.normal_(parameter, std=10.0)
    assert bool((weights(10 * torch.randn(3, 3), share) >= 0).all())


def test_weights_of_nothing_stay_nothing() -> None:
    assert Weights(1)(torch.zeros(2, 1), torch.tensor([0.0, 1.0]))[0] == 0


@pytest.mark.parametrize("recurrent", [False, True])
def test_what_is_seen_step_by_step_is_as_what_is_seen_at_once(recurrent: bool) -> None:  # noqa: FBT001
    torch.manual_seed(0)
    decider = Decider(Shape(features=3, heads=(2, 4), hidden=8, recurrent=recurrent))
    seen = torch.randn(2, 5, 3, 3)
    whole, last = decider(seen)
    memory, steps = None, []
    for step in range(5):
        value, memory = decider(seen[:, step : step + 1], memory)
        steps.append(value)
    assert torch.allclose(torch.cat(steps, 1), whole, atol=TIGHT)
    if recurrent:
        assert memory is not None
        assert torch.allclose(memory, last, atol=TIGHT)
    else:
        assert memory is None
        assert last is None


def test_a_memory_belongs_to_one_agent_of_one_row() -> None:
    torch.manual_seed(0)
    trunk = Trunk(Shape(features=2, heads=(2,), hidden=4, recurrent=True))
    seen = torch.randn(2, 3, 3, 2)
    before, _ = trunk(seen)
    seen[1, 0, 2] += 1.0
    after, _ = trunk(seen)
    changed = (before != after).any(-1).any(1)
    assert changed.tolist() == [[False, False, False], [False, False, True]]


def test_features_are_standardised_and_the_far_looks_alike() -> None:
    torch.manual_seed(0)
    shape = Shape(features=1, heads=(2,), hidden=8)
    trunk = Trunk(shape, torch.tensor([5.0]), torch.tensor([2.0]))
    plain = Trunk(shape)
    plain.layers.load_state_dict(trunk.layers.state_dict())
    seen = torch.tensor([1.0, 7.0]).view(1, 1, 2, 1)
    assert torch.allclose(trunk(seen)[0], plain((seen - 5) / 2)[0], atol=TIGHT)
    far = torch.tensor([5 + 2 * SEEN, 1e9]).view(1, 1, 2, 1)
    assert torch.equal(trunk(far)[0][0, 0, 0], trunk(far)[0][0, 0, 1])


def test_a_decider_begins_close_to_indifference() -> None:
    torch.manual_seed(0)
    decider = Decider(Shape(features=4, heads=(3, 3), hidden=16))
    shares = decider.heads.log_shares(decider(torch.randn(10, 1, 1, 4))[0])
    assert bool((decider.heads.entropy(shares) > 0.99).all())


def test_the_level_that_changes_nothing_is_chosen_nine_times_of_ten_at_first() -> None:
    torch.manual_seed(0)
    decider = Decider(Shape(features=4, heads=(5, 1, 3), hidden=16))
    decider.rest((2, 0, 1))
    odds = by_head([5, 1, 3], decider.heads.log_shares(decider(torch.zeros(1, 1, 1, 4))[0])[0, 0, 0].exp())
    assert [each[level] for each, level in zip(odds, (2, 0, 1), strict=True)] == pytest.approx([0.9, 1, 0.9], abs=0.02)


def test_a_value_is_one_number_for_each_agent_and_step() -> None:
    value = Value(Shape(features=4, heads=(3,), hidden=8))
    assert value(torch.zeros(2, 5, 3, 4))[0].shape == (2, 5, 3)
