"""`python -m serve keys create|revoke|list`, `python -m serve verify-log`: what is done at the store itself."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic import ValidationError
from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from serve import keys as ring
from serve.clock import time_of
from serve.settings import CHECKOUT, Settings
from serve.store import migrate, open_store
from serve.verify import verify

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
keys = typer.Typer(help="API keys.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(keys, name="keys")

Config = Annotated[Path, typer.Option(help="Of the service; its store is used.")]
CONFIG = CHECKOUT / "serve" / "config.yaml"


class CommandError(Exception):
    """One line."""


def main() -> None:
    """Run; bad input is one line and exit code 2, a log that was changed 1."""
    try:
        app()
    except CommandError as error:
        print(f"serve: {error}", file=sys.stderr)
        sys.exit(2)
    except SQLAlchemyError as error:
        print(f"serve: the store does not answer ({type(error).__name__})", file=sys.stderr)
        sys.exit(2)


def settings_of(config: Path) -> Settings:
    """The arguments of the application in a config file.

    Raises:
        CommandError: if it cannot be read or has other keys.
    """
    try:
        content: Any = yaml.safe_load(config.read_text(encoding="utf-8"))
        return Settings.model_validate(content["applications"][0].get("args") or {})
    except OSError as error:
        raise CommandError(f"{config}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, KeyError, IndexError, TypeError, AttributeError):
        raise CommandError(f"{config}: is no Serve config with an application") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise CommandError(f"{config}: args.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _store(config: Path, *, new: bool = False) -> Engine:
    url = settings_of(config).store_url
    file = make_url(url).database if make_url(url).get_backend_name() == "sqlite" else None
    if file and not new and not Path(file).exists():
        raise CommandError(f"{file}: is no store; --config names the service")
    engine = open_store(url)
    migrate(engine)
    return engine


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whose it is.")],
    scopes: Annotated[
        list[str] | None, typer.Option("--scope", help="read, write or simulate; repeat for several. [default: read]")
    ] = None,
    config: Config = CONFIG,
) -> None:
    """Make a key and show it, this once."""
    wanted = list(dict.fromkeys(scopes or ["read"]))
    for scope in wanted:
        if scope not in ring.SCOPES:
            raise CommandError(f"--scope {scope}: choose from {', '.join(ring.SCOPES)}")
    if not name.strip():
        raise CommandError("NAME: say whose key it is")
    print(ring.create(_store(config, new=True), name, wanted))


@keys.command("revoke")
def revoke(
    id: Annotated[str, typer.Argument(help="The first part of the key, from `keys list`.")], config: Config = CONFIG
) -> None:
    """End a key; replicas know within seconds."""
    if not ring.revoke(_store(config), id):
        raise CommandError(f"{id}: there is no such key, or it was revoked before")
    print(f"{id}: revoked")


@keys.command("list")
def listing(config: Config = CONFIG) -> None:
    """List keys; the keys themselves are nowhere."""
    for key in ring.listed(_store(config)):
        ended = "" if key.revoked_us is None else f"revoked {time_of(key.revoked_us):%Y-%m-%d %H:%M}"
        made = f"{time_of(key.created_us):%Y-%m-%d %H:%M}"
        print(f"{key.id}  {made}  {','.join(key.scopes):20}  {key.name}  {ended}".rstrip())


@app.command("verify-log")
def verify_log(
    holds: Annotated[
        str | None, typer.Option(metavar="SHA256", help="A chain_sha256 from a receipt that must still be there.")
    ] = None,
    config: Config = CONFIG,
) -> None:
    """Recompute every hash; a record that was changed, added or taken out shows."""
    found = verify(_store(config), holds=holds)
    for fault in found.faults:
        print(f"serve: {fault}", file=sys.stderr)
    if found.holds is False:
        print(f"serve: no batch has the chain_sha256 {holds}", file=sys.stderr)
    if found.faults or found.holds is False:
        raise typer.Exit(1)
    print(f"{found.batches} batches, {found.rows} observations: in order; chain_sha256 {found.head}")


if __name__ == "__main__":
    main()
