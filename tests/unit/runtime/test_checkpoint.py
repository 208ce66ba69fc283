"""Checkpoints: whole or not there, and nothing but what was written is read."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from carbonray.runtime import checkpoint
from carbonray.runtime.checkpoint import CheckpointError, Commit, Place
from carbonray.runtime.shard import Boundary

RUN = {"world": "cbam", "scenario": {}, "options": {}, "versions": {}, "digest": "0"}


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
    commons = Inner(value=ones * 4)
    return Boundary(
        step=step,
        agents=(agents,),
        commons=(commons,),
        memory=({"lstm": ones * 5, "levels": torch.arange(3)},),
        unbooked=(),
        kept=(records,),
    )


@pytest.fixture(params=["folder", "file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    kinds = {"folder": f"{tmp_path}/place", "file": f"file://{tmp_path}/place", "memory": f"memory://{tmp_path}/place"}
    return Place(kinds[request.param])


def written(place: Place, owner: str, step: int = 4) -> Commit:
    folder = checkpoint.folder(step)
    at = Commit(step=step, folder=folder, digests=(checkpoint.save(place, folder, 0, boundary(step)),))
    checkpoint.commit(place, at, owner)
    return at


def test_a_boundary_comes_back_as_it_was(place: Place) -> None:
    at = written(place, checkpoint.take(place, RUN))
    assert checkpoint.read_run(place) == RUN
    assert checkpoint.read_commit(place) == at
    back = checkpoint.load(place, 0, at, boundary(0))
    assert back.step == 4
    assert back.agents[0].inner.value.isnan().all()
    assert torch.equal(back.agents[0].several[1], boundary().agents[0].several[1])
    assert torch.equal(back.kept[0].prices[0], boundary().kept[0].prices[0])
    assert torch.equal(back.memory[0]["lstm"], boundary().memory[0]["lstm"])
    assert back.memory[0]["levels"].tolist() == [0, 1, 2]


def test_only_the_last_checkpoint_stays(place: Place) -> None:
    owner = checkpoint.take(place, RUN)
    last = [written(place, owner, step) for step in (0, 4, 8)][-1]
    assert place.names() == ["COMMIT", "OWNER", "run.json", last.folder]


def test_files_of_a_step_that_was_never_committed_change_nothing(place: Place) -> None:
    at = written(place, checkpoint.take(place, RUN), 4)
    checkpoint.save(place, checkpoint.folder(8), 0, boundary(8))
    assert checkpoint.read_commit(place) == at
    assert checkpoint.load(place, 0, at, boundary(0)).step == 4


def test_what_a_shard_that_was_given_up_still_writes_changes_nothing(place: Place) -> None:
    owner, late = checkpoint.take(place, RUN), checkpoint.folder(4)
    at = written(place, owner, 4)
    checkpoint.save(place, late, 0, boundary(4, kept=Records(prices=[])))
    assert len(checkpoint.load(place, 0, at, boundary(0)).kept[0].prices) == 1
    checkpoint.tidy(place)
    assert not place.exists(late)


def test_a_run_whose_place_another_took_commits_no_more(place: Place) -> None:
    first = checkpoint.take(place, RUN)
    at = written(place, first, 4)
    second = checkpoint.own(place)
    with pytest.raises(CheckpointError, match="another run has taken this place; this one ends"):
        written(place, first, 8)
    assert checkpoint.read_commit(place) == at
    assert written(place, second, 8).step == 8


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "place"))
    at = written(place, checkpoint.take(place, RUN))
    file = tmp_path / "place" / at.folder / "shard-0000.pt"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=rf"{at.folder}/shard-0000\.pt is not what was committed"):
        checkpoint.load(place, 0, at, boundary(0))


def test_a_damaged_commit_is_told(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "place"))
    written(place, checkpoint.take(place, RUN))
    (tmp_path / "place" / "COMMIT").write_bytes(b"")
    with pytest.raises(CheckpointError, match="COMMIT is damaged; no checkpoint can be read"):
        checkpoint.read_commit(place)


def test_what_the_world_has_not_is_not_read(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "place"))
    digest = checkpoint.save(place, "step-000004-00000000", 0, boundary(kept=Foreign(value=1)))
    at = Commit(step=4, folder="step-000004-00000000", digests=(digest,))
    with pytest.raises(Exception, match="Unsupported global"):
        checkpoint.load(place, 0, at, boundary(0))


def test_a_place_that_is_taken_is_refused(place: Place) -> None:
    place.write("notes.txt", b"mine")
    with pytest.raises(CheckpointError, match="is not empty; give another place"):
        checkpoint.take(place, RUN)
    place.remove("notes.txt")
    assert not checkpoint.exists(place.url)
    written(place, checkpoint.take(place, RUN))
    assert checkpoint.exists(place.url)
    with pytest.raises(CheckpointError, match="holds the checkpoint of step 4 of a run; go on with --resume"):
        checkpoint.take(place, RUN)


def test_a_run_killed_before_its_first_checkpoint_leaves_the_place_free(place: Place) -> None:
    checkpoint.take(place, RUN)
    place.write("probe-0", b"")
    checkpoint.save(place, checkpoint.folder(0), 0, boundary(0))
    checkpoint.take(place, RUN)
    assert place.names() == ["OWNER", "run.json"]


def test_nothing_of_the_user_is_ever_removed(tmp_path: Path) -> None:
    mine = {"run.json": b"{}", "step-by-step-notes": b"dear diary", "probes": b"1"}
    for name, content in mine.items():
        (tmp_path / name).write_bytes(content)
    place = Place(str(tmp_path))
    with pytest.raises(CheckpointError, match="is not empty"):
        checkpoint.take(place, RUN)
    (tmp_path / "run.json").unlink()
    checkpoint.clear(place)
    assert sorted(place.names()) == ["probes", "step-by-step-notes"]


def test_a_place_without_a_checkpoint_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no checkpoint to resume"):
        checkpoint.read_run(Place(str(tmp_path / "nowhere")))


@pytest.mark.parametrize("url", ["/proc/nowhere", "nosuch://bucket/place"])
def test_where_nothing_can_be_kept_is_one_line(url: str) -> None:
    with pytest.raises(CheckpointError, match=rf"^{url}: ") as refusal:
        checkpoint.take(Place(url), RUN)
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


def test_the_digest_tells_arrays_apart() -> None:
    one, other = np.zeros(5000, np.int64), np.zeros(5000, np.int64)
    other[2500] = 1
    assert checkpoint.digest((one, None, 3)) != checkpoint.digest((other, None, 3))


def test_commit_is_plain_json(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "place"))
    at = written(place, checkpoint.take(place, RUN))
    told = json.loads((tmp_path / "place" / "COMMIT").read_text())
    assert told == {"step": 4, "folder": at.folder, "digests": list(at.digests)}
