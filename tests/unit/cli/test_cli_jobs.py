"""`carbonray submit` and `carbonray jobs` as a user types them, without a cluster."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from carbonray import cli
from carbonray.runtime import jobs as cluster
from carbonray.runtime.job_order import COMMANDS, FLAGS, Order
from carbonray.runtime.job_parcel import Environment
from carbonray.runtime.job_server import Job
from carbonray.runtime.job_spec import read_spec
from carbonray.runtime.jobs import Submitted

pytestmark = pytest.mark.slow  # left out of `make check`, which must stay under a minute

Run = Callable[..., tuple[int, str, str]]
NOWHERE = "http://127.0.0.1:1"
SMALL = ("--firms", "720", "--set", "economy=world-2011", "--years", "1", "--no-robust", "--uncertainty", "0")
JOBS = Path(__file__).parents[3] / "cluster" / "jobs"


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Order, dict[str, Any]]]:
    """What is handed to the cluster, which says that it runs."""
    handed: list[tuple[Order, dict[str, Any]]] = []

    def submit(order: Order, **beside: Any) -> Submitted:
        handed.append((order, beside))
        return Submitted(job=Job(id="carbonray-simulate-law-1", status="pending", command=""), new=True)

    monkeypatch.setattr(cluster, "submit", submit)
    return handed


def test_words_that_are_not_for_submit_are_for_the_command(
    carbonray: Run, submitted: list[tuple[Order, dict[str, Any]]]
) -> None:
    code, out, err = carbonray(
        "submit", "simulate", "law", "--address", NOWHERE, "--set", "seed=3", "--no-robust", "--out", "/data/run",
        "--ship", "--env", "A=b=c", "--pip", "rich", "--id", "mine", "--no-follow", "--plants",
    )  # fmt: skip
    [(order, beside)] = submitted
    assert (code, out) == (0, "carbonray-simulate-law-1\n")
    assert "submitted" in err
    assert order == Order(
        command="simulate",
        targets=("law",),
        options={"settings": ["seed=3"], "robust": False, "out": Path("/data/run"), "plants": True},
    )
    environment = Environment(variables={"A": "b=c"}, pip=("rich",), ship=True)
    assert beside == {"address": NOWHERE, "id": "mine", "environment": environment}


def test_the_scenario_that_is_simulated_unless_told_is_submitted_unless_told(
    carbonray: Run, submitted: list[tuple[Order, dict[str, Any]]]
) -> None:
    carbonray("submit", "simulate", "--out", "/data/run", "--no-follow")
    carbonray("submit", "simulate", "--resume", "/data/marks", "--out", "/data/run", "--no-follow")
    assert [order.targets for order, _ in submitted] == [("law",), ()]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_can_be_passed_on(command: str) -> None:
    found: Any = typer.main.get_command(cli.app)
    for part in command.split():
        found = found.get_command(typer.Context(found), part)
    for parameter in found.params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert parameter.opts == [FLAGS.get(parameter.name, f"--{parameter.name.replace('_', '-')}")]


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("simulate", "law"), "--out: give an absolute folder"),
        (("simulate", "law", "--out", "runs/a"), "--out runs/a: give an absolute folder"),
        (("simulate", "nowhere.yaml", "--out", "/data/run"), "nowhere.yaml: no such file"),
        (("simulate", "law", "--out", "/data/run", "--env", "A"), "--env A: write KEY=VALUE"),
        (("simulate", "law", "--out", "/data/run", "--address", "head:8265"), "--address head:8265: give"),
        (("simulate", "law", "--out", "/data/run"), f"{NOWHERE}: no cluster answers"),
        (("sweep", "law", "--out", "/data/sweep", "--grid", "years=a"), "years: Input should be a valid integer"),
        (("simulate", "law", "--out", "/data/run", "--shard", "foo"), "--shard foo: choose region, firm, or how many"),
        (("simulate", "law", "--out", "/data/run", "--patience", "-1"), "--patience -1: give a number of seconds"),
        (("sweep", "law", "--out", "/data/sweep", "--jobs", "0"), "--jobs 0: at least one run must be under way"),
        (("sweep", "law", "--out", "/data/sweep", "--seeds", "x"), "--seeds x: write 0-9 or 0,3,7"),
    ],
)
def test_what_cannot_be_submitted_is_refused_in_one_line(
    carbonray: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], refusal: str
) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", NOWHERE)
    code, out, err = carbonray("submit", *words)
    assert (code, out) == (2, "")
    assert refusal in err
    assert err.count("\n") == 1


def test_an_option_that_the_command_has_not_is_refused_as_there(carbonray: Run) -> None:
    code, _, err = carbonray("submit", "simulate", "law", "--no-such-option", "--out", "/data/run")
    assert code == 2
    assert "No such option: --no-such-option" in err


@pytest.mark.parametrize("words", [(), ("logs", "mine"), ("status", "mine"), ("cancel", "mine")])
def test_a_cluster_that_does_not_answer_is_one_line(carbonray: Run, words: tuple[str, ...]) -> None:
    for typed in (["jobs", "--address", NOWHERE, *words], ["jobs", *words, "--address", NOWHERE]):
        code, out, err = carbonray(*typed)
        assert (code, out) == (2, "")
        assert err == f"carbonray: {NOWHERE}: no cluster answers; give the dashboard of its head with --address\n"


def test_the_end_of_a_job_is_the_end_of_who_follows_it(carbonray: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def follow(id: str, *, address: str | None, say: Callable[[str], object]) -> Job:
        say("a line\n")
        return Job(id=id, status="failed", command="", exit_code=3)

    monkeypatch.setattr(cluster, "follow", follow)
    code, out, err = carbonray("jobs", "logs", "mine", "--follow")
    assert (code, out) == (3, "a line\n")
    assert "mine: failed with exit code 3" in err


def test_who_stops_following_is_told_that_the_job_goes_on(carbonray: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def follow(id: str, **_: Any) -> Job:
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster, "follow", follow)
    code, _, err = carbonray("jobs", "logs", "mine", "--follow", "--address", NOWHERE)
    assert code == 130
    assert "mine: goes on" in err
    assert f"carbonray jobs cancel mine --address {NOWHERE}" in err


def test_a_job_that_is_tried_again_does_not_run_again(carbonray: Run, tmp_path: Path) -> None:
    words = ("jobs", "run", "simulate", "law", *SMALL, "--on", "process", "--out", str(tmp_path / "run"))
    code, out, _ = carbonray(*words)
    assert code == 0
    assert "report:" in out
    before = (tmp_path / "run" / "summary.json").stat().st_mtime_ns
    code, out, _ = carbonray(*words)
    assert (code, out) == (0, f"{tmp_path}/run: holds this run already; nothing is left to do\n")
    assert (tmp_path / "run" / "summary.json").stat().st_mtime_ns == before
    code, out, err = carbonray(*words, "--seed", "9")
    assert code == 2
    assert "run: holds the run of another scenario; give another --out" in err
    code, out, err = carbonray(*words, "--robust")
    assert (code, err) == (2, f"carbonray: {tmp_path}/run: holds a run with another --robust; give another --out\n")


SPECS = sorted(JOBS.glob("*.yaml"))


def test_there_is_a_specification_for_every_command() -> None:
    assert {" ".join(read_spec(file).run)[: len(file.stem)].replace(" ", "-") for file in SPECS} == {
        name.replace(" ", "-") for name in COMMANDS
    }


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.stem)
def test_a_specification_is_submitted_as_its_command_would_be_with_what_comes_on_top(
    carbonray: Run, submitted: list[tuple[Order, dict[str, Any]]], file: Path
) -> None:
    spec = read_spec(file)
    for words in ([str(file)], list(spec.run)):
        assert carbonray("submit", *words, "--out", "/data/mine", "--no-follow")[0] == 0
    (one, beside), (other, _) = submitted
    assert one == other
    assert one.given("out") == Path("/data/mine")
    assert beside["environment"] == Environment(variables=spec.env, pip=spec.pip, python=spec.python, ship=spec.ship)


def test_a_specification_says_what_the_job_needs_and_options_come_on_top(
    carbonray: Run, submitted: list[tuple[Order, dict[str, Any]]], tmp_path: Path
) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("run: simulate law --out /data/a\nid: mine\nenv: {A: 1, B: b}\npip: [rich]\nship: true\n")
    carbonray("submit", str(file), "--env", "A=2", "--pip", "click", "--seed", "3", "--no-follow")
    [(order, beside)] = submitted
    assert order.options == {"out": Path("/data/a"), "seed": 3}
    environment = Environment(variables={"A": "2", "B": "b"}, pip=("rich", "click"), ship=True)
    assert beside == {"address": None, "id": "mine", "environment": environment}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("run: simulate law\ncpus: 3\n", "cpus: unknown key"),
        ("targets: [law]\n", "run: Field required"),
        ("run: carbonray simulate law --no-such-option\n", "job.yaml: run: No such option: --no-such-option"),
        (
            "run: report runs/a\n",
            "report: is no command for a job; choose simulate, sweep",
        ),
        ("just words", "is no job specification"),
        ("run: [a\n", "is no YAML"),
    ],
)
def test_a_specification_that_is_none_is_refused_in_one_line(
    carbonray: Run, tmp_path: Path, content: str, rule: str
) -> None:
    (tmp_path / "job.yaml").write_text(content)
    code, out, err = carbonray("submit", str(tmp_path / "job.yaml"), "--address", NOWHERE)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert rule in err
    assert "no-such.yaml: cannot be read" in carbonray("submit", "no-such.yaml")[2]


def test_a_job_is_a_command_that_leaves_results(carbonray: Run) -> None:
    code, _, err = carbonray("jobs", "run", "report", "runs/mine")
    assert code == 2
    assert (
        err
        == "carbonray: report: is no command for a job; choose simulate, sweep, train, predictor build or backtest\n"
    )


def test_the_command_line_does_not_wait_for_what_jobs_need() -> None:
    heavy = ("ray", "torch", "pandas", "numpy", "requests", "yaml", "asyncio")
    asked = f"import carbonray.cli_jobs, sys; print(*(name for name in {heavy!r} if name in sys.modules))"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == ""
