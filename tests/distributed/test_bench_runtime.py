"""`bench runtime` from one end to the other, at the smallest sizes."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from carbonray.runtime import cluster as here
from carbonray.runtime.bench_runtime import Sizes, measure, plot_runtime, print_runtime
from carbonray.runtime.bench_runtime_actor import hold, release
from carbonray.runtime.bench_runtime_scale import Grow
from carbonray.runtime.bench_runtime_watch import Watch, asked, ensemble, law

TINY = Sizes(
    firms=1_000,
    actors=2,
    block=3,
    shardings=((None, True),),
    large=2_000,
    large_steps=4,
    lone=10,
    job_steps=8,
    every=2,
    shards=(1, 2),
    raylets=(1, 2),
)


def growing(cluster: Any) -> Callable[[], AbstractContextManager[Grow]]:
    """The shared cluster, with more raylets for a while."""

    @contextmanager
    def grown() -> Iterator[Grow]:
        with ExitStack() as added:

            def grow(number: int) -> None:
                while len(here.nodes()) < number:
                    added.enter_context(cluster.extra_node())

            yield grow

    return grown


@pytest.mark.slow
def test_every_table_is_measured_on_a_cluster_and_shown(
    cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("carbonray.runtime.bench_runtime_small.SECTORS", ("MET",))  # ten lone firms instead of twenty
    notes: list[tuple[object, ...]] = []
    table = measure(TINY, growing(cluster), lambda *told: notes.append(told))
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    (barrier,) = table["barrier"]
    assert (barrier["actors"], barrier["worlds"]) == (2, 2)
    assert barrier["kb_to_all"] > 0
    assert barrier["kb_of_letters"] > 0
    assert sum(barrier["shares"].values()) == pytest.approx(1.0)
    assert min(barrier["shares"][part] for part in ("clear", "merge", "pack", "firms", "ray")) > 0
    assert table["lone_firms"]["actors"] == 10
    assert table["lone_firms"]["mib_per_actor"]["uss"] > 50
    for row in table["recovery"]:
        assert 0 <= row["steps_lost"] <= TINY.every + 4
        assert row["checkpoint_mb"] > 0
    assert all(rate > 0 for rate in table["rates"]["firm_steps_per_second"].values())
    assert table["job"]["firm_steps"] == 2 * 2_000 * 8
    rows = table["scaling"]["rows"]
    assert [(row["raylets"], row["shards"], row["nodes_used"]) for row in rows] == [(1, 1, 1), (1, 2, 1), (2, 2, 2)]
    assert notes[-1][1] == notes[-1][2]
    print_runtime(table)
    assert "same payload" in capsys.readouterr().out
    plot_runtime(table, tmp_path / "costs.png")
    assert (tmp_path / "costs.png").stat().st_size > 0


@pytest.mark.slow
def test_shards_that_were_held_go_on_to_the_same_end(cluster: Any) -> None:
    """Held shards say what they said last, whatever they hear; released, they go on as if nothing had been."""

    class Holding(Watch):
        def __call__(self, done: int, of: int, so_far: Any) -> None:
            super().__call__(done, of, so_far)
            if len(self.stamps) == 2:
                asked(members, hold)
            if len(self.stamps) == 6:
                asked(members, release)

    def emissions(kept: Any) -> list[Any]:
        return [each["emissions"].tolist() for each in kept[0].accounts]

    play = law(1_000, 24)
    with ensemble(play, "500") as members:
        held = emissions(members.play(Holding()).kept[0])
    with ensemble(play, "500") as members:
        straight = emissions(members.play(Watch()).kept[0])
    assert 0 < len(held) < len(straight)
    assert held == straight[: len(held)]
