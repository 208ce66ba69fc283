"""`carbonray sweep`: scenario x grid x seed, one Parquet dataset."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

Targets = Annotated[
    list[str] | None,
    typer.Argument(metavar="TARGET", help="Scenarios of one world: names or YAML files; see `carbonray scenarios`."),
]
FAILED = 1
"""Exit code where runs failed; the others are there."""


def sweep(
    targets: Targets = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="0-9", help="Seeds: 0-9 or 0,3,7; the scenarios' own if left out.")
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=V,V", help="Values of a key, e.g. policy.price.2035=100,150,200; any number of keys."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key in every run.")
    ] = None,
    firms: Annotated[int | None, typer.Option(help="Number of firms; cbam.")] = None,
    years: Annotated[int | None, typer.Option(help="Years simulated; cbam.")] = None,
    replicas: Annotated[int | None, typer.Option(help="Independent draws in each run, for intervals.")] = None,
    plants: Annotated[bool, typer.Option("--plants", help="EU ETS plants as named firms; cbam.")] = False,
    plant_list: Annotated[
        Path | None, typer.Option(help="Your own plants instead; see `data template plants`.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="New folder, or that of the same sweep to go on; runs/WORLD-sweep-N if left out."),
    ] = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Go on with the sweep in this folder.")] = None,
    on: Annotated[
        str | None, typer.Option(help="process or ray; the bytes are the same. [default: process; ray with --address]")
    ] = None,
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster; one on this machine if left out.")] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Runs under way at once; the cores of the machine or cluster if left out.")
    ] = None,
) -> None:
    """Run every combination of scenario, grid and seed into one dataset; the same command goes on where it stopped."""
    asked = {
        "targets": targets, "seeds": seeds, "grid": grid, "set": settings, "firms": firms, "years": years,
        "replicas": replicas, "plants": (str(plant_list) if plant_list else "eu" if plants else None), "out": out,
    }  # fmt: skip
    where = {"on": on, "address": address, "jobs": jobs}
    result = _swept({name: value for name, value in asked.items() if value not in (None, [])}, resume, where)
    for line in result.lines():
        print(line)
    if result.interrupted:
        from carbonray.cli import INTERRUPTED

        words = [word for name, value in where.items() if value is not None for word in (f"--{name}", str(value))]
        again = shlex.join(["carbonray", "sweep", "--resume", str(result.folder), *words])
        print(f"carbonray: interrupted; go on with: {again}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED)
    if result.failures:
        raise typer.Exit(FAILED)


def _swept(asked: dict[str, Any], resume: Path | None, where: dict[str, Any]) -> Any:
    """Plan, tell what is there already, and carry out the rest."""
    from carbonray.cli import _progress
    from carbonray.counterfactual.sweep import go_on
    from carbonray.counterfactual.sweep_folder import finished
    from carbonray.runtime.work import place_for

    place = place_for(where["on"], address=where["address"], jobs=where["jobs"])
    with _progress() as tell:
        plan, folder = _opened(asked, resume, tell)
    there = len(finished(folder, plan))
    if there:
        print(f"note: {there} of {plan.count} runs are there already", file=sys.stderr)
    with _progress() as tell:
        return go_on(plan, folder, place, tell)


def _opened(asked: dict[str, Any], resume: Path | None, tell: Any) -> tuple[Any, Path]:
    """The plan of a sweep and its folder, new or found."""
    from carbonray.config import ScenarioError
    from carbonray.counterfactual.sweep_asked import parse_grid
    from carbonray.counterfactual.sweep_folder import fresh_folder, open_folder
    from carbonray.counterfactual.sweep_manifest import planned_in
    from carbonray.counterfactual.sweep_plan import plan_sweep

    if resume is not None:
        if asked:
            said = next(iter(asked))
            named = "targets" if said == "targets" else f"--{said}"
            raise ScenarioError(f"--resume {resume}: goes on with what was asked; leave {named} out")
        return planned_in(resume, tell), resume
    out = asked.pop("out", None)
    grid = parse_grid(asked.pop("grid", []))
    plan = plan_sweep(asked.pop("targets", []), grid=grid, settings=asked.pop("set", ()), progress=tell, **asked)
    folder = out or fresh_folder(plan.world)
    open_folder(plan, folder)
    return plan, folder
