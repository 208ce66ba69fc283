"""Trained firms on Ray: the bytes of one process, after losses too, for what they remember is in the checkpoints."""

import json
from pathlib import Path
from typing import Any

import pytest
from distributed import runs
from distributed.runs import LEARNED, KillAt, bytes_of, scenario
from policies import lively, saved, shape_of, trained

from carbonray.data.worlds import build_world
from carbonray.learn.policy import Trained
from carbonray.runtime import pair
from carbonray.runtime.checkpoint import Place
from carbonray.runtime.distributed import OnRay
from carbonray.runtime.shard import RULES, Policy
from carbonray.runtime.simulate import resume, simulate
from carbonray.worlds.cbam import Economy


@pytest.fixture(scope="module")
def economy(world_2011: Economy) -> Economy:
    return runs.summed(world_2011)


@pytest.fixture(scope="module")
def remembering(economy: Economy) -> Trained:
    """Firms that draw their levels and remember what they saw."""
    role = build_world(scenario(**LEARNED), economy).roles["firm"]
    return trained(lively(shape_of(role, recurrent=True)), sampled=True)


def played(economy: Economy, policy: Policy, tell: Any = None, **options: Any) -> dict[str, bytes]:
    told = {} if tell is None else {"progress": tell}
    changes = LEARNED | {"replicas": 2, "years": 2}
    return bytes_of(pair.run(scenario(**changes), economy=economy, policy=policy, **told, **options))


@pytest.mark.slow
@pytest.mark.parametrize("shard", ["7", "19"])  # 19: one firm is alone
def test_any_sharding_gives_the_bytes_of_one_process(
    cluster: Any, economy: Economy, remembering: Trained, shard: str
) -> None:
    alone = played(economy, remembering)
    assert played(economy, remembering, runtime=OnRay(shard=shard)) == alone
    assert played(economy, RULES) != alone


@pytest.mark.slow
def test_a_shard_that_is_lost_remembers(cluster: Any, economy: Economy, remembering: Trained, tmp_path: Path) -> None:
    runtime = OnRay(shard="10", place=Place(str(tmp_path / "checkpoints")), every=2)
    kill = KillAt(cluster, [3, 5])
    assert played(economy, remembering, kill, runtime=runtime) == played(economy, remembering)
    assert len(kill.struck) == 2
    assert any("went on from step 2" in notice or "went on from step 4" in notice for notice in runtime.notices)


@pytest.mark.slow
def test_a_run_with_a_policy_is_resumed_with_it(cluster: Any, tmp_path: Path) -> None:
    from carbonray.data.load_world import load_world
    from carbonray.data.scenarios import load

    role = load_world(load("law", **{"firms.learned": True, "firms.number": 1000})).roles["firm"]
    policy = saved(tmp_path / "mine", lively(shape_of(role, recurrent=True)), acts="sampled")
    asked: dict[str, Any] = {"firms": 1000, "years": 1, "robust": False, "policy": policy}
    place = tmp_path / "place"
    whole = simulate("law", on="ray", address=cluster.address, shard=500, checkpoint=place, every=2, **asked)
    again = resume(place, address=cluster.address)
    assert json.loads((place / "run.json").read_text())["options"]["policy"] == str(policy)
    assert again.summary["policy"] == whole.summary["policy"]
    alone = simulate("law", **asked)
    for found in (whole, again):
        assert bytes_of(found.pair) == bytes_of(alone.pair)  # type: ignore[attr-defined]
