"""Speed of training through RLlib: its own multi-agent path beside ours, our runners on Ray, and the tables of both."""

import logging
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table

from carbonray.learn.bench_train import CORES, FIRMS, Sizes, Tasks, law_task, measure, rates
from carbonray.learn.task import Task
from carbonray.runtime import cluster
from carbonray.runtime.processes import crew
from carbonray.runtime.simulate import Progress, silent

STOCK_FIRMS = 1_000
"""Firms of RLlib's own path: more would take it minutes."""
STOCK_STEPS = 4
"""Steps of the world in each of its fragments."""
ITERATIONS = 3
"""On Ray, the first of which is not counted."""
ON_RAY_REPLICAS = 2
"""Of each world in a runner on Ray."""
REST = 0.1
"""Share of a core that the loop of a training on Ray asks for."""
AIMS = (
    ("sampled a second at 1,000 firms", 1_000, "sampled", 3e5),
    ("learned a second at 1,000 firms", 1_000, "learned", 2e5),
    ("sampled a second at 10,000 firms", 10_000, "sampled", 1e6),
)
"""On two cores."""


def bench_train(
    firms: Sequence[int] = FIRMS,
    *,
    device: str = "cpu",
    on_ray: bool = True,
    tasks: Tasks | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure how fast the firms of the scenario `law` are trained.

    Args:
        firms: numbers of them.
        device: cpu, or cuda.
        on_ray: whether RLlib is measured too.
        tasks: other trainings.
        progress: told what is under way.

    Returns:
        Definitions, machine, and a row for each number of firms and algorithm; `print_train` prints it.
    Raises:
        ProblemError: if there is no such device.
        ScenarioError: if there are too few firms for the scenario.
    """
    made = tasks or (lambda number, algorithm: law_task(number, algorithm, device))
    table = measure(Sizes(firms=tuple(firms), device=device), made, progress)
    if on_ray:
        stock = made(STOCK_FIRMS, "ppo")
        with crew(_stock, stock, 1) as ask:
            table["rllib"] = ask(STOCK_STEPS).result()
        table["on_ray"] = _on_ray(stock)
    return table


def _stock(task: Task, steps: int) -> dict[str, Any]:
    """RLlib's PPO and its runner for several agents, as they come: one policy for all, one core."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
    from ray.rllib.env.multi_agent_env_runner import MultiAgentEnvRunner
    from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv

    from carbonray.runtime.parallel_env import ParallelEnv

    world, hidden = task.problem.world, task.settings.hidden
    view: Any = ParallelPettingZooEnv
    config: Any = PPOConfig()  # type: ignore[no-untyped-call]
    config.environment(env=lambda given: view(ParallelEnv(world, illegal="nearest")))
    config.multi_agent(policies={"all"}, policy_mapping_fn=lambda agent, episode, **told: "all")
    config.rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[hidden, hidden]))
    runner = MultiAgentEnvRunner(config=config.env_runners(num_env_runners=0))
    found = []
    for _ in range(ITERATIONS):
        started, cpu = time.monotonic(), time.process_time()
        played = sum(each.agent_steps() for each in runner.sample(num_timesteps=steps))
        spent = {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}
        found.append({"steps": played, **spent, "peak_mib": 0.0})
    return {"firms": task.problem.n, "processes": 1, **rates(found[1:])}


def _on_ray(task: Task) -> dict[str, Any]:
    """The same algorithm as `carbonray train --runners 2 --learners 2` has it."""
    from carbonray.learn.rllib import TrainingConfig

    logging.getLogger("ray.rllib").setLevel(logging.ERROR)
    small = replace(task, replicas=ON_RAY_REPLICAS, scenario=None)
    with cluster.connected():
        share = (cluster.cores() - REST) / (2 * CORES)
        config: Any = TrainingConfig(small)
        config.env_runners(num_env_runners=CORES, num_cpus_per_env_runner=share)
        config.learners(num_learners=CORES)
        config.num_cpus_per_learner = share
        training = config.build_algo()
        try:
            told = [training.train() for _ in range(ITERATIONS)][1:]
        finally:
            training.stop()
    names = {
        "sampled": ("iteration_agent_steps", "sampling_seconds"),
        "learned": ("agent_steps_learned", "learning_seconds"),
    }
    found = {name: max(each[steps] / each[spent] for each in told) for name, (steps, spent) in names.items()}
    return {"firms": small.problem.n, "replicas": small.replicas, "runners": CORES, "learners": CORES, **found}


def print_train(table: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what was measured.

    Args:
        table: what `bench_train` gave.
        console: the terminal, if left out.
    """
    console = console or Console(width=180)
    told, first = table["machine"], table["rows"][0]
    console.print(
        f"{told['cores']} cores ({told['processor']}), {table['device']}, python {told['python']}, "
        f"torch {told['torch']}, ray {told['ray']}; "
        f"load {told['load_before']:.1f} before, {told['load_after']:.1f} after"
    )
    for name, meaning in table["definitions"].items():
        console.print(f"{name}: {meaning}")
    console.print(f"{first['processes']} processes of one torch thread at once, networks as they are at first")
    console.print(_rows(table["rows"]))
    console.print(_by_threads(table["rows"]))
    if "rllib" in table:
        stock, ours = table["rllib"], table["on_ray"]
        console.print(
            f"RLlib's own runner for several agents, {stock['firms']:,} firms, one core: "
            f"{stock['best']:.2g} sampled a second, {stock['best_per_cpu_second']:.2g} a CPU-second"
        )
        console.print(
            f"Ours on Ray, ppo, {ours['firms']:,} firms, {ours['runners']} runners, {ours['learners']} learners: "
            f"{ours['sampled']:.2g} sampled, {ours['learned']:.2g} learned"
        )
    for line in aims(table):
        console.print(line)


def _rows(rows: Sequence[Mapping[str, Any]]) -> Table:
    shown = Table()
    for heading in (
        "firms", "algorithm", "replicas x worlds", "sampled/s best", "median", "per CPU-s", "learned/s best", "median",
        "per CPU-s", "world", "network", "other", "MiB playing", "learning",
    ):  # fmt: skip
        shown.add_column(heading, justify="right")
    for row in rows:
        cells = [f"{row['firms']:,}", row["algorithm"], f"{row['replicas']} x {row['worlds']}"]
        for name in ("sampled", "learned"):
            cells += [f"{row[name][key]:.3g}" for key in ("best", "median", "best_per_cpu_second")]
        cells += [f"{share:.0%}" for share in row["shares"].values()]
        shown.add_row(*cells, *(f"{row[name]['peak_mib']:,.0f}" for name in ("sampled", "learned")))
    return shown


def _by_threads(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What more threads or processes bring to learning."""
    names = list(rows[0]["learned_by_processes_and_threads"])
    shown = Table(title="learned a second, best, by processes and threads of each", title_justify="left")
    for heading in ("firms", "algorithm", *names):
        shown.add_column(heading, justify="right")
    for row in rows:
        told = row["learned_by_processes_and_threads"]
        shown.add_row(f"{row['firms']:,}", row["algorithm"], *(f"{told[name]['best']:.3g}" for name in names))
    return shown


def aims(table: Mapping[str, Any]) -> list[str]:
    """Each aim, and what the slowest algorithm reached at best."""
    lines = []
    for words, firms, name, aim in AIMS:
        reached = [row[name]["best"] for row in table["rows"] if row["firms"] == firms]
        if reached:
            word = "met" if min(reached) >= aim else "missed"
            lines.append(f"{words}: {min(reached):.2g}, aim at least {aim:.0e}: {word}")
    return lines
