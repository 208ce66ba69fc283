"""What a user may ask of a run on Ray, and what is refused before Ray is started."""

import json
from pathlib import Path
from typing import Any

import pytest

from carbonray.config import ScenarioError
from carbonray.data.scenarios import load
from carbonray.runtime import checkpoint
from carbonray.runtime.checkpoint import CheckpointError, Commit, Place
from carbonray.runtime.on_ray import resumed, runtime_of
from carbonray.runtime.simulate import advice, check_runtime, simulate

TOLD = {"robust": False, "uncertainty": 0, "actions": None}


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"on": "mars"}, "--on mars: choose process or ray"),
        ({"shard": "region"}, "--shard: only with --on ray"),
        ({"checkpoint": "place"}, "--checkpoint: only with --on ray"),
        ({"on": "ray", "device": "cuda"}, "--device cuda: "),
        ({"on": "ray", "every": -1, "checkpoint": "place"}, "--every -1: give a number of steps, at least 1"),
        ({"on": "ray", "every": 3}, "--every 3: only with --checkpoint"),
        ({"on": "ray", "patience": float("inf")}, "--patience inf: give a number of seconds above 0"),
        ({"on": "ray", "patience": -2.0}, "--patience -2: give a number of seconds above 0"),
    ],
)
def test_options_out_of_range_are_one_line(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(ScenarioError, match=f"^{rule}"):
        simulate("law", firms=1000, **options)


def test_an_unknown_option_is_an_error_of_the_program() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'checkpont'"):
        simulate("law", on="ray", checkpont="place")  # type: ignore[call-overload]


def test_zero_steps_between_checkpoints_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"^--every 0: "):
        runtime_of(load("law"), {"every": 0}, TOLD)


def test_options_of_ray_that_are_left_out_do_not_count() -> None:
    check_runtime("process", "cpu", {"shard": None, "address": None})


def test_ray_is_advised_for_what_takes_long_and_not_for_what_does_not() -> None:
    small, large = load("law"), load("law", (), **{"firms.number": 5_000_000})
    assert advice(small, "process", 8) == []
    assert advice(large, "process", 1) == []
    (told,) = advice(large, "process", 8)
    assert told.endswith("on one core; --on ray would share them among 8")
    (told,) = advice(small, "ray", 8)
    assert "starting actors on Ray takes longer" in told
    assert advice(large, "ray", 8) == []


def stopped(folder: Path, **changes: Any) -> dict[str, Any]:
    """A place where the checkpoint of a run stands."""
    runtime = runtime_of(load("law"), {"checkpoint": folder, "shard": 500, "every": 3}, TOLD)
    run = {**runtime.run, "shards": 2, "digest": "0", **changes}
    place = Place(str(folder))
    owner = checkpoint.take(place, run)
    checkpoint.commit(place, Commit(step=3, folder="step-000003-00000000", digests=("1", "2")), owner)
    return run


def test_a_checkpoint_tells_the_whole_run(tmp_path: Path) -> None:
    stopped(tmp_path / "place")
    found = resumed(tmp_path / "place", address="10.0.0.1:6379", patience=9)
    assert found.scenario == load("law")
    assert found.options == TOLD
    assert (found.runtime.shard, found.runtime.every, found.runtime.resume) == ("500", 3, True)
    assert (found.runtime.address, found.runtime.patience) == ("10.0.0.1:6379", 9)


def test_another_version_is_refused(tmp_path: Path) -> None:
    versions = json.loads(json.dumps(stopped(tmp_path / "one")["versions"])) | {"torch": "1.0"}
    stopped(tmp_path / "two", versions=versions)
    with pytest.raises(CheckpointError, match=r"two: was written with torch 1\.0, not "):
        resumed(tmp_path / "two")


def test_data_that_have_changed_are_refused(tmp_path: Path) -> None:
    datasets = dict(stopped(tmp_path / "one")["datasets"])
    name = next(iter(datasets))
    stopped(tmp_path / "two", datasets=datasets | {name: "another"})
    with pytest.raises(CheckpointError, match=f"two: {name} has changed since the checkpoint was written"):
        resumed(tmp_path / "two")
