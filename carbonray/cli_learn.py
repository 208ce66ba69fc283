"""`carbonray train` and `carbonray evaluate`: agents who learn, and what that changes."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

INTERRUPTED = 130
"""Exit code after Ctrl-C; the last checkpoint stands."""


def train(
    ctx: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(help="SCENARIO of the cbam world, WORLD/SCENARIO or a YAML file; law if left out."),
    ] = None,
    algorithm: Annotated[str, typer.Option(help="vdn, actor-critic or ppo.")] = "ppo",
    role: Annotated[
        list[str] | None, typer.Option(help="Who learns; the only role if left out. Repeat it for several at once.")
    ] = None,
    team: Annotated[
        str, typer.Option(help="Who shares a reward: agent (they compete), sector, region, economy (they collude).")
    ] = "agent",
    alone: Annotated[
        int, typer.Option(metavar="K", help="Only K agents learn, among others who follow rules; all if 0.")
    ] = 0,
    against: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The others follow this trained policy, of the same role or of another."),
    ] = None,
    start: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Go on from this trained policy, for its role. Repeat it for several."),
    ] = None,
    learn: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Set the algorithm, e.g. learning_rate=1e-3; an unknown KEY lists all."),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override any key of the scenario.")
    ] = None,
    firms: Annotated[int | None, typer.Option(help="Number of firms; cbam. [default: 1000]")] = None,
    years: Annotated[int | None, typer.Option(help="Years of an episode; cbam.")] = None,
    seed: Annotated[int, typer.Option(help="Of networks, episodes and batches.")] = 0,
    replicas: Annotated[int, typer.Option(help="Of the scenario and of its reference in each runner.")] = 1,
    runners: Annotated[int, typer.Option(help="Ray actors that play; the loop plays itself if 0.")] = 0,
    learners: Annotated[int, typer.Option(help="Ray actors that learn; the loop learns itself if 0.")] = 0,
    gpus_per_learner: Annotated[float, typer.Option(help="GPUs of each learner.")] = 0,
    budget: Annotated[float, typer.Option(help="Decisions of agents after which it is over, e.g. 10e6.")] = 5e6,
    tolerance: Annotated[float, typer.Option(help="Distance between iterations under which it has converged.")] = 0.05,
    patience: Annotated[int, typer.Option(help="Iterations in a row that it must be.")] = 10,
    tune: Annotated[
        int,
        typer.Option(metavar="N", help="Search learning rate, entropy and size in N whole trainings."),
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="New folder; runs/WORLD-SCENARIO-training-N if left out.")] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on with the training there; only --budget may be new.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Of a Ray cluster; one of this machine if left out.")
    ] = None,
) -> None:
    """Train agents by reinforcement, in a scenario and in its reference, and keep the policy that they learn."""
    from carbonray.cli import _progress
    from carbonray.learn import train as trainer
    from carbonray.report import write_report

    with _progress() as tell:
        if resume is not None:
            _only_resume(ctx)
            new = budget if _given(ctx, "budget") else None
            result = trainer.resume_training(resume, budget=new, address=address, progress=tell)
        else:
            result = trainer.train(
                target or "law", algorithm=algorithm, role=role or (), team=team, alone=alone, against=against,
                start=start or (),
                learn=_pairs(learn or ()), settings=settings or (), firms=firms, years=years, seed=seed,
                replicas=replicas, runners=runners, learners=learners, gpus_per_learner=gpus_per_learner, budget=budget,
                tolerance=tolerance, patience=patience, tune=tune, out=out, address=address, progress=tell,
            )  # fmt: skip
    for notice in result.notices:
        print(f"note: {notice}", file=sys.stderr)
    for line in result.lines():
        print(line)
    print(f"report: {write_report(result.folder)}")
    print(f"next: carbonray evaluate {result.policy}")
    if not result.finished:
        print(f"carbonray: interrupted; go on with: carbonray train --resume {result.folder}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED)


def evaluate(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of a policy or training, or one built in: law.")
    ],
    target: Annotated[
        str | None, typer.Option("--on-scenario", metavar="TARGET", help="Another scenario than it was trained in.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Draws of graph, firms and chance, for intervals.")] = 10,
    firms: Annotated[int | None, typer.Option(help="Number of firms; cbam.")] = None,
    years: Annotated[int | None, typer.Option(help="Years simulated; cbam.")] = None,
    one: Annotated[
        bool, typer.Option("--one", help="One trained agent among agents who follow rules: what does it gain?")
    ] = False,
    best_response: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="One agent leaves the policy of all others for this one: what does it gain?"),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override any key of the scenario.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="New folder; runs/WORLD-SCENARIO-N if left out.")] = None,
) -> None:
    """Simulate with trained agents beside the same agents under rules, and report what differs."""
    from carbonray.cli import _progress
    from carbonray.learn.evaluate import evaluate as evaluated
    from carbonray.report import write_report
    from carbonray.runtime import outputs

    if out is not None:
        outputs.check_free(out)
    with _progress() as tell:
        found = evaluated(
            folder, target=target, seeds=seeds, firms=firms, years=years, one=one,
            best_response=best_response, settings=settings or (),
            progress=tell,
        )  # fmt: skip
        place = out or outputs.fresh_folder(found.scenario)
        found.write(place, finish=write_report)
    for notice in found.notices:
        print(f"note: {notice}", file=sys.stderr)
    for line in found.lines():
        print(line)
    print(f"report: {place / 'report.html'}")


def _pairs(given: Any) -> dict[str, Any]:
    """Settings as YAML reads their values.

    Raises:
        ProblemError: if one is not KEY=VALUE.
    """
    import yaml

    from carbonray.learn.problem import ProblemError

    found = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise ProblemError(f"--learn {pair}: write KEY=VALUE")
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ProblemError(f"--learn {pair}: {value} is no value that YAML can read") from None
    return found


def _given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _only_resume(ctx: typer.Context) -> None:
    """Refuse whatever would change a training that is resumed."""
    from carbonray.learn.problem import ProblemError

    for name in ctx.params:
        if _given(ctx, name) and name not in ("resume", "budget", "address"):
            shown = {"target": "TARGET", "settings": "--set"}.get(name, f"--{name.replace('_', '-')}")
            raise ProblemError(f"{shown}: leave it out with --resume; the folder tells what is trained")
