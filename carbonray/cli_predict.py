"""`carbonray predict` and `carbonray predictor`: leakage in milliseconds, and how what says it is built."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

predictor = typer.Typer(help="Build and inspect leakage predictors.", no_args_is_help=True, rich_markup_mode=None)

Built = Annotated[
    Path | None,
    typer.Option("--predictor", metavar="DIR", help="Folder of a predictor; the one that ships if left out."),
]


def predict(
    target: Annotated[str, typer.Argument(help="SCENARIO of the cbam world, or a YAML file.")] = "law",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override any key of the scenario.")
    ] = None,
    built: Built = None,
    level: Annotated[float, typer.Option(help="Share of new cases that an interval holds: 0.5, 0.8, 0.9, 0.95.")] = 0.9,
    check: Annotated[bool, typer.Option("--check", help="Run the simulation beside it.")] = False,
    risk: Annotated[
        str | None, typer.Option(metavar="cells|plants", help="Rank who leaks most instead, with the reason.")
    ] = None,
    year: Annotated[int | None, typer.Option(help="Of the ranking; the last if left out.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Rows of the ranking.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="New folder for a report and all tables.")] = None,
) -> None:
    """Predict leakage by year, sector and partner with intervals, in milliseconds."""
    from carbonray.cli import _progress
    from carbonray.config import ScenarioError
    from carbonray.predict.prediction import predict_leakage
    from carbonray.predict.prediction_text import risk_lines, warning_lines
    from carbonray.runtime.outputs import check_free

    if risk not in (None, "cells", "plants"):
        raise ScenarioError(f"--risk {risk}: choose cells or plants")
    if out is not None:
        check_free(out)
    with _progress() as tell:
        found = predict_leakage(target, settings=settings or (), built=built, level=level, check=check, progress=tell)
    if out is not None:
        from carbonray.report.prediction_page import write_prediction

        print(f"report: {write_prediction(found, out, year=year)}", file=sys.stderr if as_json else sys.stdout)
    if risk is not None:
        table = found.risk(year, plants=risk == "plants")
        for line in warning_lines(found):
            print(line, file=sys.stderr)
        print(table.to_json(orient="records") if as_json else "\n".join(risk_lines(table, top)))
        return
    print(json.dumps(found.to_dict(), indent=2) if as_json else "\n".join(found.lines()))


def bench_predict(
    built: Built = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Also write the table here.")] = None,
) -> None:
    """Milliseconds of a prediction on one core, alone and in batches, beside the networks alone."""
    from carbonray.cli import _progress
    from carbonray.predict.bench_predict import bench_predict as measure
    from carbonray.predict.bench_predict import print_predict
    from carbonray.runtime.outputs import check_free, write_json

    if out is not None:
        check_free(out)
    with _progress() as tell:
        rows = measure(built, tell)
    print_predict(rows)
    if out is not None:
        write_json({"predict": rows}, out)


@predictor.command("build")
def build(
    size: Annotated[
        str,
        typer.Option(
            help="small, minutes on two cores; full, what ships; trial, to see that it runs: it predicts nothing."
        ),
    ] = "small",
    out: Annotated[
        Path | None,
        typer.Option(help="New folder, or that of the same build to go on; runs/predictor-SIZE[-POLICY] if left out."),
    ] = None,
    economy: Annotated[str, typer.Option(help="A table of 16 sectors.")] = "goods-2026",
    seed: Annotated[int, typer.Option(min=0, help="Of draws and networks.")] = 0,
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME|DIR", help="All firms follow this trained policy instead of rules, e.g. law."),
    ] = None,
    on: Annotated[
        str | None, typer.Option(help="process or ray; the bytes are the same. [default: process; ray with --address]")
    ] = None,
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster; one on this machine if left out.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Economies under way at once; the cores if left out.")] = None,
) -> None:
    """Simulate laws in many economies, fit and judge a predictor; the same command goes on where it stopped."""
    from carbonray.cli import _progress
    from carbonray.predict.build import build_predictor
    from carbonray.report.predictor_page import write_build_report

    folder = out or Path("runs") / "-".join(["predictor", size, *([Path(policy).name] if policy else [])])
    with _progress() as tell:
        built = build_predictor(
            folder, size=size, economy=economy, seed=seed, policy=policy, on=on, address=address, jobs=jobs,
            progress=tell,
        )  # fmt: skip
    for line in built.lines():
        print(line)
    print(f"report: {write_build_report(built.folder.parent, built.card)}")


@predictor.command("show")
def show(
    built: Built = None,
    out: Annotated[Path | None, typer.Option(help="New folder for the card as a page.")] = None,
) -> None:
    """What a predictor is and is not: its card in words."""
    from carbonray.predict.card_text import card_lines
    from carbonray.predict.folder import load

    saved = load(built)
    print(saved.card.about)
    print()
    for line in card_lines(saved.card):
        print(line)
    print(f"\nbuild it again: {saved.card.command}")
    if out is not None:
        from carbonray.report.predictor_page import write_card

        print(f"report: {write_card(saved.card, out)}")
