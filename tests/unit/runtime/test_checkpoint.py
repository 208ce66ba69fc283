"""Checkpoints: whole or not there, and nothing but what was written is read."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from carbonray.runtime import checkpoint
from carbonray.runtime.checkpoint import CheckpointError, Commit, Place
from carbonray.runtime.shard import Boundary


@dataclass(frozen=True, kw_only=True)
class Inner:
    value: Tensor


@dataclass(frozen=True, kw_only=True)
class Agents:
    value: Tensor
    inner: Inner | None
    several: tuple[Tensor, ...]


@dataclass
class Records:
    prices: list[Tensor]


@dataclass
class Foreign:
    value: int


def boundary(step: int = 4, kept: Any = None) -> Boundary:
    ones = torch.ones(2, 3, dtype=torch.float64)
    agents = Agents(value=ones, inner=Inner(value=ones * float("nan")), several=(ones, ones * 2))
    records = kept or Records(prices=[ones * 3])
    return Boundary(step=step, agents=(agents,), commons=(Inner(value=ones * 4),), unbooked=(), kept=(records,))


@pytest.fixture(params=["folder", "url"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(str(tmp_path / "place") if request.param == "folder" else f"file://{tmp_path}/place")


def written(place: Place, step: int = 4) -> Commit:
    digest = checkpoint.save(place, 0, boundary(step))
    checkpoint.commit(place, step, [digest])
    return Commit(step=step, digests=(digest,))


def test_a_boundary_comes_back_as_it_was(place: Place) -> None:
    checkpoint.create(place, {"name": "law"})
    at = written(place)
    assert checkpoint.read_run(place) == {"name": "law"}
    assert checkpoint.read_commit(place) == at
    back = checkpoint.load(place, 0, at, boundary(0))
    assert back.step == 4
    assert back.agents[0].inner.value.isnan().all()
    assert torch.equal(back.agents[0].several[1], boundary().agents[0].several[1])
    assert torch.equal(back.kept[0].prices[0], boundary().kept[0].prices[0])


def test_only_the_last_checkpoint_stays(place: Place) -> None:
    checkpoint.create(place, {})
    for step in (0, 4, 8):
        written(place, step)
    assert place.folders() == ["step-000008"]


def test_files_of_a_step_that_was_never_committed_change_nothing(place: Place) -> None:
    checkpoint.create(place, {})
    at = written(place, 4)
    checkpoint.save(place, 0, boundary(8))
    assert checkpoint.read_commit(place) == at
    assert checkpoint.load(place, 0, at, boundary(0)).step == 4


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "place"))
    checkpoint.create(place, {})
    at = written(place)
    file = tmp_path / "place" / "step-000004" / "shard-0000.pt"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"step-000004/shard-0000\.pt is not what was committed"):
        checkpoint.load(place, 0, at, boundary(0))


def test_what_the_world_has_not_is_not_read(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "place"))
    digest = checkpoint.save(place, 0, boundary(kept=Foreign(value=1)))
    with pytest.raises(Exception, match="Unsupported global"):
        checkpoint.load(place, 0, Commit(step=4, digests=(digest,)), boundary(0))


def test_a_place_that_is_taken_is_refused(place: Place, tmp_path: Path) -> None:
    assert checkpoint.free(place)
    assert not checkpoint.exists(place.url)
    place.write("notes.txt", b"mine")
    with pytest.raises(CheckpointError, match="is not empty; give another place"):
        checkpoint.free(place)
    place.clear()
    checkpoint.create(place, {})
    written(place)
    assert checkpoint.exists(place.url)
    with pytest.raises(CheckpointError, match="holds the checkpoint of step 4 of a run; go on with --resume"):
        checkpoint.free(place)
    place.clear()
    assert not (tmp_path / "place").exists()


def test_a_run_killed_before_its_first_checkpoint_leaves_the_place_free(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "place"))
    checkpoint.create(place, {"name": "law"})
    place.write("probe-0", b"")
    checkpoint.save(place, 0, boundary(0))
    assert checkpoint.free(place)
    assert place.empty()


def test_a_place_without_a_checkpoint_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no checkpoint to resume"):
        checkpoint.read_run(Place(str(tmp_path / "nowhere")))


@pytest.mark.parametrize("url", ["/proc/nowhere", "nosuch://bucket/place"])
def test_where_nothing_can_be_kept_is_one_line(url: str) -> None:
    with pytest.raises(CheckpointError, match=rf"^{url}: ") as refusal:
        checkpoint.create(Place(url), {})
    assert "\n" not in str(refusal.value)


def fail_while_writing(place: Place) -> None:
    with place.writing("COMMIT") as file:
        file.write(b"half")
        raise RuntimeError


def test_a_draft_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        fail_while_writing(Place(str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_the_digest_tells_worlds_apart() -> None:
    one = boundary().agents[0]
    assert checkpoint.digest(one) == checkpoint.digest(boundary().agents[0])
    other = replace(one, value=one.value.clone())
    other.value[1, 2] += 1e-15
    assert checkpoint.digest(other) != checkpoint.digest(one)
    assert checkpoint.digest(replace(one, inner=None)) != checkpoint.digest(one)


def test_commit_is_plain_json(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "place"))
    checkpoint.create(place, {})
    at = written(place)
    assert json.loads((tmp_path / "place" / "COMMIT").read_text()) == {"step": 4, "digests": list(at.digests)}
