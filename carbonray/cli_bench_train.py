"""`carbonray bench train`: how fast agents learn on this machine."""

from pathlib import Path
from typing import Annotated

import typer


def bench_train(
    firms: Annotated[
        list[int] | None, typer.Option(help="Number of firms; repeat for several. [default: 1000 and 10000]")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda; RLlib is measured on the CPU only.")] = "cpu",
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Also write the table here.")] = None,
) -> None:
    """Decisions of firms played and learned a second by algorithm, beside RLlib's own multi-agent path."""
    from carbonray.cli import _progress
    from carbonray.learn.bench_train import FIRMS
    from carbonray.learn.bench_train_rllib import bench_train as measure
    from carbonray.learn.bench_train_rllib import print_train
    from carbonray.runtime.outputs import check_free, write_json

    if out is not None:
        check_free(out)
    with _progress() as tell:
        table = measure(firms or FIRMS, device=device, on_ray=device == "cpu", progress=tell)
    print_train(table)
    if out is not None:
        write_json(table, out)
