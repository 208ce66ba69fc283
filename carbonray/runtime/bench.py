"""Speed on this machine: which world is measured, and the yardsticks that all of them share."""

import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

from carbonray.config import ScenarioError
from carbonray.runtime.memory import keep_memory

if TYPE_CHECKING:
    from rich.console import Console

BENCHES: Mapping[str, tuple[str, str, str]] = {
    "cbam": ("carbonray.runtime.bench_cbam", "bench_cbam", "print_cbam"),
    "climate-negotiation": ("carbonray.runtime.bench_negotiation", "bench_negotiation", "print_negotiation"),
}
"""World -> module, the function that measures it, the function that prints what was measured."""


def bench(
    world: str,
    *,
    largest: int | None = None,
    economy: str | None = None,
    progress: Callable[[str, int, int], None] = lambda a, b, c: None,
) -> tuple[Any, Callable[[Any], None]]:
    """Measure a world.

    Args:
        world: its name.
        largest: number of firms; cbam.
        economy: a built-in table; cbam.
        progress: told what is under way.

    Returns:
        What was measured, and the function that prints it.
    Raises:
        ScenarioError: if there is no such world, or an option is not for it.
    """
    if world not in BENCHES:
        raise ScenarioError(f"--world {world}: choose from {', '.join(BENCHES)}")
    given = {key: value for key, value in {"largest": largest, "economy": economy}.items() if value is not None}
    if given and world != "cbam":
        raise ScenarioError(f"--{next(iter(given))}: cbam only; {world} has 27 regions")
    module = import_module(BENCHES[world][0])
    return getattr(module, BENCHES[world][1])(progress=progress, **given), getattr(module, BENCHES[world][2])


def copy_bandwidth() -> float:
    """Bytes a second, read and written, that a copy of 256 MB reaches."""
    keep_memory()
    source = torch.ones(32_000_000, dtype=torch.float64)
    target = torch.empty_like(source)
    target.copy_(source)
    started = time.perf_counter()
    for _ in range(4):
        target.copy_(source)
    return 2 * 4 * source.nbytes / (time.perf_counter() - started)


def cpu_milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Mean CPU milliseconds of a call."""
    call()
    started = time.process_time()
    for _ in range(repeats):
        call()
    return 1e3 * (time.process_time() - started) / repeats


def state_bytes(state: Any) -> float:
    """Bytes of the distinct tensors of a state."""
    seen: dict[int, int] = {}

    def visit(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            held = value.untyped_storage()
            seen[held.data_ptr()] = max(seen.get(held.data_ptr(), 0), min(value.nbytes, held.nbytes()))
        elif isinstance(value, tuple | Mapping):
            for item in value.values() if isinstance(value, Mapping) else value:
                visit(item)
        elif hasattr(value, "__dataclass_fields__"):
            for name in value.__dataclass_fields__:
                visit(getattr(value, name))

    visit(state)
    return float(sum(seen.values()))


def print_sizes(title: str, columns: Sequence[tuple[str, str, str]], measured: Any) -> "Console":
    """Print a table with a row for each size, and the copy bandwidth that its shares are of.

    Args:
        title: of the table.
        columns: heading, key and format of each.
        measured: with the rows under `sizes`.

    Returns:
        The console, for what is said below.
    """
    from rich.console import Console
    from rich.table import Table

    shown = Table(title=title, title_justify="left")
    for heading, _, _ in columns:
        shown.add_column(heading, justify="right")
    for row in measured["sizes"]:
        shown.add_row(*(format(row[key], style) for _, key, style in columns))
    console = Console(width=180)
    console.print(shown)
    console.print(f"copy bandwidth {measured['copy_bandwidth_gb_per_second']:.1f} GB/s read and written")
    return console
