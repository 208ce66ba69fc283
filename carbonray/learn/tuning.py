"""Ray Tune as the way a training runs: restarts, checkpoints, searches."""

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from ray import tune

from carbonray.learn.order import TrainingOrder
from carbonray.learn.policy_folder import CARD
from carbonray.learn.rllib import TrainingConfig
from carbonray.learn.task import Task
from carbonray.learn.training import SEARCHED, Training, TrainingError, whole
from carbonray.runtime import cluster

FAILURES = 3
"""Times that a trial is restarted from its last checkpoint."""
CHECKPOINTS = 20
"""Of a training, about."""
SEARCH: Mapping[str, Callable[[], Any]] = {
    "learning_rate": lambda: tune.loguniform(1e-4, 3e-3),
    "entropy": lambda: tune.loguniform(1e-3, 3e-2),
    "hidden": lambda: tune.choice([32, 64, 128]),
}
"""Settings that are searched, of those that the algorithm has, where the order does not fix them."""


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What Tune left."""

    table: pd.DataFrame  # figures by iteration, of all trials
    best: int  # the trial whose policy is taken
    checkpoint: Path  # its last
    went_on: bool  # whether it began from an earlier checkpoint
    notices: list[str] = field(default_factory=list)

    def take_policy(self, folder: Path) -> None:
        """Put the policy of the checkpoint into a folder; what was there is replaced once it is whole."""
        draft = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(self.checkpoint / "policy", draft)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)


class _Told(tune.Callback):
    """Hands every result on."""

    def __init__(self, tell: Callable[[Mapping[str, Any]], None]) -> None:
        self.tell = tell
        self.failures: list[str] = []

    def __getstate__(self) -> dict[str, Any]:
        """Tune writes its callbacks down with the experiment; who listens is of no use there."""
        return {"tell": None, "failures": self.failures}

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any) -> None:
        if "agent_steps" in result:
            self.tell(result)

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self.failures.append(_last_line(trial.error_file))


def tuned(order: TrainingOrder, task: Task, folder: Path, tell: Callable[[Mapping[str, Any]], None]) -> Tuned:
    """Train as ordered, on the cluster that this process is connected to.

    Args:
        order: how.
        task: what.
        folder: where Tune keeps its trials.
        tell: told the figures of every iteration.

    Raises:
        TrainingError: if every trial failed more often than it is restarted.
    """
    for name in ("ray.tune", "ray.rllib", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
    start, attempt = last_whole(folder), 1 + len(list(folder.glob("attempt-*")))
    listener = _Told(tell)
    results = tune.Tuner(
        Training,
        param_space=configured(order, task, start),  # type: ignore[arg-type]
        tune_config=tune.TuneConfig(
            num_samples=max(1, order.searches),
            metric="mean_return",
            mode="max",
            trial_dirname_creator=lambda trial: f"trial-{trial.trial_id}",
        ),
        run_config=tune.RunConfig(
            name=f"attempt-{attempt}",
            storage_path=str(folder.absolute()),
            stop=lambda trial, result: result["agent_steps"] >= order.budget or result["converged"] >= 1,
            failure_config=tune.FailureConfig(max_failures=FAILURES),
            checkpoint_config=tune.CheckpointConfig(
                num_to_keep=2, checkpoint_frequency=every(order, task), checkpoint_at_end=True
            ),
            callbacks=[listener],
            verbose=0,
        ),
    ).fit()
    frames = _frames(results)
    best = _best(results) if not order.searches or results.num_errors < len(results) else None
    kept = None if best is None else results[best].checkpoint
    checkpoint = kept and Path(kept.path)
    if checkpoint is None or (results.num_errors and not order.searches):
        why = listener.failures[-1] if listener.failures else "interrupted before its first checkpoint"
        raise TrainingError(f"{folder.parent}: {why}; go on with: carbonray train --resume {folder.parent}")
    begun = any(folder.glob("attempt-*/trial-*/checkpoint_*")) and start is None and attempt > 1
    notices = ["no checkpoint is whole: trained from the beginning"] * begun
    notices += [f"{results.num_errors} of {len(results)} trials failed"] if results.num_errors else []
    assert best is not None
    if order.searches:
        command = json.loads((checkpoint / "policy" / CARD).read_text(encoding="utf-8"))["command"]
        notices.append(f"kept of {len(results)} trials: {command}")
    return Tuned(table=pd.concat(frames), best=best, checkpoint=checkpoint, went_on=start is not None, notices=notices)


def _frames(results: Any) -> list[pd.DataFrame]:
    """The figures of each trial that has any, of each iteration as it was played last."""
    frames = enumerate(each.metrics_dataframe for each in results)
    return [
        frame.drop_duplicates("training_iteration", keep="last").assign(trial=place)
        for place, frame in frames
        if frame is not None
    ]


def every(order: TrainingOrder, task: Task) -> int:
    """Iterations between checkpoints."""
    rows = len(task.problem.worlds) * order.replicas * max(1, order.runners)
    decisions = sum(problem.decisions * problem.n for problem in task.problems.values())
    return max(1, int(order.budget / (rows * decisions) / CHECKPOINTS))


def configured(order: TrainingOrder, task: Task, start: Path | None) -> TrainingConfig:
    """RLlib's configuration; on few cores every actor takes a part of one."""
    config = TrainingConfig(task)
    own = 1 + order.runners + order.learners
    share = min(1.0, max(1, cluster.cores()) / own)
    config.env_runners(num_env_runners=order.runners, num_cpus_per_env_runner=share)  # type: ignore[arg-type]
    config.learners(num_learners=order.learners, num_gpus_per_learner=order.gpus_per_learner)
    config.num_cpus_per_learner = share  # type: ignore[assignment]
    config.num_cpus_for_main_process = share  # type: ignore[assignment]
    if start is not None:
        config.env_config["start"] = str(start.absolute())
    if order.searches:
        free = [name for name in SEARCH if hasattr(task.settings, name) and name not in order.settings]
        config.env_config[SEARCHED] = {name: SEARCH[name]() for name in free}
    return config


def last_whole(folder: Path) -> Path | None:
    """The newest checkpoint that has all its files."""
    found = sorted(folder.glob("attempt-*/trial-*/checkpoint_*"), key=lambda path: path.stat().st_mtime)
    return next((path for path in reversed(found) if whole(path)), None)


def _best(results: Any) -> int:
    """The trial with the highest return in the end."""
    if len(results) == 1:
        return 0
    path = results.get_best_result(metric="mean_return", mode="max").path
    return next(place for place, each in enumerate(results) if each.path == path)


def _last_line(file: str | None) -> str:
    """What went wrong, in one line."""
    if file is None:
        return "a trial failed"
    lines = [line.strip() for line in Path(file).read_text(encoding="utf-8").splitlines() if line.strip()]
    told = [line for line in lines if "TrainingError" in line or "Error:" in line]
    return (told or lines or ["a trial failed"])[-1].partition("TrainingError: ")[2] or (told or lines)[-1]
