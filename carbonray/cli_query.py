"""`carbonray query`: ask a service from the command line."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

query = typer.Typer(help="Ask a service over HTTP.", no_args_is_help=True, rich_markup_mode=None)

Url = Annotated[str, typer.Option("--url", help="Of the service; its key is in CARBONRAY_KEY.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override any key of the scenario.")
]
LOCAL = "http://127.0.0.1:8000"


def _print(reply: Any) -> None:
    print(reply.model_dump_json(indent=2))


@query.command("predict")
def predict(
    target: Annotated[str, typer.Argument(help="SCENARIO of the cbam world, or a YAML file.")] = "law",
    settings: Settings = None,
    level: Annotated[float, typer.Option(help="Share of new cases that an interval holds.")] = 0.9,
    cube: Annotated[bool, typer.Option("--cube", help="Also by year, partner and sector.")] = False,
    url: Url = LOCAL,
) -> None:
    """Leakage by year, sector and partner, with intervals."""
    from carbonray.client import Client
    from carbonray.client.asked import policy_case

    with Client(url) as service:
        _print(service.predict(policy_case(target, settings or ()), level=level, cube=cube))


@query.command("observe")
def observe(
    file: Annotated[Path, typer.Argument(help="CSV with the fields of an observation as columns.")],
    key: Annotated[
        str | None, typer.Option(help="Idempotency key of the first batch; made of the file's bytes if left out.")
    ] = None,
    url: Url = LOCAL,
) -> None:
    """Send observations, a thousand rows at a time; rows that were sent before change nothing.

    Columns: firm_id, cell (EU26-STL; not needed for plants of the built-in list), observed_at (2026-11-30T00:00:00Z),
    output_musd_per_year, emissions_t_per_year and, if known, price_index.  What is wrong with a row is told before
    anything is sent; where the service refuses a batch all before it are stored: correct the file and send it again.
    """
    from carbonray.client import Client, ServiceError
    from carbonray.client.observed_file import batches, placed

    with Client(url) as service:
        for name, line, rows in batches(file, key):
            try:
                receipt = service.observe(rows, idempotency_key=name)
            except ServiceError as error:
                raise placed(file, line, error) from None
            print(f"batch {receipt.batch}: {receipt.rows} rows; chain_sha256 {receipt.chain_sha256}")


@query.command("firm")
def firm(
    firm_id: Annotated[str, typer.Argument(help="Of a plant or firm.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Observations told.")] = 50,
    before: Annotated[int | None, typer.Option(min=1, help="next_before of the page before.")] = None,
    url: Url = LOCAL,
) -> None:
    """A firm's state and history."""
    from carbonray.client import Client

    with Client(url) as service:
        _print(service.firm(firm_id, limit=limit, before=before))


@query.command("risk")
def risk(
    target: Annotated[str, typer.Argument(help="SCENARIO of the cbam world.")] = "law",
    kind: Annotated[str, typer.Option(help="plants or cells.")] = "plants",
    year: Annotated[int, typer.Option(help="Of the policy.")] = 2035,
    sector: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    country: Annotated[str | None, typer.Option(help="Only plants of this one.")] = None,
    company: Annotated[str | None, typer.Option(help="Only plants of companies whose name has these letters.")] = None,
    plant: Annotated[str | None, typer.Option(help="Only the plant or firm of this id.")] = None,
    observed: Annotated[
        bool | None, typer.Option("--observed/--unobserved", help="Only those that sent data, or none.")
    ] = None,
    offset: Annotated[int, typer.Option(min=0, help="Rows passed over.")] = 0,
    top: Annotated[int, typer.Option(min=1, max=1000, help="Rows.")] = 20,
    url: Url = LOCAL,
) -> None:
    """Who leaks most, with the data received."""
    from carbonray.client import Client

    asked = {"sector": sector, "country": country, "company": company, "plant_id": plant, "observed": observed,
             "offset": offset, "limit": top}  # fmt: skip
    with Client(url) as service:
        found = service.risk(kind, scenario=target.removeprefix("cbam/"), year=year, **asked)
    print(
        f"{found.scenario}, {found.year}: {len(found.rows)} of {found.total} {found.kind}; Mt CO2 a year that reappear"
    )
    print(f"{'rank':>4}  {'id':12}  {'name':40}  {'country':7}  {'cell':8}  {'Mt':>9}  {'data':8}  why")
    for row in found.rows:
        seen = "observed" if row.observed_at else ""
        print(
            f"{row.rank:>4}  {(row.plant_id or '')[:12]:12}  {(row.plant or row.cell)[:40]:40}  {row.country or '':7}  "
            f"{row.cell:8}  {row.leaked_mt:9.3f}  {seen:8}  {row.reason}"
        )


@query.command("simulate")
def simulate(
    target: Annotated[str, typer.Argument(help="SCENARIO or WORLD/SCENARIO.")] = "law",
    settings: Settings = None,
    firms: Annotated[int | None, typer.Option(help="Number of firms; cbam.")] = None,
    years: Annotated[int | None, typer.Option(help="Years simulated; cbam.")] = None,
    replicas: Annotated[int | None, typer.Option(help="Independent draws, for intervals.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random number.")] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key, so that it is submitted once.")] = None,
    url: Url = LOCAL,
) -> None:
    """Submit a full simulation of a built-in scenario, and print its id."""
    from carbonray.client import Client
    from carbonray.config import ScenarioError
    from carbonray.data.scenarios import parsed

    if target.endswith((".yaml", ".yml")):
        raise ScenarioError(f"{target}: the service runs built-in scenarios; say what differs with --set KEY=VALUE")

    values = dict(parsed(setting) for setting in settings or ())
    changes = {"firms": firms, "years": years, "replicas": replicas, "seed": seed}
    with Client(url) as service:
        given = {name: value for name, value in changes.items() if value is not None}
        _print(service.simulate(target, idempotency_key=key, settings=values, **given))


@query.command("simulation")
def simulation(
    id: Annotated[str, typer.Argument(help="From `carbonray query simulate`.")],
    cancel: Annotated[bool, typer.Option("--cancel", help="Stop it.")] = False,
    url: Url = LOCAL,
) -> None:
    """How a simulation stands; its result once it has succeeded."""
    from carbonray.client import Client

    with Client(url) as service:
        _print(service.cancel(id) if cancel else service.simulation(id))


@query.command("scenarios")
def scenarios(url: Url = LOCAL) -> None:
    """Built-in scenarios of the service."""
    from carbonray.client import Client

    with Client(url) as service:
        for each in service.scenarios().scenarios:
            print(f"{each.target:32}{'predictable' if each.predictable else '':13}{each.summary}")


@query.command("models")
def models(url: Url = LOCAL) -> None:
    """Predictors of the service."""
    from carbonray.client import Client

    with Client(url) as service:
        print(json.dumps([each.model_dump() for each in service.models().models], indent=2))


def bench_serve(
    url: Url = LOCAL,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each measurement.")] = 10.0,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Also write the table here.")] = None,
) -> None:
    """Requests a second and milliseconds of a running service, beside bare uvicorn; sends observations."""
    from carbonray.cli import _progress
    from carbonray.client.bench import bench_serve as measure
    from carbonray.client.bench import print_serve
    from carbonray.runtime.outputs import check_free, write_json

    if out is not None:
        check_free(out)
    with _progress() as tell:
        rows = measure(url, seconds=seconds, progress=tell)
    print_serve(rows)
    if out is not None:
        write_json({"serve": rows}, out)
