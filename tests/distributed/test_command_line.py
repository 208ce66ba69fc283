"""`carbonray simulate --on ray` as a user runs it: results, a killed driver, Ctrl-C, refusals."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distributed.runs import actor_pids, until

from carbonray.runtime.simulate import simulate

SMALL = ("--firms", "1000", "--no-robust", "--uncertainty", "0")
TWO_YEARS = ("law", "--years", "2", *SMALL)
Typed = Callable[..., tuple[int, str, str]]
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
    """Two years of the law in one process."""
    folder = tmp_path_factory.mktemp("truth") / "run"
    simulate("law", years=2, firms=1000, robust=False, uncertainty=0).write(folder)
    return folder


@pytest.mark.slow
class TestCommandLine:
    def test_a_driver_killed_at_any_moment_is_resumed_with_the_same_bytes(
        self, cluster: Any, truth: Path, tmp_path: Path, typed: Typed
    ) -> None:
        on_ray = ("--on", "ray", "--address", cluster.address, "--shard", "500")
        place = tmp_path / "place"
        driver = subprocess.Popen(
            command(*TWO_YEARS, *on_ray, "--checkpoint", "place", "--every", "1", "--out", "run"),
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: list(place.glob("step-*[3-8]-*")), 120)  # a later one if 3 was missed
        finally:
            driver.kill()
            driver.wait()
        assert not (tmp_path / "run").exists()
        until(lambda: not actor_pids(cluster))
        for name in ("run", "again"):
            code, out, errors = typed("simulate", "--resume", str(place), "--out", str(tmp_path / name))
            assert code == 0, errors
            assert "law, 2026-2027" in out
            assert same_tables(tmp_path / name, truth) == []

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
        """The other begins and steps while the one stands after its first steps; then both go on."""
        on_ray = ("--on", "ray", "--address", cluster.address, "--shard", "500")
        others: list[subprocess.Popen[bytes]] = []

        def begin_another(task: str, done: int, of: int, note: str = "", /) -> None:
            if done and not others:
                other = command(*TWO_YEARS, *on_ray, "--checkpoint", "place", "--every", "1", "--out", "other")
                others.append(
                    subprocess.Popen(other, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                )
                until(lambda: list((tmp_path / "place").glob("step-*[2-8]-*")), 120)

        asked: dict[str, Any] = {"years": 2, "firms": 1000, "robust": False, "uncertainty": 0}
        try:
            found = simulate("law", on="ray", shard=500, progress=begin_another, **asked)
            assert [run.wait(200) for run in others] == [0]
        finally:
            for run in others:
                run.kill()
        found.write(tmp_path / "one")
        assert [same_tables(tmp_path / name, truth) for name in ("one", "other")] == [[], []]

    def test_what_a_checkpoint_was_written_for_must_not_change(
        self, cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Typed
    ) -> None:
        monkeypatch.chdir(tmp_path)
        on_ray = ("--on", "ray", "--shard", "1000")
        scenario = tmp_path / "mine.yaml"
        scenario.write_text(typed("scenarios", "law")[1], encoding="utf-8")
        year = ("--years", "1", *SMALL, *on_ray, "--checkpoint", "place")
        code, _, told = typed("simulate", "mine.yaml", *year, "--out", "run")
        assert code == 0, told
        code, _, told = typed("simulate", "law", *year, "--out", "new")
        assert code == 2
        assert "place: holds the checkpoint of step 4 of a run; go on with --resume" in told
        (shard,) = (tmp_path / "place").glob("step-*/shard-0000.pt")
        shard.write_bytes(shard.read_bytes()[:-1] + b"?")
        code, _, told = typed("simulate", "--resume", "place", "--out", "new")
        assert code == 2
        assert "shard-0000.pt is not what was committed" in told
        assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_cluster_of_ones_own_is_started_for_a_run_and_says_nothing_itself(truth: Path, tmp_path: Path) -> None:
    """Eight actors: Ray would remark on so many."""
    told = ended(*TWO_YEARS, "--on", "ray", "--shard", "125", "--out", "run", folder=tmp_path)
    assert same_tables(tmp_path / "run", truth) == []
    assert told.startswith(("law, 2026-2027", "note: "))
    assert "raylet" not in told
    assert "report: run/report.html" in told.splitlines()


def test_nobody_at_an_address_is_one_line(tmp_path: Path) -> None:
    told = ended("law", *SMALL, "--on", "ray", "--address", "127.0.0.1:1", folder=tmp_path, code=2)
    assert told.splitlines()[-1].startswith("carbonray: --address 127.0.0.1:1: nobody answers there")
    assert list(tmp_path.iterdir()) == []
