"""The command line: `carbonray simulate | sweep | frontier | submit | jobs | equilibrium | compare | report | ...`.

Nothing heavy is imported before a command needs it: `carbonray --help` answers in half a second.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from carbonray.cli_bench_train import bench_train
from carbonray.cli_frontier import frontier
from carbonray.cli_jobs import PASSED_ON, jobs, submit
from carbonray.cli_learn import evaluate, train
from carbonray.cli_predict import bench_predict, predict, predictor
from carbonray.cli_query import bench_serve, query
from carbonray.cli_sweep import sweep

app = typer.Typer(
    help="Where do emissions go when a region prices carbon, and which policy keeps them from leaking?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data = typer.Typer(help="The built-in tables, and a check of your own.", no_args_is_help=True, rich_markup_mode=None)
bench = typer.Typer(help="Measure speed on this machine.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data, name="data")
app.add_typer(bench, name="bench")

SECONDS_A_LINE = 15
"""Between lines of progress where there is no terminal."""
INTERRUPTED = 130
"""Exit code after Ctrl-C; whole years that were simulated are written all the same."""

Target = Annotated[
    str, typer.Argument(help="SCENARIO of the cbam world, WORLD/SCENARIO or a YAML file; see `carbonray scenarios`.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override any key, e.g. policy.price.2035=200.")
]

Address = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Of a Ray cluster, or auto; one of this machine if left out; ray."),
]


def main() -> None:
    """Run the command line; bad input is one line and exit code 2, an interruption 130."""
    from carbonray.config import ScenarioError

    try:
        app()
    except ScenarioError as error:
        _refuse(error)
    except KeyboardInterrupt:
        print("carbonray: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception as error:
        if not _is_users(error):
            raise
        _refuse(error, code=1 if type(error).__name__ in ("LostError", "TrainingError") else 2)


def _refuse(error: Exception, code: int = 2) -> None:
    print(f"carbonray: {error}", file=sys.stderr)
    sys.exit(code)


def _is_users(error: Exception) -> bool:
    """Whether it is one of our one-line refusals; their modules are loaded only if they could have been raised."""
    places = {
        "carbonray.data.errors": "DataError",
        "carbonray.learn.training": "TrainingError",
        "carbonray.runtime.actors": "StepError",
        "carbonray.runtime.checkpoint": "CheckpointError",
        "carbonray.runtime.distributed": "LostError",
        "carbonray.runtime.outputs": "OutputError",
        "carbonray.report": "ReportError",
        "carbonray.worlds.climate_negotiation.protocols": "ProtocolError",
        "carbonray.worlds.cbam.equilibrium": "NotConvergedError",
        "carbonray.worlds.cbam.market": "MarketError",
        "carbonray.worlds.cbam.settle": "SettlementError",
        "carbonray.worlds.exact": "SumOutOfBoundError",
    }
    found = (getattr(sys.modules.get(module), name, None) for module, name in places.items())
    return isinstance(error, tuple(kind for kind in found if kind is not None))


@contextmanager
def _progress() -> Iterator[Callable[..., None]]:
    """A bar per task on the terminal's error stream; now and then a line where there is none, as in a job's log."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:22}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _told_in_lines()
        return
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def tell(name: str, done: int, of: int, note: str = "", /) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=of, note=note)
            bars.update(tasks[name], completed=done, total=of, note=note)

        yield tell


def _told_in_lines() -> Callable[..., None]:
    """Progress in a line every so many seconds."""
    last = [time.monotonic()]

    def tell(name: str, done: int, of: int, note: str = "", /) -> None:
        if done < of and time.monotonic() - last[0] >= SECONDS_A_LINE:
            last[0] = time.monotonic()
            print(f"{name} {done}/{of}{', ' * bool(note)}{note}", file=sys.stderr, flush=True)

    return tell


@app.command()
def simulate(
    ctx: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(help="SCENARIO of the cbam world, WORLD/SCENARIO or a YAML file; law if left out."),
    ] = None,
    settings: Settings = None,
    firms: Annotated[int | None, typer.Option(help="Number of firms; cbam.")] = None,
    years: Annotated[int | None, typer.Option(help="Years simulated; cbam.")] = None,
    replicas: Annotated[int | None, typer.Option(help="Independent draws, for intervals.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random number.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="New folder for the run; runs/WORLD-SCENARIO-N if left out.")] = None,
    robust: Annotated[bool, typer.Option(help="Also the runs that test the headline figures.")] = True,
    uncertainty: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Draws of the uncertain parameters, for intervals; 0 for none; cbam. [default: 24]"
        ),
    ] = None,
    plants: Annotated[
        bool, typer.Option("--plants", help="EU ETS plants as named firms: the most exposed; cbam.")
    ] = False,
    plant_list: Annotated[
        Path | None, typer.Option(help="Your own plants instead, CSV or Parquet; see `data template plants`.")
    ] = None,
    actions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npz",
            help="Replay recorded actions: array `actions` [step, region, head]; climate-negotiation.",
        ),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Agents follow this trained policy instead of rules.")
    ] = None,
    on: Annotated[str, typer.Option(help="process, or ray: a cluster, with the same bytes.")] = "process",
    address: Address = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="region|firm|N",
            help="What an actor holds: a region, one firm or N of them; a share for each core if left out; ray.",
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(metavar="DIR|URL", help="Keep checkpoints there, so that little is lost with a node; ray."),
    ] = None,
    every: Annotated[int | None, typer.Option(metavar="STEPS", help="Between checkpoints; ray. [default: 10]")] = None,
    patience: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Silence after which a node is given up; ray. [default: 120]"),
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="DIR|URL", help="Go on from the checkpoint there, instead of a TARGET.")
    ] = None,
) -> None:
    """Simulate a scenario beside its reference run, and report what differs."""
    from carbonray.report import write_report
    from carbonray.runtime import outputs
    from carbonray.runtime import simulate as runner
    from carbonray.runtime.on_ray import RayOptions, resumed
    from carbonray.runtime.processes import available

    ray = RayOptions(address=address, shard=shard, checkpoint=checkpoint, every=every, patience=patience)

    named = str(plant_list) if plant_list else "eu" if plants else None
    options = {"firms": firms, "plants": named, "years": years, "replicas": replicas, "seed": seed}
    if resume is not None:
        _only_resume(ctx)
        scenario = resumed(resume).scenario
    else:
        scenario = runner.load_target(target or "law", settings or (), **options)
        runner.check_runtime(on, device, ray)
        for notice in runner.advice(scenario, on, available()):
            print(f"note: {notice}", file=sys.stderr)
    folder = out or outputs.fresh_folder(scenario)
    outputs.check_free(folder)
    try:
        with _progress() as tell:
            if resume is not None:
                result = runner.resume(resume, address=address, patience=patience, progress=tell)
            else:
                result = runner.simulate(
                    scenario,
                    device=device,
                    robust=robust,
                    uncertainty=uncertainty,
                    actions=actions,
                    policy=policy,
                    on=on,
                    progress=tell,
                    **ray,
                )
            tell("writing", 0, 1)
            result.write(folder, finish=write_report)
            tell("writing", 1, 1)
    except KeyboardInterrupt as error:
        print(f"carbonray: interrupted{error}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    for notice in result.notices:
        print(f"note: {notice}", file=sys.stderr)
    for line in result.lines():
        print(line)
    print(f"report: {folder / 'report.html'}")
    if result.summary["interrupted"]:
        raise typer.Exit(INTERRUPTED)


def _only_resume(ctx: typer.Context) -> None:
    """Refuse whatever would change a run that is resumed."""
    from carbonray.config import ScenarioError

    for name in ctx.params:
        source = ctx.get_parameter_source(name)
        given = source is not None and source.name == "COMMANDLINE"
        if given and name not in ("resume", "address", "patience", "out"):
            shown = {"target": "TARGET", "settings": "--set"}.get(name, f"--{name.replace('_', '-')}")
            raise ScenarioError(f"{shown}: leave it out with --resume; the checkpoint tells what runs")


app.command()(sweep)
app.command()(frontier)
app.command()(predict)
app.add_typer(predictor, name="predictor")
app.add_typer(query, name="query")
app.command()(train)
app.command()(evaluate)
app.command(context_settings=PASSED_ON, no_args_is_help=True)(submit)
app.add_typer(jobs, name="jobs")


@app.command()
def equilibrium(
    target: Target = "test-arm",
    settings: Settings = None,
    year: Annotated[int | None, typer.Option(help="Calendar year of the policy; the last if left out.")] = None,
    uncertainty: Annotated[int, typer.Option(metavar="N", help="Draws of the uncertain parameters.")] = 0,
    out: Annotated[Path | None, typer.Option(help="New CSV file for the table of cells.")] = None,
) -> None:
    """Solve the static equilibrium that a scenario's policy of one year leads to."""
    from carbonray.runtime.outputs import check_free
    from carbonray.runtime.simulate_cbam import equilibrium as solve
    from carbonray.runtime.uncertainty_text import bounds, ranking_lines

    if out is not None:
        check_free(out)
    with _progress() as tell:
        found = solve(target, year=year, settings=settings or (), uncertainty=uncertainty, progress=tell)
    told = found.get("uncertainty")
    print(f"{found['scenario']} at rest under the policy of {found['year']}")
    if found["undefined_reason"]:
        print(f"leakage is undefined: {found['undefined_reason']}")
    for label, key in (
        ("leakage, all sectors", "leakage_rate"),
        ("leakage, CBAM goods", "leakage_rate_cbam_goods"),
        ("leakage without electricity", "leakage_rate_without_electricity"),
    ):
        print(f"  {label:28}" + ("undefined" if found[key] is None else f"{found[key]:8.2%}") + bounds(told, key))
    print(f"  {'fall at home':28}{found['home_reduction_mt']:8.1f} Mt CO2 a year")
    print(f"  {'rise abroad':28}{found['foreign_increase_mt']:8.1f} Mt CO2 a year")
    print(f"  {'customs receipts':28}{found['customs_musd'] / 1000:8.2f} billion USD a year")
    for line in ranking_lines(told):
        print(line)
    print(f"  {'sector':10}{'leakage':>10}{'output at home':>16}")
    for sector, rate in found["leakage_rate_by_sector"].items():
        shown = "undefined" if rate is None else f"{rate:.1%}"
        print(f"  {sector:10}{shown:>10}{found['output_change_by_sector'][sector]:>16.2%}")
    if out is not None:
        found["cells"].to_csv(out, index=False)
        print(f"cells: {out}")


@app.command()
def backtest(
    raw: Annotated[Path | None, typer.Option(help="Folder of raw tables, for series that may not be shipped.")] = None,
    out: Annotated[Path | None, typer.Option(help="New folder for the results; runs/backtest-N if left out.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random number.")] = 0,
    firms: Annotated[int, typer.Option(help="Number of firms.")] = 2000,
) -> None:
    """Hold the model against 2005-2022, calibrated on 1995-2004 alone, beside three naive forecasts."""
    from carbonray.backtest import runner
    from carbonray.report.backtest_page import terminal, write_backtest_report
    from carbonray.runtime.outputs import check_free

    folder = out or runner.fresh_folder()
    check_free(folder)
    with _progress() as tell:
        result = runner.backtest(raw, firms=firms, seed=seed, progress=tell)
        tell("writing", 0, 1)
        result.write(folder, finish=write_backtest_report)
        tell("writing", 1, 1)
    print(terminal(result.summary, result.scores))
    print(f"report: {folder / 'report.html'}")


@app.command()
def scenarios(
    name: Annotated[str | None, typer.Argument(help="Print this one's YAML, to copy and edit.")] = None,
) -> None:
    """List the built-in scenarios, or print one."""
    from carbonray.data.scenarios import find, load, targets

    if name is not None:
        print(find(name).read_text(encoding="utf-8"), end="")
        return
    listed = targets()
    width = max(map(len, listed)) + 2
    for each in listed:
        print(f"{each:{width}}{load(each).summary}")


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Run directories of one world.")],
    out: Annotated[Path | None, typer.Option(help="New folder for the comparison; runs/compare-N if left out.")] = None,
) -> None:
    """Put runs beside each other: figures, differences and a page."""
    from carbonray.report.compare_page import compare as put_beside

    for line in put_beside(runs, out).lines():
        print(line)


@app.command()
def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="A run directory, or trainings that differ in their seed.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="New folder; of several trainings runs/trainings-N if left out.")
    ] = None,
) -> None:
    """Write report.html and its figures anew: of a run, or learning curves of one or several trainings."""
    from carbonray.report import write_report

    run, *others = folders
    print(f"report: {write_report(run, *others, out=out)}")


@data.command("list")
def data_list() -> None:
    """List the built-in tables."""
    from carbonray.data import list_datasets

    for row in list_datasets().itertuples():
        print(f"{row.name:28}{row.year!s:>6}{row.rows:>8} rows  {row.licence}\n{'':28}{row.title}")


@data.command("check")
def data_check(
    folder: Annotated[
        Path | None, typer.Argument(help="Your own folder of tables; the built-in ones if left out.")
    ] = None,
) -> None:
    """Check hashes, codes, numbers and balance."""
    from carbonray.data import check

    check(folder)
    print(f"{folder or 'built-in tables'}: in order")


@data.command("describe")
def data_describe(name: Annotated[str, typer.Argument(help="A built-in table, from `carbonray data list`.")]) -> None:
    """Tell where a table comes from, its licence, units and method."""
    from carbonray.data import describe

    print(describe(name))


@data.command("ageing")
def data_ageing() -> None:
    """Show how far a table of 2000, aged to 2011 as the 2011 table is to 2026, lies from the true one."""
    from carbonray.data import ageing_text

    print(ageing_text())


@data.command("import")
def data_import(
    path: Annotated[Path, typer.Argument(help="The table: a file or folder, as its publisher or pymrio laid it out.")],
    format_: Annotated[
        str, typer.Option("--format", help="pymrio, wiod, exiobase3, oecd or eora26.", show_default=False)
    ] = "",
    regions: Annotated[Path | None, typer.Option(help="CSV code,region; see `data template regions`.")] = None,
    sectors: Annotated[Path | None, typer.Option(help="CSV code,sector; see `data template sectors`.")] = None,
    out: Annotated[Path | None, typer.Option(help="New folder; economies/FORMAT_YEAR if left out.")] = None,
    year: Annotated[int | None, typer.Option(help="Base year, where the table holds several or tells none.")] = None,
    emissions: Annotated[
        list[str] | None,
        typer.Option(help="Account of CO2 by name (* for any letters; repeat to add), or a CSV region,sector,mt_co2."),
    ] = None,
    value_added: Annotated[
        str, typer.Option(help="stated: must agree with the flows; residual: output less inputs.")
    ] = "stated",
    rate: Annotated[float | None, typer.Option(help="Million USD that one unit of the table is worth.")] = None,
) -> None:
    """Import your own world table, summed by two maps to regions and sectors of your choice."""
    from carbonray.data.import_formats import Request
    from carbonray.data.import_summary import summary
    from carbonray.data.import_table import import_table, named_maps

    request = Request(
        path=path, format=format_, year=year, emissions=tuple(emissions or ()), value_added=value_added, rate=rate
    )
    regions, sectors = named_maps(request, regions, sectors)
    with _progress() as tell:
        imported = import_table(request, regions=regions, sectors=sectors, out=out, progress=tell)
    print(summary(imported))


@data.command("template")
def data_template(
    kind: Annotated[str, typer.Argument(help="regions, sectors or plants.")],
    out: Annotated[Path | None, typer.Option(help="New CSV file; printed if left out.")] = None,
    format_: Annotated[str | None, typer.Option("--format", help="List the codes of a table of this format.")] = None,
    path: Annotated[Path | None, typer.Option(help="That table.")] = None,
    year: Annotated[int | None, typer.Option(help="Its year, where a folder holds several.")] = None,
) -> None:
    """Write a filled example of a map or of a list of plants, to copy and edit."""
    from carbonray.data.templates import own_table, template, write_template

    text = template(kind, table=own_table(format_, path, year))
    if out is None:
        print(text, end="")
        return
    write_template(text, out)
    print(f"written: {out}")


@data.command("build")
def data_build(
    raw: Annotated[Path, typer.Option(help="Folder with the raw public tables.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("datasets"),
    replace: Annotated[bool, typer.Option(help="Replace an earlier build in that folder.")] = False,
) -> None:
    """Build the built-in tables from the raw ones."""
    from carbonray.data import build

    build(raw, out, replace=replace)
    print(f"built: {out}")


@bench.command("world")
def bench_world(
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the table here.")] = None,
    world: Annotated[str, typer.Option(help="cbam or climate-negotiation.")] = "cbam",
    largest: Annotated[
        int | None, typer.Option(min=1000, help="Largest number of firms; cbam. [default: 1000000]")
    ] = None,
    economy: Annotated[str | None, typer.Option(help="A built-in table; the scenario's own if left out; cbam.")] = None,
) -> None:
    """Steps of agents per CPU-second by size, and where the time goes."""
    from carbonray.runtime.bench import bench
    from carbonray.runtime.outputs import check_free, write_json

    if json_file is not None:
        check_free(json_file)
    with _progress() as tell:
        table, show = bench(world, largest=largest, economy=economy, progress=tell)
    show(table)
    if json_file is not None:
        write_json(table, json_file)


bench.command("train")(bench_train)
bench.command("predict")(bench_predict)
bench.command("serve")(bench_serve)


@bench.command("runtime")
def bench_runtime(
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the tables here.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Also draw cost against shards here.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller runs: some minutes instead of ten.")] = False,
) -> None:
    """What Ray costs and brings: barrier, shards, nodes, memory, checkpoints and recovery."""
    from carbonray.runtime.bench_runtime import bench_runtime as measure
    from carbonray.runtime.bench_runtime import plot_runtime, print_runtime
    from carbonray.runtime.outputs import check_free, write_json

    for file in (json_file, plot):
        if file is not None:
            check_free(file)
    with _progress() as tell:
        table = measure(quick=quick, progress=tell)
    print_runtime(table)
    if json_file is not None:
        write_json(table, json_file)
    if plot is not None:
        plot_runtime(table, plot)
        print(f"plot: {plot}")


if __name__ == "__main__":
    main()
