"""The bench of trainings, on a small game: its figures belong together, and what it prints is what it measured."""

import io
import json
import subprocess
import sys
from typing import Any

import pytest
from learning.games import Tastes, two_kinds
from rich.console import Console

from carbonray.learn.bench_train import DEFINITIONS, Sizes, measure, rates
from carbonray.learn.bench_train_rllib import aims, print_train
from carbonray.learn.problem import ProblemError, problem_of
from carbonray.learn.task import METHODS, Task, pack, settings_of

EXACT = 1e-12
REPEATS = 2


def game_task(firms: int, algorithm: str) -> Task:
    problem = problem_of(Tastes(kinds=two_kinds(firms // 2)))
    return Task(packed=pack(problem), algorithm=algorithm, settings=settings_of(algorithm, {}), replicas=3)


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return measure(Sizes(firms=(8,), cores=2, repeats=REPEATS), game_task)


@pytest.mark.slow
def test_every_algorithm_is_measured_and_the_table_is_json(measured: dict[str, Any]) -> None:
    told = json.loads(json.dumps(measured, allow_nan=False))
    assert [(row["firms"], row["algorithm"]) for row in told["rows"]] == [(8, name) for name in METHODS]
    assert told["definitions"] == DEFINITIONS
    assert {"cores", "processor", "python", "torch", "load_before", "load_after"} <= told["machine"].keys()


@pytest.mark.slow
def test_rates_times_seconds_are_the_decisions_of_all_processes(measured: dict[str, Any]) -> None:
    for row in measured["rows"]:
        episode = row["processes"] * row["worlds"] * row["replicas"] * 8 * Tastes().steps
        assert row["sampled"]["steps"] == [episode] * REPEATS
        for found in (row["sampled"], *row["learned_by_processes_and_threads"].values()):
            seconds = dict(zip(found["seconds"], found["steps"], strict=True))
            assert min(abs(found["best"] * each - steps) for each, steps in seconds.items()) < EXACT * max(
                seconds.values()
            )
            assert found["median"] <= found["best"]
            assert found["peak_mib"] > 0
        assert row["learned"] == row["learned_by_processes_and_threads"]["2 of 1"]


@pytest.mark.slow
def test_two_learners_take_the_gradient_steps_of_one_each(measured: dict[str, Any]) -> None:
    for row in measured["rows"]:
        one, also, two = (
            row["learned_by_processes_and_threads"][name]["steps"] for name in ("1 of 1", "1 of 2", "2 of 1")
        )
        assert one == also
        assert two == [2 * each for each in one]


@pytest.mark.slow
def test_shares_add_up_to_the_whole(measured: dict[str, Any]) -> None:
    for row in measured["rows"]:
        assert sum(row["shares"].values()) == pytest.approx(1.0)
        assert row["shares"]["world"] > 0
        assert row["shares"]["network"] > 0


@pytest.mark.slow
def test_what_is_printed_is_what_was_measured(measured: dict[str, Any]) -> None:
    written = io.StringIO()
    print_train(measured, Console(file=written, width=200))
    for row in measured["rows"]:
        assert row["algorithm"] in written.getvalue()
        assert f"{row['sampled']['best']:.3g}" in written.getvalue()


def test_rates_tell_the_best_and_the_median_of_repetitions() -> None:
    steps, seconds = (600.0, 600.0, 600.0), (3.0, 1.0, 2.0)
    told = rates(
        [
            {"steps": each, "seconds": spent, "cpu_seconds": 2 * spent, "peak_mib": spent}
            for each, spent in zip(steps, seconds, strict=True)
        ]
    )
    assert (told["best"], told["median"], told["peak_mib"]) == (600.0, 300.0, 3.0)
    assert (told["best_per_cpu_second"], told["median_per_cpu_second"]) == (300.0, 150.0)


def test_an_aim_is_met_only_if_the_slowest_algorithm_reaches_it() -> None:
    rows = [{"firms": 1_000, "sampled": {"best": rate}, "learned": {"best": 2e5}} for rate in (4e5, 2.9e5)]
    sampled, learned = aims({"rows": rows})
    assert sampled.endswith("missed")
    assert learned.endswith("met")


def test_a_device_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(ProblemError, match="--device tpu: choose cpu or cuda"):
        measure(Sizes(device="tpu"), game_task)


@pytest.mark.slow
def test_the_bench_without_ray_imports_no_ray() -> None:
    asked = "import sys; sys.modules['ray'] = None; import carbonray.learn.bench_train_rllib, carbonray.learn.order"
    subprocess.run([sys.executable, "-c", asked], check=True)
