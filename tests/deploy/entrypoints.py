"""Words of a job, as the command line would take them."""

from functools import cache
from typing import Any

import typer

from carbonray import cli
from carbonray.cli_jobs import read_order
from carbonray.config import ScenarioError
from carbonray.runtime.job_order import Order, check


@cache
def order_of(words: tuple[str, ...]) -> Order | str:
    """The order that words are, or in a line why they are none."""
    root: Any = typer.main.get_command(cli.app)
    context = typer.Context(root, info_name="carbonray")
    try:
        order = read_order(context, words)
        check(order)
    except Exception as error:
        if isinstance(error, ScenarioError) or hasattr(error, "exit_code"):  # typer's own are of a private module
            return str(getattr(error, "message", None) or error)
        raise
    return order
