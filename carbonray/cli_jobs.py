"""`carbonray submit` and `carbonray jobs`: runs on a Ray cluster, from a machine that is not part of it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from carbonray.runtime.job_order import Order
    from carbonray.runtime.job_server import Job

jobs = typer.Typer(help="List the jobs of a Ray cluster, and manage them.", rich_markup_mode=None)

INTERRUPTED = 130
"""Exit code after Ctrl-C; the job goes on."""
PASSED_ON = {"ignore_unknown_options": True}
"""Options that are not of this command are words of the one that it starts."""

Address = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Dashboard of the cluster's head. [default: RAY_API_SERVER_ADDRESS, RAY_ADDRESS, http://127.0.0.1:8265]",
    ),
]
Name = Annotated[
    str | None, typer.Option("--id", help="Name of the job; made of the command and its files if left out.")
]
Follow = Annotated[bool, typer.Option(help="Show its log until it ends, and end with its exit code.")]
Variables = Annotated[
    list[str] | None, typer.Option("--env", metavar="KEY=VALUE", help="Environment variable of the job; repeat to add.")
]
Requirements = Annotated[
    list[str] | None, typer.Option("--pip", metavar="REQUIREMENT", help="Installed for the job; repeat to add.")
]
Interpreter = Annotated[str | None, typer.Option(help="Python on the cluster. [default: python]")]
Ship = Annotated[bool, typer.Option("--ship", help="Take this carbonray along, for a cluster that has none.")]
JobName = Annotated[str, typer.Argument(metavar="ID", help="Name of a job, from `carbonray jobs`.")]


def submit(
    ctx: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(metavar="COMMAND... | FILE.yaml", help="A command and its words, or a job specification."),
    ],
    address: Address = None,
    name: Name = None,
    follow: Follow = True,
    env: Variables = None,
    pip: Requirements = None,
    python: Interpreter = None,
    ship: Ship = False,
) -> None:
    """Run simulate, sweep, train, predictor build or backtest on a Ray cluster, with an absolute --out.

    Words that are no option here are for the command.  A job specification (cluster/jobs has one for each command)
    holds the command and what else is needed; words and options after it come on top.
    """
    from carbonray.runtime import jobs as cluster
    from carbonray.runtime.job_parcel import Environment
    from carbonray.runtime.job_spec import JobSpec, is_spec, read_spec

    spec = read_spec(Path(words[0])) if is_spec(words[0]) else JobSpec(run=())
    beside = Environment(
        variables={**spec.env, **_variables(env or ())},
        pip=(*spec.pip, *(pip or ())),
        python=python or spec.python,
        ship=ship or spec.ship,
    )
    order = _asked(ctx, [*spec.run, *words[1:]], f"{words[0]}: run: ") if spec.run else _asked(ctx, words)
    if order.command == "sweep":
        _check_sweep(order)
    submitted = cluster.submit(order, address=address, id=name or spec.id, environment=beside)
    job = submitted.job
    if submitted.new:
        _note(f"{job.id}: submitted")
    elif job.over:
        _note(f"{job.id}: {job.outcome} before, and is not run again; --id with a new name runs it anew")
    else:
        _note(f"{job.id}: {job.status} since {_when(job)}")
    if not follow:
        print(job.id)
        return
    _follow(job.id, address, before=job.over)


def _asked(ctx: typer.Context, words: Sequence[str], where: str = "") -> "Order":
    """What words order; whatever is wrong with them in one line."""
    from carbonray.runtime.job_order import JobError

    try:
        return read_order(ctx, words)
    except Exception as error:
        if not hasattr(error, "format_message"):  # of the command line's parser, which would add its usage
            raise
        raise JobError(f"{where}{error.format_message()}") from None


def _check_sweep(order: "Order") -> None:
    """Refuse here what any run of a sweep would be refused for there."""
    from carbonray.counterfactual.sweep_asked import parse_grid
    from carbonray.counterfactual.sweep_plan import plan_sweep
    from carbonray.runtime.work import place_for

    place_for(order.given("on") or "ray", address=order.given("address"), jobs=order.given("jobs"))
    if order.given("resume") is not None:
        return
    options = {name: order.given(name) for name in ("seeds", "firms", "years", "replicas")}
    plants = order.given("plant_list") or ("eu" if order.given("plants") else None)
    grid, settings = parse_grid(order.given("grid") or ()), order.given("settings") or ()
    plan_sweep(order.targets, grid=grid, settings=settings, plants=plants and str(plants), **options)


def _variables(pairs: Any) -> dict[str, str]:
    from carbonray.runtime.job_order import JobError

    for pair in pairs:
        if not pair.partition("=")[0] or "=" not in pair:
            raise JobError(f"--env {pair}: write KEY=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


def _follow(id: str, address: str | None, *, before: bool = False) -> None:
    """Print a job's log until it is over, and end with its exit code; Ctrl-C leaves it running."""
    from carbonray.runtime import jobs as cluster

    try:
        job = cluster.follow(id, address=address, say=lambda text: print(text, end="", flush=True))
    except KeyboardInterrupt:
        at = "" if address is None else f" --address {address}"
        show, stop = f"carbonray jobs logs {id} --follow{at}", f"carbonray jobs cancel {id}{at}"
        _note(f"{id}: goes on; `{show}` shows it, `{stop}` stops it")
        raise typer.Exit(INTERRUPTED) from None
    _note(f"{id}: {job.outcome} {'before; nothing ran now' if before else f'after {_took(job)}'}")
    raise typer.Exit(job.code)


def _note(line: str) -> None:
    print(f"carbonray: {line}", file=sys.stderr)


def read_order(ctx: typer.Context, words: Sequence[str]) -> "Order":
    """Words as the command line reads them for the command that they begin with."""
    from carbonray.runtime.job_order import CHOICE, COMMANDS, DEFAULT, JobError, Order

    root: Any = ctx.find_root()
    name = next((name for name in COMMANDS if list(words[: len(name.split())]) == name.split()), None)
    if name is None:
        raise JobError(f"{' '.join(words[:1])}: is no command for a job; choose {CHOICE}")
    command = root.command
    for part in name.split():
        command = command.get_command(root, part)
    rest = [word for word in words[len(name.split()) :] if word != "--"]
    read = command.make_context(name, rest, parent=root)
    said = {each for each in read.params if read.get_parameter_source(each).name != "DEFAULT"}
    arguments = [each.name for each in command.params if each.param_type_name == "argument"]
    options = {each: read.params[each] for each in said if each not in arguments}
    targets = _strings([read.params[each] for each in arguments])
    if name in ("simulate", "train") and "resume" not in said:
        targets = targets or [DEFAULT]
    return Order(command=name, targets=tuple(targets), options=options)


def _strings(values: Any) -> list[str]:
    """Words of arguments, of which each may be one, many or none."""
    if isinstance(values, list | tuple):
        return [word for value in values for word in _strings(value)]
    return [] if values is None else [str(values)]


@jobs.callback(invoke_without_command=True)
def listing(ctx: typer.Context, address: Address = None) -> None:
    """List the jobs of a Ray cluster, and manage them."""
    from carbonray.runtime import jobs as cluster

    ctx.obj = address
    if ctx.invoked_subcommand is not None:
        return
    heads = ("id", "status", "started", "took", "exit", "command")
    rows = [heads, *(_row(job) for job in cluster.jobs(address))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads) - 1)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]))


def _row(job: "Job") -> tuple[str, ...]:
    code = "" if job.exit_code is None else str(job.exit_code)
    return job.id, job.status, _when(job), _took(job), code, job.command


def _when(job: "Job") -> str:
    return "" if job.started is None else f"{job.started:%Y-%m-%d %H:%M:%S}"


def _took(job: "Job") -> str:
    """Hours, minutes and seconds."""
    if job.took is None:
        return ""
    minutes, seconds = divmod(round(job.took), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


@jobs.command("logs")
def job_logs(
    ctx: typer.Context,
    id: JobName,
    follow: Annotated[bool, typer.Option("--follow", help="Until it ends; with its exit code.")] = False,
    address: Address = None,
) -> None:
    """Print the log of a job."""
    from carbonray.runtime import jobs as cluster

    if follow:
        _follow(id, address or ctx.obj)
    else:
        print(cluster.logs(id, address=address or ctx.obj), end="")


@jobs.command("status")
def job_status(ctx: typer.Context, id: JobName, address: Address = None) -> None:
    """Tell how a job stands."""
    from carbonray.runtime import jobs as cluster

    job = cluster.status(id, address=address or ctx.obj)
    told = {"id": job.id, "status": job.outcome, "started": _when(job), "took": _took(job), "command": job.command}
    for key, value in told.items():
        print(f"{key:9}{value}")


@jobs.command("cancel")
def job_cancel(ctx: typer.Context, id: JobName, address: Address = None) -> None:
    """Stop a job, and wait until it has stopped."""
    from carbonray.runtime import jobs as cluster

    job = cluster.cancel(id, address=address or ctx.obj)
    if job.status != "stopped":
        _note(f"{job.id}: {job.outcome} before it could be stopped")
        raise typer.Exit(1)
    print(f"{job.id}: stopped")


@jobs.command("run", context_settings=PASSED_ON)
def job_run(
    ctx: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="A command that `submit` takes.")],
) -> None:
    """Run a command here, as part of a cluster: on from its checkpoint, and not at all if its run is there."""
    from carbonray.runtime.job_order import on_cluster
    from carbonray.runtime.job_retry import remaining

    order = on_cluster(read_order(ctx, words))
    left = remaining(order, note=lambda line: print(f"note: {line}", file=sys.stderr))
    if left is None:
        print(f"{order.given('out')}: holds this run already; nothing is left to do")
        return
    if left is not order:
        print(f"{left.given('resume')}: going on from the checkpoint")
    root: Any = ctx.find_root()
    root.command.main(args=left.words, prog_name=root.info_name)
