"""Shards as Ray actors: the bytes of one process, for any sharding and any nodes, after any failure."""

import os
import re
import signal
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from distributed import runs
from distributed.runs import LEARNED, STRUCK, KillAt, actor_pids, run, until

from carbonray.config import ScenarioError
from carbonray.config_climate import NegotiationScenario
from carbonray.data.negotiation import negotiation_world
from carbonray.data.scenarios import load
from carbonray.data.worlds import build_world
from carbonray.runtime import checkpoint, pair
from carbonray.runtime.actors import StepError
from carbonray.runtime.checkpoint import CheckpointError, Place
from carbonray.runtime.distributed import Ensemble, LostError, OnRay
from carbonray.runtime.negotiation_run import Century, together
from carbonray.runtime.shard import untold
from carbonray.worlds.cbam import CbamWorld, Economy

FEWEST = STRUCK | {"firms.number": 10}
"""Firms of two cells."""


@pytest.fixture(scope="module")
def economy(world_2011: Economy) -> Economy:
    return runs.summed(world_2011)


@pytest.fixture(scope="module")
def truth(economy: Economy) -> Any:
    """The bytes of one process, by what is changed."""
    known: dict[str, dict[str, bytes]] = {}

    def of(**changes: Any) -> dict[str, bytes]:
        return known.setdefault(repr(sorted(changes.items())), run(economy, **changes))

    return of


@pytest.mark.slow
class TestSameBytes:
    @pytest.mark.parametrize(
        "changes", [{}, LEARNED | {"replicas": 2}, {"firms.slots": 0}], ids=["law", "learned", "no graph"]
    )
    def test_any_way_to_speak_gives_the_bytes_of_one_process(
        self, cluster: Any, economy: Economy, truth: Any, changes: Any
    ) -> None:
        assert run(economy, OnRay(shard="7"), **changes) == truth(**changes)

    def test_one_actor_gives_them_too_and_another_seed_gives_others(
        self, cluster: Any, economy: Economy, truth: Any
    ) -> None:
        assert run(economy, OnRay(shard="20"), seed=1, **STRUCK) == truth(seed=1, **STRUCK) != truth(**STRUCK)

    @pytest.mark.parametrize("shard", ["9", "26"])  # 26: one is alone; that all 27 may be, `inprocess` shows
    def test_regions_of_the_climate_world_are_actors_too(self, cluster: Any, shard: str) -> None:
        scenario = load("climate-negotiation/club", ("behaviour.kind=random",))
        assert isinstance(scenario, NegotiationScenario)
        worlds = [negotiation_world(each) for each in (scenario, scenario.reference())]
        alone = together(worlds, seed=3, replicas=2)
        on_ray = together(worlds, seed=3, replicas=2, runtime=OnRay(shard=shard))
        assert [century_bytes(each) for each in on_ray] == [century_bytes(each) for each in alone]


@pytest.fixture(scope="class")
def second_node(cluster: Any) -> Any:
    with cluster.extra_node() as node:
        yield node


@pytest.mark.slow
@pytest.mark.usefixtures("second_node")
class TestTwoNodes:
    @pytest.mark.parametrize("shard", ["7", "region"])
    def test_any_sharding_gives_the_bytes_of_one_process(self, economy: Economy, truth: Any, shard: str) -> None:
        assert run(economy, OnRay(shard=shard), **STRUCK) == truth(**STRUCK)

    def test_every_firm_an_actor_gives_them_too(self, world_2011: Economy) -> None:
        """In waves, for there are more of them than are made at once."""
        few = runs.summed(world_2011, sectors=("MET",))
        assert run(few, OnRay(shard="firm"), **FEWEST) == run(few, **FEWEST)


def century_bytes(century: Century) -> dict[str, bytes]:
    return {
        name: values.tobytes()
        for item in ("regions", "temperature", "carbon", "member", "minimum_mitigation", "imports", "tariff_mean")
        for name, values in runs.arrays(item, getattr(century, item))
    }


@pytest.mark.slow
class TestFaults:
    @pytest.mark.timeout(900)
    def test_an_actor_killed_at_twenty_random_steps_costs_nothing_but_time(
        self, cluster: Any, economy: Economy, truth: Any, tmp_path: Path
    ) -> None:
        changes = STRUCK | {"years": 6}
        steps = np.random.default_rng(5).choice(np.arange(1, 24), 20, replace=False)
        kill = KillAt(cluster, steps.tolist(), seed=5)
        runtime = OnRay(shard="10", place=Place(str(tmp_path / "checkpoints")), every=1)
        assert run(economy, runtime, kill, **changes) == truth(**changes)
        assert len(kill.struck) == 20
        assert len(runtime.notices) >= 10  # two may die before the first is missed

    def test_without_checkpoints_a_loss_starts_over(self, cluster: Any, economy: Economy, truth: Any) -> None:
        runtime = OnRay(shard="10")
        told: list[int] = []
        kill = KillAt(cluster, [3])

        def tell(done: int, of: int, so_far: Any) -> None:
            told.append(done)
            kill(done, of, so_far)

        assert run(economy, runtime, tell) == truth()
        assert told.count(1) == 2
        assert len(runtime.notices) == 1
        assert re.fullmatch(r"firms .*: died \(.+\); made anew, went on from step 0", runtime.notices[0])

    def test_a_shard_that_hangs_is_given_up(self, cluster: Any, economy: Economy, truth: Any, tmp_path: Path) -> None:
        changes = {"years": 2}
        stop = KillAt(cluster, [4], what=signal.SIGSTOP)
        runtime = OnRay(shard="10", place=Place(str(tmp_path / "checkpoints")), every=2, patience=4)
        assert run(economy, runtime, stop, **changes) == truth(**changes)
        ((_, pid),) = stop.struck
        assert "silent for 4 s" in runtime.notices[0]
        until(lambda: not Path(f"/proc/{pid}").exists())

    def test_a_raylet_killed_costs_nothing_but_time(
        self, cluster: Any, economy: Economy, truth: Any, tmp_path: Path
    ) -> None:
        changes = STRUCK | {"years": 3}
        with cluster.extra_node() as node:
            killed: list[int] = []

            def tell(done: int, of: int, so_far: Any) -> None:
                if done >= 5 and not killed:
                    everyone = len(actor_pids(cluster))
                    cluster.inner.remove_node(node, allow_graceful=False)
                    until(lambda: len(actor_pids(cluster)) < everyone)  # actors may outlive their raylet for a while
                    killed.append(done)

            runtime = OnRay(shard="7", place=Place(str(tmp_path / "checkpoints")), every=2, patience=10)
            assert run(economy, runtime, tell, **changes) == truth(**changes)
        assert killed
        assert runtime.notices

    def test_a_node_that_hangs_is_given_up(
        self, cluster: Any, economy: Economy, truth: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("carbonray.runtime.distributed.NODE_ANSWERS", 6.0)  # before Ray itself gives it up
        changes = {"years": 2}
        with cluster.extra_node() as node:
            stopped: list[int] = []

            def tell(done: int, of: int, so_far: Any) -> None:
                if done >= 4 and not stopped:
                    stopped.extend(processes_of(node))
                    for pid in stopped:
                        os.kill(pid, signal.SIGSTOP)

            runtime = OnRay(shard="7", place=Place(str(tmp_path / "checkpoints")), every=2, patience=4)
            try:
                assert run(economy, runtime, tell, **changes) == truth(**changes)
            finally:
                for pid in stopped:
                    if Path(f"/proc/{pid}").exists():
                        os.kill(pid, signal.SIGCONT)
        assert len(stopped) > 1
        assert "silent for 4 s" in runtime.notices[0]

    def test_shards_lost_again_and_again_end_the_run(self, cluster: Any, economy: Economy) -> None:
        def kill(done: int, of: int, so_far: Any) -> None:
            if done == 1:  # in every try, however far the shards are ahead by then
                os.kill(actor_pids(cluster)[0], signal.SIGKILL)

        with pytest.raises(LostError, match=r"^firms .*: died \(.+\) 4 times after step 0; given up$"):
            run(economy, OnRay(shard="20"), kill)
        until(lambda: not actor_pids(cluster))


def processes_of(node: Any) -> list[int]:
    """The raylet of a node and all its workers."""
    (raylet,) = [each.process.pid for each in node.all_processes["raylet"]]
    children = Path(f"/proc/{raylet}/task/{raylet}/children").read_text(encoding="ascii").split()
    return [raylet, *map(int, children)]


@pytest.mark.slow
class TestErrors:
    def test_a_failing_step_names_agent_step_and_shard(self, cluster: Any, economy: Economy) -> None:
        scenario = runs.scenario()
        world = build_world(scenario, economy)
        size = world.firms.size.clone()
        size[13] = float("nan")
        play = pair.play_of(scenario, [replace(world, firms=replace(world.firms, size=size))])
        told = r"^step 0, shard firms 10-19, firm 13: plan is not a finite number: SumOutOfBoundError: output"
        with pytest.raises(StepError, match=told) as failure:
            OnRay(shard="10").play(play, untold)
        assert "\n" not in str(failure.value)
        until(lambda: not actor_pids(cluster))

    @pytest.mark.parametrize("every", [1, 10])
    def test_a_step_that_fails_where_no_books_are_kept_says_why(
        self, cluster: Any, economy: Economy, tmp_path: Path, every: int
    ) -> None:
        from ray.cloudpickle import register_pickle_by_value

        register_pickle_by_value(sys.modules[__name__])
        plain = build_world(runs.scenario(), economy)
        world = Failing(**{item.name: getattr(plain, item.name) for item in fields(plain)})
        place = Place(str(tmp_path / "checkpoints"))
        with pytest.raises(StepError, match=r"^step 2, shard firms 10-19: ValueError: books of firm 15 do not close$"):
            OnRay(shard="10", place=place, every=every).play(pair.play_of(runs.scenario(), [world]), untold)
        assert checkpoint.exists(place.url)

    def test_a_place_that_cannot_be_written_is_refused_before_the_run(self, cluster: Any, economy: Economy) -> None:
        told: list[int] = []
        runtime = OnRay(shard="10", place=Place("/proc/nowhere/checkpoints"))
        with pytest.raises(
            CheckpointError, match=r"^/proc/nowhere/checkpoints: checkpoints cannot be written there \(No such"
        ):
            run(economy, runtime, lambda done, of, so_far: told.append(done))
        assert not any(told)  # nothing but that it begins

    def test_a_full_place_is_refused_before_the_run(self, cluster: Any, economy: Economy, tmp_path: Path) -> None:
        import subprocess

        disk = tmp_path / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=False).returncode:
            pytest.skip("a small disk cannot be mounted here")
        try:
            with pytest.raises(CheckpointError, match="No space left on device"):
                run(economy, OnRay(shard="10", place=Place(str(disk / "checkpoints"))))
            assert list(disk.iterdir()) == []
        finally:
            subprocess.run(["umount", str(disk)], check=True)

    def test_more_actors_than_memory_are_refused_with_what_they_need(self, cluster: Any, economy: Economy) -> None:
        with pytest.raises(ScenarioError, match=r"^--shard firm: 10,000 actors need about 1,757\.8 GiB of memory"):
            run(economy, OnRay(shard="firm"), **{"firms.number": 10_000})

    def test_one_run_does_not_disturb_another(self, cluster: Any, economy: Economy, truth: Any) -> None:
        scenario, other = runs.scenario(), runs.scenario(seed=1)
        first = Ensemble(OnRay(), *played(scenario, economy))
        second = Ensemble(OnRay(), *played(other, economy))
        try:
            first._assemble()
            second._assemble()
            second._drive(untold)
            first._drive(untold)
            kept = [ensemble._kept(60) for ensemble in (first, second)]
        finally:
            second.disband()
            first.disband()
        prices = [np.stack([each.numpy() for each in part[0][0].price]).tobytes() for part in kept]
        assert prices == [truth()["policy.price"], truth(seed=1)["policy.price"]]


class Failing(CbamWorld):
    """A world in which one shard cannot settle its third step."""

    def settle(self, agents: Any, commons: Any, mail: Any) -> Any:
        if commons.step == 3 and 15 in agents.shard.ids:
            raise ValueError("books of firm 15 do not close")
        return super().settle(agents, commons, mail)


def played(scenario: Any, economy: Economy) -> tuple[Any, Any]:
    from carbonray.runtime.placement import split

    worlds = [build_world(each, economy) for each in (scenario, scenario.reference())]
    return pair.play_of(scenario, worlds), split(worlds[0], "10", 2)


@pytest.mark.slow
class TestPlaces:
    def test_checkpoints_behind_a_url_are_resumed_from(
        self, cluster: Any, economy: Economy, truth: Any, tmp_path: Path
    ) -> None:
        changes = {"years": 2}
        place = Place(f"file://{tmp_path}/checkpoints")
        stopped: list[int] = []
        told = {"world": "cbam", "scenario": {}, "options": {}, "versions": {}}

        def stop(done: int, of: int, so_far: Any) -> None:
            stopped.append(done)
            if done == 3:
                raise RuntimeError("the caller fails")

        with pytest.raises(RuntimeError, match="the caller fails"):
            run(economy, OnRay(shard="10", place=place, every=1, run=told), stop, **changes)
        steps: list[int] = []
        runtime = OnRay(shard="10", place=place, every=1, resume=True)
        assert run(economy, runtime, lambda done, of, so_far: steps.append(done), **changes) == truth(**changes)
        assert steps[0] == 0  # it begins
        assert steps[1] > 1
        assert steps[-1] == 8

    def test_a_place_that_not_every_machine_sees_is_refused(self, cluster: Any, economy: Economy) -> None:
        with pytest.raises(CheckpointError, match=r"^memory://checkpoints: not every machine sees it"):
            run(economy, OnRay(shard="10", place=Place("memory://checkpoints")))


@pytest.mark.slow
def test_a_run_is_seen_by_prometheus_while_it_runs(cluster: Any, economy: Economy) -> None:
    import ray

    (head,) = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("node:__internal_head__")]
    seen: list[str] = []

    def metrics() -> list[str]:
        with urlopen(f"http://127.0.0.1:{head['MetricsExportPort']}/metrics") as page:
            lines = page.read().decode().splitlines()
        wanted = ("ray_carbonray_step{", "ray_carbonray_leakage_rate{", "ray_carbonray_shard_seconds{")
        found = [line for line in lines if line.startswith(wanted) and 'run="watched-' in line]
        steps = [line.rpartition(" ")[2] for line in found if line.startswith(wanted[0])]
        whole = {line.partition("{")[0] + "{" for line in found} == set(wanted) and steps == ["8.0"]
        return found if whole and any('shard="firms 10-19"' in line for line in found) else []

    def tell(done: int, of: int, so_far: Any) -> None:
        if done == 8:
            seen.extend(until(metrics))

    run(economy, OnRay(shard="10", run={"name": "watched"}), tell, years=2)
    assert seen
