"""Speed of training on this machine: decisions played and learned a second, with networks as they are at first.

What is timed is what a training does, in processes of their own and without Ray, so that it also runs where there is no
Ray: `python -m carbonray.learn.bench_train --device cuda`.  What Ray and RLlib bring stands in `bench_train_rllib`.
"""

import os
import platform
import resource
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch
from torch import Tensor

from carbonray.learn import rollout
from carbonray.learn.method import Method
from carbonray.learn.problem import Problem, ProblemError
from carbonray.learn.rollout import Acted
from carbonray.learn.task import METHODS, Task
from carbonray.runtime import inprocess
from carbonray.runtime.processes import available, crew
from carbonray.runtime.simulate import Progress, silent

DEFINITIONS = {
    "sampled": "decisions of learning agents played a second: worlds stepped, policy consulted, batch stacked",
    "learned": "decisions a second that went through the forward and the backward pass and a step of Adam",
}
FIRMS = (1_000, 10_000)
"""Of the scenario `law`."""
CORES = 2
"""That the aims speak of: so many runners, and so many learners, with a thread each."""
AGENTS = {"cpu": 4_000, "cuda": 160_000}
"""Agents of a world in all replicas of a runner, about."""
LEARNED = 5
"""Decisions of an episode that are learned from: an iteration of a training takes as many gradient steps more as its
episode is longer, each of the same size."""

Tasks = Callable[[int, str], Task]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured."""

    firms: tuple[int, ...] = FIRMS
    algorithms: tuple[str, ...] = tuple(METHODS)
    device: str = "cpu"
    repeats: int = 3
    cores: int = CORES  # that work; where there is a GPU, one process uses it

    def check(self) -> None:
        """Refuse a machine without the device.

        Raises:
            ProblemError: naming it.
        """
        if self.device not in AGENTS:
            raise ProblemError(f"--device {self.device}: choose {' or '.join(AGENTS)}")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ProblemError("--device cuda: torch finds no GPU here")


def law_task(firms: int, algorithm: str, device: str = "cpu") -> Task:
    """A training of all firms of the scenario `law`, in it and in its reference."""
    from carbonray.data.scenarios import load
    from carbonray.learn.order import order_of

    scenario = load("law", (f"firms.number={firms}", "firms.learned=true"))
    replicas = max(1, AGENTS[device] // firms)
    told = scenario.model_dump(mode="json")
    return order_of(world="cbam", scenario=told, algorithm=algorithm, replicas=replicas).task()


def measure(sizes: Sizes, tasks: Tasks, progress: Progress = silent) -> dict[str, Any]:
    """Play and learn at every size with every algorithm.

    Args:
        sizes: how much.
        tasks: the training of so many firms with an algorithm.
        progress: told what is under way.

    Raises:
        ProblemError: if there is no such device.
    """
    sizes.check()
    told, rows = machine(), []
    every = [(firms, algorithm) for firms in sizes.firms for algorithm in sizes.algorithms]
    for done, (firms, algorithm) in enumerate(every):
        progress("measuring", done, len(every), f"{algorithm}, {firms:,} firms")
        rows.append({"firms": firms, "algorithm": algorithm, **_measured(tasks(firms, algorithm), sizes)})
    progress("measuring", len(every), len(every))
    return {
        "definitions": DEFINITIONS,
        "device": torch.cuda.get_device_name() if sizes.device == "cuda" else "cpu",
        "machine": told | {"load_after": os.getloadavg()[0]},
        "rows": rows,
    }


def machine() -> dict[str, Any]:
    """What is measured on."""
    return {
        "cores": available(),
        "processor": _processor(),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("carbonray", "torch", "numpy", "ray")},
        "load_before": os.getloadavg()[0],
    }


def _processor() -> str:
    """Name of the CPU, where Linux tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _measured(task: Task, sizes: Sizes) -> dict[str, Any]:
    """Runners play at once, then learners learn; fresh processes, so that memory is their own."""
    problem, device, repeats = task.problem, sizes.device, sizes.repeats
    both = sizes.cores if device == "cpu" else 1
    with crew(_answer, (task, device), 1) as ask:
        shares = ask((_shares, repeats)).result()
    learned = {
        f"{processes} of {threads}": _at_once(task, device, processes, (_learn, repeats, threads))
        for processes, threads in sorted({(1, 1), (1, both), (both, 1)})
    }
    return {
        "replicas": task.replicas,
        "worlds": len(problem.worlds),
        "processes": both,
        "features": problem.spec.features,
        "heads": list(problem.spec.heads),
        "sampled": _at_once(task, device, both, (_play, repeats)),
        "learned": learned[f"{both} of 1"],
        "learned_by_processes_and_threads": learned,
        "shares": shares,
    }


def _answer(shared: tuple[Task, str], question: tuple[Any, ...]) -> Any:
    """What a process of the crew does: any of the functions below."""
    function, *asked = question
    return function(*shared, *asked)


def _at_once(task: Task, device: str, processes: int, question: tuple[Any, ...]) -> dict[str, Any]:
    """The rates of processes that do the same at the same time, each with its own rows."""
    with crew(_answer, (task, device), processes) as ask:
        waiting = [ask((*question, place)) for place in range(processes)]
        told = [each.result() for each in waiting]
    return rates(
        [
            {name: MERGED[name](each[name] for each in repetition) for name in repetition[0]}
            for repetition in zip(*told, strict=True)
        ]
    )


MERGED: Mapping[str, Callable[[Iterable[float]], float]] = {
    "steps": sum,
    "seconds": max,
    "cpu_seconds": sum,
    "peak_mib": max,
}
"""How the figures of processes beside each other become one."""


def _ready(task: Task, device: str) -> tuple[Problem, Method]:
    method = task.method().to(device)
    method.begin(task.seed)
    return task.problem.to(device), method


def _timed(device: str, work: Callable[[], int]) -> dict[str, float]:
    """What work took, of which the steps are told."""
    started, cpu = _now(device), time.process_time()
    steps = work()
    seconds, cpu_seconds = _now(device) - started, time.process_time() - cpu
    return {"steps": steps, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": _peak_mib(device)}


def _play(task: Task, device: str, repeats: int, place: int) -> list[dict[str, float]]:
    """An episode of every replica of every world, again and again, after once without the clock."""
    problem, method = _ready(task, device)
    seeds = iter(range(place << 20, (place + 1) << 20, len(problem.worlds)))

    def episode() -> int:
        return rollout.play(problem, method, replicas=task.replicas, seed=next(seeds))["reward"].numel()

    return [_timed(device, episode) for _ in range(repeats + 1)][1:]


def _learn(task: Task, device: str, repeats: int, threads: int, place: int) -> list[dict[str, float]]:
    """The gradient steps that follow from a part of an episode, again and again, after once without the clock."""
    problem, method = _ready(task, device)
    batch = rollout.shortened(rollout.play(problem, method, replicas=task.replicas, seed=place << 20), 0, LEARNED)
    rng = torch.Generator().manual_seed(0)
    trained = [each for each in method.parameters() if each.requires_grad]
    adam = torch.optim.Adam(trained, lr=task.settings.learning_rate)

    def iteration() -> int:
        learned = 0
        for minibatch in method.minibatches(batch, rng):
            adam.zero_grad()
            method(minibatch)["loss"].backward()
            torch.nn.utils.clip_grad_norm_(trained, task.settings.gradient_clip)
            adam.step()
            method.after_step()
            learned += minibatch["reward"].numel()
        return learned

    with inprocess.threads(threads):
        return [_timed(device, iteration) for _ in range(repeats + 1)][1:]


@dataclass
class _Clocked:
    """A method that notes when it was asked and when it had answered."""

    method: Method
    device: str
    asked: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)

    def act(
        self, seen: Tensor, mask: Tensor | None, memory: Tensor | None, rng: torch.Generator, progress: float
    ) -> Acted:
        """Decide."""
        self.asked.append(_now(self.device))
        acted = self.method.act(seen, mask, memory, rng, progress)
        self.answered.append(_now(self.device))
        return acted


def _shares(task: Task, device: str, repeats: int) -> dict[str, float]:
    """Shares of an episode: inside the network, between two of its answers, which is a step of the world, and other.

    Other is what comes before the first decision and after the last: resetting the world and stacking the batch.
    """
    problem, method = _ready(task, device)
    spent = {"all": 0.0, "world": 0.0, "network": 0.0}
    for world in problem.worlds * repeats:
        actor, started = _Clocked(method, device), _now(device)
        rollout.play(replace(problem, worlds=(world,)), actor, replicas=task.replicas, seed=0)
        spent["all"] += _now(device) - started
        spent["network"] += sum(actor.answered) - sum(actor.asked)
        steps = [after - before for before, after in zip(actor.answered, actor.asked[1:], strict=False)]
        spent["world"] += fmean(steps) * len(actor.asked)
    world_share, network = (spent[name] / spent["all"] for name in ("world", "network"))
    return {"world": world_share, "network": network, "other": 1 - world_share - network}


def _now(device: str) -> float:
    """The clock that all processes of a machine share, once the device has done its work."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.monotonic()


def _peak_mib(device: str) -> float:
    """Most memory of this process so far, or of its GPU.

    Where Linux tells it, by the process itself: `getrusage` begins with what the process that started it had.
    """
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    told = Path("/proc/self/status")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rates(found: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Every repetition, and the best and the median of their rates: a second, and a second of a CPU."""
    columns = {name: [each[name] for each in found] for name in ("steps", "seconds", "cpu_seconds")}
    wall, cpu = (
        [steps / spent for steps, spent in zip(columns["steps"], columns[name], strict=True)]
        for name in ("seconds", "cpu_seconds")
    )
    return {
        **columns,
        "best": max(wall),
        "median": median(wall),
        "best_per_cpu_second": max(cpu),
        "median_per_cpu_second": median(cpu),
        "peak_mib": max(each["peak_mib"] for each in found),
    }


def main() -> None:
    """Measure without Ray: `--device cpu|cuda`, `--firms N`, `--out FILE.json`."""
    from argparse import ArgumentParser

    from carbonray.learn.bench_train_rllib import bench_train, print_train
    from carbonray.runtime.outputs import write_json

    options = ArgumentParser(description="Speed of training on this machine, without Ray.")
    options.add_argument("--device", default="cpu", choices=list(AGENTS))
    options.add_argument("--firms", type=int, action="append")
    options.add_argument("--out", type=Path)
    given = options.parse_args()
    table = bench_train(given.firms or FIRMS, device=given.device, on_ray=False)
    print_train(table)
    if given.out is not None:
        write_json(table, given.out)


if __name__ == "__main__":
    from carbonray.learn import bench_train as here  # side processes must find its functions by a name that they know

    here.main()
