"""`carbonray simulate --on ray` as a user runs it: results, a killed driver, Ctrl-C, refusals."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from distributed.runs import actor_pids, until

SMALL = ("--firms", "1000", "--no-robust", "--uncertainty", "0")
TABLES = ("steps", "cells", "flows", "firms", "charges", "hotspots")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "carbonray.cli", "simulate", *arguments]


def ended(*arguments: str, folder: Path, code: int = 0) -> str:
    """What a command printed, output and errors."""
    done = subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def hear_ctrl_c() -> None:
    """Ctrl-C reaches a command even where tests run in the background, which ignores it for all they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def same_tables(one: Path, other: Path) -> list[str]:
    """Tables whose bytes differ."""
    pairs = [(one / f"{name}.parquet", other / f"{name}.parquet") for name in TABLES]
    return [a.name for a, b in pairs if a.read_bytes() != b.read_bytes()]


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five years of the law in one process."""
    folder = tmp_path_factory.mktemp("truth")
    ended("law", "--years", "5", *SMALL, "--out", "run", folder=folder)
    return folder / "run"


@pytest.mark.slow
class TestCommandLine:
    def test_a_driver_killed_at_any_moment_is_resumed_with_the_same_bytes(
        self, cluster: Any, truth: Path, tmp_path: Path
    ) -> None:
        on_ray = ("--on", "ray", "--address", cluster.address, "--shard", "500")
        driver = subprocess.Popen(
            command("law", "--years", "5", *SMALL, *on_ray, "--checkpoint", "place", "--every", "1", "--out", "run"),
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: list((tmp_path / "place").glob("step-*[3-9]-*")), 120)  # a later one if 3 was missed
        finally:
            driver.kill()
            driver.wait()
        assert not (tmp_path / "run").exists()
        until(lambda: not actor_pids(cluster))
        told = ended("--resume", "place", "--address", cluster.address, "--out", "run", folder=tmp_path)
        assert "law, 2026-2030" in told
        assert same_tables(tmp_path / "run", truth) == []
        again = ended("--resume", "place", "--address", cluster.address, "--out", "again", folder=tmp_path)
        assert "law, 2026-2030" in again
        assert same_tables(tmp_path / "again", truth) == []

    @pytest.mark.parametrize("step", [0, 8])
    def test_ctrl_c_keeps_whole_years_and_leaves_no_actors_and_no_drafts(
        self, cluster: Any, tmp_path: Path, step: int
    ) -> None:
        on_ray = ("--on", "ray", "--address", cluster.address, "--shard", "500")
        driver = subprocess.Popen(
            command("law", "--years", "60", *SMALL, *on_ray, "--checkpoint", "place", "--every", "4", "--out", "run"),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=hear_ctrl_c,
        )
        try:
            until(lambda: list((tmp_path / "place").glob(f"step-{step:06d}-*")), 120)
            until(lambda: (tmp_path / "place" / "COMMIT").exists(), 120)
            driver.send_signal(signal.SIGINT)
            out, errors = driver.communicate(timeout=120)
        finally:
            driver.kill()
        assert driver.returncode == 130, out + errors
        assert "go on with: carbonray simulate --resume" in errors
        there = sorted(each.name for each in tmp_path.iterdir())
        assert there == ["place", "run"] if step else there in (["place"], ["place", "run"])
        left = sorted(each.name for each in (tmp_path / "place").iterdir())
        assert left[:3] == ["COMMIT", "OWNER", "run.json"]
        assert len(left) == 4
        until(lambda: not actor_pids(cluster))

    def test_two_runs_in_one_cluster_do_not_disturb_each_other(self, cluster: Any, truth: Path, tmp_path: Path) -> None:
        on_ray = ("--on", "ray", "--address", cluster.address, "--shard", "500")
        both = [
            subprocess.Popen(
                command("law", "--years", "5", *SMALL, *on_ray, "--out", name),
                cwd=tmp_path,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for name in ("one", "other")
        ]
        try:
            assert [run.wait(200) for run in both] == [0, 0]
        finally:
            for run in both:
                run.kill()
        assert [same_tables(tmp_path / name, truth) for name in ("one", "other")] == [[], []]

    def test_what_a_checkpoint_was_written_for_must_not_change(self, cluster: Any, tmp_path: Path) -> None:
        on_ray = ("--on", "ray", "--address", cluster.address, "--shard", "1000")
        scenario = tmp_path / "mine.yaml"
        shown = subprocess.run(
            [sys.executable, "-m", "carbonray.cli", "scenarios", "law"], capture_output=True, text=True, check=True
        )
        scenario.write_text(shown.stdout, encoding="utf-8")
        ended("mine.yaml", "--years", "1", *SMALL, *on_ray, "--checkpoint", "place", "--out", "run", folder=tmp_path)
        refused = ended(
            "law", "--years", "1", *SMALL, *on_ray, "--checkpoint", "place", "--out", "new", folder=tmp_path, code=2
        )
        assert "place: holds the checkpoint of step 4 of a run; go on with --resume" in refused
        (shard,) = (tmp_path / "place").glob("step-*/shard-0000.pt")
        shard.write_bytes(shard.read_bytes()[:-1] + b"?")
        refused = ended("--resume", "place", "--address", cluster.address, "--out", "new", folder=tmp_path, code=2)
        assert "shard-0000.pt is not what was committed" in refused
        assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_cluster_of_ones_own_is_started_for_a_run_and_says_nothing_itself(truth: Path, tmp_path: Path) -> None:
    told = ended("law", "--years", "5", *SMALL, "--on", "ray", "--shard", "125", "--out", "run", folder=tmp_path)
    assert same_tables(tmp_path / "run", truth) == []
    assert told.startswith(("law, 2026-2030", "note: "))
    assert "raylet" not in told
    assert "report: run/report.html" in told.splitlines()


def test_nobody_at_an_address_is_one_line(tmp_path: Path) -> None:
    told = ended("law", *SMALL, "--on", "ray", "--address", "127.0.0.1:1", folder=tmp_path, code=2)
    assert told.splitlines()[-1].startswith("carbonray: --address 127.0.0.1:1: nobody answers there")
    assert list(tmp_path.iterdir()) == []
