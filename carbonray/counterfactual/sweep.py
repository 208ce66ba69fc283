"""Sweeps: scenario x grid x seed on this machine or a cluster, one Parquet dataset, and a killed one goes on.

>>> import carbonray
>>> found = carbonray.sweep(["law", "moderate"], seeds="0-9", grid={"policy.price.2035": [100, 200]}, out="runs/mine")
>>> found.table.groupby(["scenario", "policy.price.2035"])["leakage_rate"].agg(["mean", "min", "max"])
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from carbonray.counterfactual import sweep_folder
from carbonray.counterfactual.sweep_asked import Grid, written
from carbonray.counterfactual.sweep_columns import Layout, layout_of
from carbonray.counterfactual.sweep_manifest import planned_in
from carbonray.counterfactual.sweep_plan import Plan, plan_sweep
from carbonray.counterfactual.sweep_result import SweepResult
from carbonray.counterfactual.sweep_run import Answer, work_of
from carbonray.runtime.simulate import Progress, silent
from carbonray.runtime.work import Place, place_for


def sweep(
    targets: str | Path | Sequence[str | Path],
    *,
    out: str | Path | None = None,
    seeds: str | Sequence[int] | None = None,
    grid: Grid | None = None,
    settings: Sequence[str] = (),
    on: str | None = None,
    address: str | None = None,
    jobs: int | None = None,
    progress: Progress = silent,
    **options: Any,
) -> SweepResult:
    """Run every combination of scenario, grid and seed; what is there already from a sweep cut short is kept.

    Args:
        targets: scenarios of one world, their names or the paths of YAML files.
        out: a new folder, or that of the same sweep; a fresh `runs/WORLD-sweep-N` if left out.
        seeds: `0-9`, `0,3,7` or a sequence; the scenarios' own if left out.
        grid: dotted keys and the values of each.
        settings: `KEY=VALUE` overrides of every run.
        on: `process` or `ray`; Ray where an address is given, else processes, if left out.  The bytes are the same.
        address: of a Ray cluster.
        jobs: runs under way at once; the cores of the machine (eight at most) or the cluster if left out.
        progress: told the task, and how much of it is done.
        options: of `simulate`: firms, plants, years, replicas.

    Returns:
        The finished runs. Ctrl-C leaves those that were done; failed ones are in `failures`.
    Raises:
        ScenarioError: if any run is refused; nothing is written then.
        DataError: if the data of a run are not in order.
        OutputError: if the folder holds anything else or cannot be written.
    """
    place = place_for(on, address=address, jobs=jobs)
    plan = plan_sweep(targets, seeds=seeds, grid=grid, settings=settings, progress=progress, **options)
    folder = sweep_folder.fresh_folder(plan.world) if out is None else Path(out)
    sweep_folder.open_folder(plan, folder)
    return go_on(plan, folder, place, progress)


def resume_sweep(
    folder: str | Path,
    *,
    on: str | None = None,
    address: str | None = None,
    jobs: int | None = None,
    progress: Progress = silent,
) -> SweepResult:
    """Go on with the sweep in a folder; failed runs are tried again.

    Args:
        folder: of a sweep.
        on: as for `sweep`, whatever it was before.
        address: of a Ray cluster.
        jobs: runs under way at once.
        progress: told the task, and how much of it is done.

    Raises:
        OutputError: if the folder holds no sweep, or its runs would not be the same here and now.
    """
    place = place_for(on, address=address, jobs=jobs)
    plan = planned_in(Path(folder), progress)
    return go_on(plan, Path(folder), place, progress)


def go_on(plan: Plan, folder: Path, place: Place, progress: Progress = silent) -> SweepResult:
    """Carry out the runs of a plan that are not in its folder yet.

    Raises:
        OutputError: if another sweep is at work in the folder, or it cannot be written.
    """
    layout = layout_of(plan)
    with sweep_folder.alone(folder):
        done = Done(there=sweep_folder.finished(folder, plan))
        try:
            _carry_out(plan, folder, place, layout, done, progress)
        except KeyboardInterrupt:
            done.interrupted = True
        done.failures.sort(key=lambda failure: int(failure["run_number"]))
        sweep_folder.write_failures(folder, done.failures)
    return SweepResult(
        folder=folder,
        plan=plan,
        layout=layout,
        finished=sorted(done.there),
        failures=done.failures,
        interrupted=done.interrupted,
    )


@dataclass
class Done:
    """What a sweep has come to."""

    there: list[int]  # numbers of finished runs
    failures: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False


def _carry_out(plan: Plan, folder: Path, place: Place, layout: Layout, done: Done, progress: Progress) -> None:
    before = set(done.there)
    left = [number for number in range(plan.count) if number not in before]
    progress("sweep", len(before), plan.count)
    with closing(place.answers(work_of(plan, layout), left)) as answers:
        for answer in answers:
            if answer.tables is None:
                done.failures.append(_told(plan, answer))
            else:
                sweep_folder.keep(folder, answer.number, answer.tables)
                done.there.append(answer.number)
            progress("sweep", len(done.there) + len(done.failures), plan.count)


def _told(plan: Plan, answer: Answer) -> dict[str, Any]:
    """A failure as failures.json has it."""
    run = plan.run(answer.number)
    values = dict(zip(plan.keys, map(written, run.chosen), strict=True))
    failure = {name: text for name, text in asdict(answer.failure).items() if text} if answer.failure else {}
    return {"run_number": run.number, "scenario": run.scenario.name, "seed": run.scenario.seed, **values, **failure}
