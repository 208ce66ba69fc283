"""A predictor's runs on a cluster: the bytes of those on processes."""

from pathlib import Path
from typing import Any

import pytest

from carbonray.predict import dataset, followed
from carbonray.predict.gather import Size, gather
from carbonray.predict.ground import ground_of
from carbonray.runtime.work import place_for

pytestmark = pytest.mark.slow

SIZE = Size(economies={"train": 1, "calibrate": 1, "test": 0, "corner": 0}, firms=960, epochs=1)


def test_runs_on_a_cluster_are_those_on_processes(cluster: Any, tmp_path: Path) -> None:
    ground = ground_of(firms=SIZE.firms, seed=5, policy=followed.read("law"))
    here, there = tmp_path / "here", tmp_path / "there"
    gather(ground, SIZE, here, place_for("process", jobs=1))
    gather(ground, SIZE, there, place_for("ray", address=cluster.address))
    names = sorted(path.name for path in (here / dataset.RUNS).iterdir())
    assert names == ["calibrate-000000.parquet", "train-000000.parquet"]
    for name in names:
        assert (here / dataset.RUNS / name).read_bytes() == (there / dataset.RUNS / name).read_bytes(), name
