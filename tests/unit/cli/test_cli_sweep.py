"""`carbonray sweep` as a user types it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from carbonray.counterfactual import sweep as room
from carbonray.counterfactual.sweep_columns import layout_of
from carbonray.counterfactual.sweep_plan import Plan
from carbonray.counterfactual.sweep_result import SweepResult

pytestmark = pytest.mark.slow  # left out of `make check`, which must stay under a minute

Shown = tuple[int, str, str]
Run = Callable[..., Shown]
SMALL = ("--set", "economy=world-2011", "--firms", "720", "--years", "1")
PRICES = ("--grid", "policy.price.2035=100,150")


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let sweeps end at once: `ended(interrupted=True)`."""

    def end(**how: Any) -> None:
        def go_on(plan: Plan, folder: Path, place: Any, progress: Any) -> SweepResult:
            return SweepResult(folder=folder, plan=plan, layout=layout_of(plan), finished=[], **how)

        monkeypatch.setattr(room, "go_on", go_on)

    return end


REFUSED = {
    "no target": ((), "a sweep needs at least one scenario"),
    "unknown scenario": (("lew",), "lew: unknown scenario"),
    "two worlds": (("law", "climate-negotiation/club"), "climate-negotiation/club: is of world"),
    "unknown key": (("law", "--grid", "polcy.price=1,2"), "law.yaml: polcy: unknown key"),
    "bad value": (("law", "--grid", "policy.incidence=0.1,1.2"), "law.yaml: policy.incidence:"),
    "no list": (("law", "--grid", "years=[1"), "--grid years: [1 is not a list of values in YAML"),
    "no equals sign": (("law", "--grid", "years"), "--grid years: write KEY=VALUE,VALUE..."),
    "key twice": (("law", "--grid", "years=1", "--grid", "years=2"), "--grid years: is given twice"),
    "no firms": (("law", "--firms", "0"), "law.yaml: firms.number:"),
    "seeds": (("law", "--seeds", "9-0"), "--seeds 9-0: the first is above the last"),
    "too many": (("law", "--seeds", "0-200000"), "the sweep would have 200,001 runs or more; 100,000 are the most"),
    "place": (("law", "--on", "moon"), "--on moon: choose process or ray"),
    "foreign": (("climate-negotiation/club", "--plants"), "--plants: cbam only"),
    "resumed with targets": (
        ("law", "--resume", "mine"),
        "--resume mine: goes on with what was asked; leave targets out",
    ),
    "resumed with seeds": (("--resume", "mine", "--seeds", "0"), "leave --seeds out"),
    "resumed elsewhere": (("--resume", "mine", "--out", "other"), "leave --out out"),
    "nothing to resume": (("--resume", "mine"), "mine: holds no sweep (manifest.json is missing)"),
}


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_what_cannot_be_run_is_one_line_and_nothing_is_written(carbonray: Run, tmp_path: Path, kind: str) -> None:
    words, part = REFUSED[kind]
    code, out, error = carbonray("sweep", *words)
    assert (code, out) == (2, "")
    error = error.lstrip("\n")  # a progress bar that was begun leaves an empty line where there is no terminal
    assert error.startswith("carbonray: ")
    assert error.count("\n") == 1
    assert part in error
    assert list(tmp_path.iterdir()) == []


def test_another_sweep_in_the_folder_is_refused(carbonray: Run, ended: Callable[..., None], tmp_path: Path) -> None:
    ended()
    assert carbonray("sweep", "law", *SMALL, "--seeds", "0-1", "--out", "mine")[0] == 0
    code, out, error = carbonray("sweep", "law", *SMALL, "--seeds", "0-2", "--out", "mine")
    assert (code, out) == (2, "")
    assert "mine: holds another sweep: --seeds: 0-1 there, 0-2 here; give a new name with --out" in error
    (tmp_path / "other").mkdir()
    assert "other: exists already and holds no sweep" in carbonray("sweep", "law", *SMALL, "--out", "other")[2]


def test_without_a_name_the_folder_is_a_fresh_one(carbonray: Run, ended: Callable[..., None], tmp_path: Path) -> None:
    ended()
    for number in (1, 2):
        code, out, _ = carbonray("sweep", "law", *SMALL)
        assert code == 0
        assert f"results: runs/cbam-sweep-{number}/results" in out
        assert (tmp_path / "runs" / f"cbam-sweep-{number}" / "manifest.json").is_file()


def test_after_ctrl_c_the_line_says_how_to_go_on(carbonray: Run, ended: Callable[..., None]) -> None:
    ended(interrupted=True)
    words = ("--out", "my sweep", "--on", "ray", "--address", "10.0.0.1:6379")
    code, out, error = carbonray("sweep", "law", *SMALL, *words)
    assert code == 130
    assert "0 of 1 runs" in out
    again = "carbonray sweep --resume 'my sweep' --on ray --address 10.0.0.1:6379"
    assert f"carbonray: interrupted; go on with: {again}\n" in error


def test_failed_runs_are_told_and_the_exit_code_is_one(carbonray: Run, ended: Callable[..., None]) -> None:
    ended(failures=[{"run_number": 0, "message": "no prices clear the market"}])
    code, out, _ = carbonray("sweep", "law", *SMALL, "--out", "mine")
    assert code == 1
    assert "1 failed, first run 0: no prices clear the market" in out
    assert "failures: mine/failures.json" in out


@pytest.mark.slow
def test_a_sweep_is_run_told_and_found_again(carbonray: Run, tmp_path: Path) -> None:
    asked = ("sweep", "law", "moderate", *SMALL, *PRICES, "--seeds", "0-1", "--out", "mine", "--jobs", "2")
    code, out, _ = carbonray(*asked)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "8 of 8 runs: mean [lowest, highest] over the seeds"
    assert [line.split()[:2] for line in lines[2:6]] == [
        ["law", "100"], ["law", "150"], ["moderate", "100"], ["moderate", "150"],
    ]  # fmt: skip
    assert "results: mine/results" in lines[6]
    assert len(pd.read_parquet(tmp_path / "mine" / "results")) == 8
    (tmp_path / "mine" / "results" / "run-000003.parquet").unlink()
    code, again, error = carbonray(*asked)
    assert (code, again) == (0, out)
    assert "note: 7 of 8 runs are there already" in error
    code, again, error = carbonray("sweep", "--resume", "mine")
    assert (code, again) == (0, out)
    assert "note: 8 of 8 runs are there already" in error
