"""`carbonray frontier`: leaked tonnes against output lost at home, of the law and of whatever regulators find."""

from pathlib import Path
from typing import Annotated

import typer


def frontier(
    target: Annotated[
        str, typer.Argument(help="SCENARIO of the cbam world or a YAML file, whose law is compared.")
    ] = "law",
    regulator: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="A trained policy of the role regulator; repeat for several."),
    ] = None,
    draws: Annotated[int, typer.Option(help="Economies to judge in, none of which the search met.")] = 12,
    budget: Annotated[
        int, typer.Option(help="Decrees that the grid tries, and CMA-ES for each weight of leakage; 0 for no search.")
    ] = 240,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="LEVER", help="Also regulators that may not turn this, e.g. support_abroad."),
    ] = None,
    firms: Annotated[
        int | None, typer.Option(help="Number of firms; 2,000 in the search and 10,000 in the judging if left out.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override any key of the scenario.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="New folder; runs/cbam-SCENARIO-frontier-N if left out.")] = None,
    on: Annotated[str | None, typer.Option(help="Where draws are judged: process, or ray.")] = None,
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster; one on this machine if left out.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes at once; the cores of the machine if left out.")] = None,
) -> None:
    """Judge the law and what regulators make of it by equal reduction at home: who leaks less, at what cost?"""
    from carbonray.cli import _progress
    from carbonray.counterfactual import frontier as runner
    from carbonray.report.frontier_page import write_frontier_report
    from carbonray.runtime import outputs
    from carbonray.runtime.work import place_for

    place = place_for(on, address=address, jobs=jobs)
    if out is not None:
        outputs.check_free(out)
    with _progress() as tell:
        found = runner.frontier(
            target, regulators=regulator or (), draws=draws, budget=budget, without=without or (), firms=firms,
            settings=settings or (), place=place, progress=tell,
        )  # fmt: skip
        folder = found.write(out or runner.fresh_folder(found.scenario), finish=write_frontier_report)
    for line in found.lines():
        print(line)
    print(f"report: {folder / 'report.html'}")
