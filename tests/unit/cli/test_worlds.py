"""The command line in more than one world."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from carbonray import cli
from carbonray.data.scenarios import load, targets

Run = Callable[..., tuple[int, str, str]]
CLUB = "climate-negotiation/club"
HEAVY = ("torch", "numpy", "pandas", "pyarrow", "yaml", "ray", "matplotlib", "plotly", "networkx")


def test_scenarios_of_all_worlds_are_listed_in_one_column(carbonray: Run) -> None:
    lines = carbonray("scenarios")[1].splitlines()
    assert [line.split()[0] for line in lines] == targets()
    assert len({line.index(load(name).summary) for line, name in zip(lines, targets(), strict=True)}) == 1


def test_a_scenario_is_printed_as_its_file_and_can_be_run_from_a_copy(carbonray: Run, tmp_path: Path) -> None:
    code, out, _ = carbonray("scenarios", CLUB)
    assert (code, out.splitlines()[1:3]) == (0, ["world: climate-negotiation", "name: club"])
    (tmp_path / "mine.yaml").write_text(out, encoding="utf-8")
    assert load(str(tmp_path / "mine.yaml")) == load(CLUB)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("simulate", CLUB, "--firms", "2000"),
            "--firms: cbam only; climate-negotiation has 27 regions from 2015 to 2115",
        ),
        (
            ("simulate", CLUB, "--years", "3"),
            "--years: cbam only; climate-negotiation has 27 regions from 2015 to 2115",
        ),
        (("simulate", CLUB, "--plants"), "--plants: cbam only; climate-negotiation has 27 regions from 2015 to 2115"),
        (("simulate", CLUB, "--uncertainty", "9"), "--uncertainty: cbam only; climate-negotiation has 27 regions"),
        (
            ("simulate", "law", "--actions", "a.npz"),
            "--actions: climate-negotiation only; cbam has firms that follow rules",
        ),
        (("simulate", CLUB, "--set", "world=cbam"), "club.yaml: world: a scenario of climate-negotiation stays one"),
        (
            ("simulate", CLUB, "--set", "behaviour.cooperators=[R1]"),
            "club.yaml: behaviour.cooperators: unknown region R1;",
        ),
        (
            ("simulate", "climate-negotiation/clib"),
            "climate-negotiation/clib: unknown scenario; choose from aggressive",
        ),
        (("equilibrium", CLUB), "club: climate-negotiation has no static equilibrium; choose a cbam scenario"),
        (("scenarios", "climate-negotiation"), "climate-negotiation: unknown scenario; choose from aggressive"),
    ],
)
def test_what_a_world_has_not_is_one_line(carbonray: Run, tmp_path: Path, words: tuple[str, ...], line: str) -> None:
    code, out, error = carbonray(*words)
    assert (code, out) == (2, "")
    assert error.startswith(f"carbonray: {line}")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_a_run_says_is_printed_and_its_notices_on_the_error_stream(
    carbonray: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(scenario: object, **arguments: object) -> SimpleNamespace:
        return SimpleNamespace(
            summary={"interrupted": False},
            notices=["savings 0.25 is taken as 0.2"],
            lines=lambda: ["club, 2015-2115"],
            write=lambda out, finish: finish(out),
        )

    stub = ModuleType("simulate_negotiation")
    stub.simulate_negotiation = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "carbonray.runtime.simulate_negotiation", stub)
    code, out, error = carbonray("simulate", CLUB)
    assert code == 0
    assert out.splitlines() == ["club, 2015-2115", "report: runs/climate-negotiation-club-1/report.html"]
    assert "note: savings 0.25 is taken as 0.2\n" in error


def test_runs_are_compared_and_what_is_found_is_printed(carbonray: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def compare(runs: object, out: object) -> SimpleNamespace:
        asked.append((runs, out))
        return SimpleNamespace(lines=lambda: ["club and none", "comparison: beside/report.html"])

    stub = ModuleType("compare_page")
    stub.compare = compare  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "carbonray.report.compare_page", stub)
    code, out, _ = carbonray("compare", "runs/a", "runs/b", "--out", "beside")
    assert (code, out) == (0, "club and none\ncomparison: beside/report.html\n")
    assert asked == [([Path("runs/a"), Path("runs/b")], Path("beside"))]
    carbonray("compare", "runs/a", "runs/b")
    assert asked[1] == ([Path("runs/a"), Path("runs/b")], None)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['carbonray', 'simulate', '--help']\n"
        "from carbonray.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"found = sorted(set(sys.modules) & set({HEAVY}))\n"
        "print(*found, file=sys.stderr)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(cli.__file__).parents[1], capture_output=True, text=True, check=True
    )
    assert "--actions" in shown.stdout
    assert shown.stderr.strip() == ""
