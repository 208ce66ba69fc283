"""Every job specification of cluster/jobs, submitted at small size as a user would, leaves what it promises."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

JOBS = Path(__file__).parents[2] / "cluster" / "jobs"
BARE = ("--no-robust", "--uncertainty", "0")
SMALL = {
    "simulate": (("--firms", "1000", "--years", "1", "--shard", "500", *BARE), "report.html"),
    "sweep": (("--seeds", "0", "--firms", "1000", "--years", "1", "--jobs", "2"), "years"),
    "train": (("--firms", "960", "--years", "1", "--budget", "2e4", "--runners", "1", "--replicas", "2"), "policy"),
    "predictor-build": (("--size", "trial", "--jobs", "2"), "predictor"),
    "backtest": (("--firms", "1000"), "report.html"),
}
"""What makes it small, and what it leaves in --out."""


def test_every_specification_is_submitted_here() -> None:
    assert {file.stem for file in JOBS.glob("*.yaml")} == SMALL.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_specification_leaves_what_it_promises(
    cluster: Any, tmp_path: Path, typed: Callable[..., tuple[int, str, str]], name: str
) -> None:
    words, left = SMALL[name]
    if name == "simulate":
        words = (*words, "--checkpoint", str(tmp_path / "marks"))
    inside = () if name == "backtest" else ("--", "--address", cluster.address)  # else Ray may find another cluster
    code, out, err = typed(
        "submit", str(JOBS / f"{name}.yaml"), "--address", cluster.jobs_url, "--python", sys.executable,
        *words, "--out", str(tmp_path / "left"), *inside,
    )  # fmt: skip
    assert code == 0, out + err
    assert f"carbonray-{name}" in err
    assert (tmp_path / "left" / left).exists(), sorted(tmp_path.glob("left/*"))
