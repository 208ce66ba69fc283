"""The same bytes for any sharding, number of threads and size of batch."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from carbonray.config import Scenario
from carbonray.data.worlds import build_world
from carbonray.runtime import inprocess
from carbonray.worlds import exact
from carbonray.worlds.cbam import CbamWorld, Economy
from carbonray.worlds.cbam.firms import Shard
from carbonray.worlds.world import Shocks

EVENT = [{"region": "CHN", "sector": "MET", "year": 2030, "quarter": 2, "largest": 3, "severity": 0.7}]
SCENARIOS: dict[str, dict[str, Any]] = {
    "rules": {},
    "without a graph": {"firms.slots": 0},
    "disruptions": {"disruptions.outage_rate": 0.05, "disruptions.events": EVENT},
    "learned": {"firms.learned": True},
    "learned and disruptions": {"firms.learned": True, "disruptions.outage_rate": 0.05},
    "plants, learned and disruptions": {
        "firms.plants": "eu",
        "firms.learned": True,
        "disruptions.outage_rate": 0.05,
    },
    "every switch": {
        "policy.export_rebate": 0.5,
        "policy.retaliation": 0.1,
        "policy.threshold_t": 50.0,
        "policy.indirect_sectors": ["NMM"],
        "fuel.channel": True,
        "firms.exporters_abate": True,
    },
}
THREADS = (1, 2)


@pytest.fixture(scope="module", params=sorted(SCENARIOS))
def world(request: pytest.FixtureRequest, small_economy: Economy, small_scenario: Callable[..., Scenario]) -> CbamWorld:
    changes = {"years": 1, "start_year": 2030, "firms.number": 180} | SCENARIOS[request.param]
    return build_world(small_scenario("law", **changes), small_economy)


def tensors(part: object, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor of a state by its path; what a shard knows of itself is left out."""
    if isinstance(part, Tensor):
        yield path, part
    elif is_dataclass(part) and not isinstance(part, Shard):
        for item in fields(part):
            yield from tensors(getattr(part, item.name), f"{path}.{item.name}")
    elif isinstance(part, tuple):
        for index, each in enumerate(part):
            yield from tensors(each, f"{path}[{index}]")
    elif isinstance(part, Mapping):
        for name, each in part.items():
            yield from tensors(each, f"{path}.{name}")


def same(one: object, other: object, columns: np.ndarray | None = None) -> list[str]:
    """Paths of tensors whose bytes differ; `columns` takes the agents of a shard from `other`."""
    there = dict(tensors(other))
    here = dict(tensors(one))
    assert here.keys() == there.keys()
    different = []
    for path, values in here.items():
        expected = there[path] if columns is None else there[path][..., columns]
        if not equal(values, expected):
            different.append(path)
    return different


def equal(one: Tensor, other: Tensor) -> bool:
    """Byte for byte: what is not a number equals itself."""
    return one.shape == other.shape and one.contiguous().numpy().tobytes() == other.contiguous().numpy().tobytes()


def choices(world: CbamWorld, step: int, replicas: int) -> Tensor:
    """[B, N, heads] levels drawn at random, the same for any shards."""
    rng = np.random.default_rng([step, 7])
    heads = world.roles["firm"].heads
    drawn = np.stack([rng.integers(0, levels, (10, len(world.firms.size))) for levels in heads], 2)
    return torch.as_tensor(drawn[:replicas])


def stepped(
    world: CbamWorld, shards: list[np.ndarray] | None = None, *, replicas: int = 2, steps: int = 3, seed: int = 0
) -> inprocess.Step[Any, Any]:
    """A few quarters from the base year; learned firms choose at random."""
    ids = shards or [np.arange(len(world.firms.size))]
    state = inprocess.reset(world, seed, replicas, [{"firm": mine} for mine in ids])
    for step in range(steps):
        shocks = [world.shocks(seed, replicas, step, {"firm": mine}) for mine in ids]
        actions = None
        if world.firms.learned:
            chosen = choices(world, step, replicas)
            actions = [world.decode({"firm": chosen[:, mine]}) for mine in ids]
        taken = inprocess.advance(world, state, shocks, ids, actions)
        state = taken.state
    return taken


def same_step(one: inprocess.Step[Any, Any], other: inprocess.Step[Any, Any]) -> list[str]:
    parts = ((one.state, other.state), (one.rewards, other.rewards), (one.accounts, other.accounts))
    return [path for mine, yours in parts for path in same(mine, yours)]


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class TestRuns:
    def test_the_same_seed_gives_the_same_bytes_and_another_does_not(self, world: CbamWorld) -> None:
        assert same_step(stepped(world), stepped(world)) == []
        assert ".emissions" in same(stepped(world).accounts, stepped(world, seed=1).accounts)

    @pytest.mark.parametrize("seed", [0, 1])
    def test_random_shards_give_the_bytes_of_one(self, world: CbamWorld, seed: int) -> None:
        whole = stepped(world)
        for count in (2, 3):
            shard_of = np.random.default_rng([seed, count]).integers(0, count, len(world.firms.size))
            shards = [np.flatnonzero(shard_of == shard) for shard in range(count)]
            parts = stepped(world, shards)
            assert same(parts.state.commons, whole.state.commons) == []
            assert same(parts.accounts, whole.accounts) == []
            for mine, agents, reward in zip(shards, parts.state.agents, parts.rewards, strict=True):
                assert same(agents, whole.state.agents[0], mine) == []
                assert same(reward, whole.rewards[0], mine) == []

    def test_shards_of_neighbours_in_any_order_give_the_bytes_of_one(self, world: CbamWorld) -> None:
        whole = stepped(world)
        middle = len(world.firms.size) // 3
        low, high = np.arange(middle), np.arange(middle, len(world.firms.size))
        for shards in ([low, high], [high, low]):
            parts = stepped(world, shards)
            assert same(parts.state.commons, whole.state.commons) == []
            for mine, agents in zip(shards, parts.state.agents, strict=True):
                assert same(agents, whole.state.agents[0], mine) == []

    def test_a_replica_alone_has_the_bytes_it_has_in_a_batch(self, world: CbamWorld) -> None:
        batch, alone = stepped(world, replicas=3), stepped(world, replicas=1)
        for one, three in (
            (alone.state.agents, batch.state.agents),
            (alone.state.commons, batch.state.commons),
            (alone.accounts, batch.accounts),
        ):
            here, there = dict(tensors(one)), dict(tensors(three))
            assert [path for path in here if not equal(here[path][0], there[path][0])] == []
        assert not torch.equal(batch.accounts["emissions"][0], batch.accounts["emissions"][1])

    def test_any_replica_goes_on_alone_as_it_would_have_in_its_batch(self, world: CbamWorld) -> None:
        ids = np.arange(len(world.firms.size))
        state = stepped(world, replicas=3).state
        shocks = world.shocks(0, 3, 3, {"firm": ids})
        actions = [world.decode({"firm": choices(world, 3, 3)})] if world.firms.learned else None
        together = inprocess.advance(world, state, [shocks], [ids], actions)
        for b in range(3):
            mine = [world.decode({"firm": choices(world, 3, 3)[b : b + 1]})] if world.firms.learned else None
            alone = inprocess.advance(world, only(state, b), [only(shocks, b)], [ids], mine)
            assert same(alone.state, only(together.state, b)) == []
            assert same(alone.accounts, only(together.accounts, b)) == []


def only(part: Any, b: int) -> Any:
    """The same state of one replica."""
    if isinstance(part, Tensor):
        return part[b : b + 1]
    if isinstance(part, Shocks):
        agents = {role: only(draws, b) for role, draws in part.agents.items()}
        return Shocks(agents=agents, commons=only(part.commons, b))
    if is_dataclass(part) and not isinstance(part, Shard):
        return replace(part, **{item.name: only(getattr(part, item.name), b) for item in fields(part)})  # type: ignore[type-var]
    if isinstance(part, tuple):
        return tuple(only(each, b) for each in part)
    if isinstance(part, Mapping):
        return {name: only(each, b) for name, each in part.items()}
    return part


class TestThreads:
    @pytest.mark.parametrize("kind", ["rules", "learned and disruptions"])
    def test_one_thread_and_two_give_the_same_bytes(
        self, world_2011: Economy, small_scenario: Callable[..., Scenario], kind: str
    ) -> None:
        size = {"economy": "world-2011", "years": 1, "start_year": 2030, "firms.number": 20_000}
        changes = {name: value for name, value in SCENARIOS[kind].items() if name != "disruptions.events"}
        world = build_world(small_scenario("law", **size, **changes), world_2011)
        found = []
        for count in THREADS:
            with threads(count):
                found.append(stepped(world, replicas=1, steps=2))
        assert same_step(*found) == []

    @pytest.mark.slow
    def test_two_processes_with_other_threads_write_the_same_run(self, tmp_path: Path) -> None:
        code = (
            "import sys; from pathlib import Path; from carbonray.runtime.simulate import simulate; "
            "simulate('law', firms=1300, years=1, replicas=2, "
            "settings=['disruptions.outage_rate=0.01']).write(Path(sys.argv[1]))"
        )
        started = [
            subprocess.Popen(
                [sys.executable, "-c", code, str(tmp_path / str(count))],
                env=os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(count)),
            )
            for count in THREADS
        ]
        assert [process.wait(timeout=240) for process in started] == [0, 0]
        one, two = (tmp_path / str(count) for count in THREADS)
        assert sorted(file.name for file in one.iterdir()) == sorted(file.name for file in two.iterdir())
        for name in ("config.yaml", "steps.parquet", "cells.parquet", "flows.parquet", "firms.parquet"):
            assert (one / name).read_bytes() == (two / name).read_bytes(), name
        assert without_timings(one) == without_timings(two)


def without_timings(run: Path) -> dict[str, Any]:
    from carbonray.runtime.simulate_cbam import TIMINGS

    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return {name: value for name, value in summary.items() if name not in TIMINGS}


def primitives(values: Tensor) -> dict[str, Tensor]:
    """Every primitive that a world uses, on a batch [3, n] of positive numbers, n a multiple of 144."""
    batch, n = values.shape
    keys = (torch.arange(n) * 7919 % 144).expand(batch, -1)
    square = values[:, :1].unsqueeze(2) + values[:, :144].unsqueeze(1) * values[:, 144:288].unsqueeze(2)
    matrices = values[:, : 8 * 144].reshape(batch, 8, 12, 12) + 12 * torch.eye(12, dtype=values.dtype)
    ends = torch.arange(1, 145) * (n // 144)
    return {
        "cell_totals": exact.cell_totals(values, ends, 1e6).sums,
        "keyed_totals": exact.keyed_totals(values, keys, 144, 1e6).sums,
        "power": exact.power(values, 0.3),
        "power by tensor": exact.power(values, values),
        "apply": exact.apply(matrices, values[:, None, :12].expand(-1, 8, -1)),
        "apply large": exact.apply(square, values[:, :144]),
        "small inverse": torch.linalg.inv(matrices),
        "letters": values.new_zeros(batch, 144).scatter_add_(1, keys, values),
        "gathered": torch.gather(values, 1, keys),
        "exp": (-values).exp(),
        "log": values.log(),
        "divided": values / (1 + values),
        "row sum": values[:, : 144 * 12].reshape(batch, 144, 12).sum(-1),
        "clamped": values.clamp(0.2, 0.8),
    }


class TestPrimitives:
    @given(seed=st.integers(0, 10_000))
    @settings(max_examples=8, deadline=None)
    def test_every_primitive_gives_the_same_bytes_alone_and_in_a_batch(self, seed: int) -> None:
        values = torch.as_tensor(np.random.default_rng(seed).uniform(1e-3, 2.0, (3, 144 * 15)))
        batch = primitives(values)
        for b in range(3):
            for name, alone in primitives(values[b : b + 1]).items():
                assert equal(alone[0], batch[name][b]), name

    @given(seed=st.integers(0, 10_000))
    @settings(max_examples=4, deadline=None)
    def test_every_primitive_gives_the_same_bytes_for_one_thread_and_two(self, seed: int) -> None:
        values = torch.as_tensor(np.random.default_rng(seed).uniform(1e-3, 2.0, (3, 144 * 700)))
        with threads(1):
            one = primitives(values)
        with threads(2):
            two = primitives(values)
        for name in one:
            assert equal(one[name], two[name]), name

    @given(seed=st.integers(0, 10_000))
    @settings(max_examples=8, deadline=None)
    def test_every_primitive_by_element_gives_the_same_bytes_in_any_layout(self, seed: int) -> None:
        values = torch.as_tensor(np.random.default_rng(seed).uniform(1e-3, 2.0, (3, 144 * 15)))
        here = primitives(values)
        for strided in (values.T.contiguous().T, torch.stack([values, 1 - values], 2)[..., 0]):
            assert not strided.is_contiguous()
            for name, there in primitives(strided).items():
                assert equal(here[name], there), name
