"""How fast a predictor answers on one core, beside the floor: its networks alone."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from carbonray.data.scenarios import load
from carbonray.predict.predictor import predictor
from carbonray.runtime.inprocess import threads
from carbonray.runtime.simulate import Progress, silent

SIZES = (1, 100, 1000)
"""Cases asked at once."""
TIMES = 50


def bench_predict(folder: str | Path | None = None, progress: Progress = silent) -> list[dict[str, Any]]:
    """Milliseconds from a scenario to an answer with intervals and flags, by number of cases, on one thread.

    A row has `cases`, `median_ms`, `p99_ms`, `cpu_ms` (the processor's own time, which other programs do not lengthen),
    and `floor_ms`: the three matrix products of each network on random numbers.
    """
    asked = predictor(folder)
    case = asked.case(load("law"))
    rows = []
    with threads(1), torch.no_grad():
        for done, size in enumerate(SIZES):
            progress("asking", done, len(SIZES))
            names, cases = ["law"] * size, [case] * size
            seen = torch.randn(size, len(asked.model.layout.take(case.row[None], "price")[0]), len(asked.model.center))
            wall, cpu = _timed(lambda names=names, cases=cases: asked.answer(names, cases))  # type: ignore[misc]
            floor, _ = _timed(lambda seen=seen: [each.hidden(seen) for each in asked.model.networks])  # type: ignore[misc]
            rows.append(
                {
                    "cases": size,
                    "median_ms": float(np.median(wall)),
                    "p99_ms": float(np.quantile(wall, 0.99)),
                    "cpu_ms": float(np.median(cpu)),
                    "floor_ms": float(np.median(floor)),
                }
            )
        progress("asking", len(SIZES), len(SIZES))
    return rows


def _timed(act: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Milliseconds on the clock and of the processor, of each of many times."""
    act()
    wall, cpu = [], []
    for _ in range(TIMES):
        started, used = time.perf_counter(), time.process_time()
        act()
        wall.append(1e3 * (time.perf_counter() - started))
        cpu.append(1e3 * (time.process_time() - used))
    return wall, cpu


def print_predict(rows: list[dict[str, Any]]) -> None:
    """One line for each number of cases."""
    print(f"{'cases':>6}{'median':>11}{'99 %':>11}{'processor':>12}{'floor':>11}")
    for row in rows:
        median, most, cpu, floor = (f"{row[name]:.2f} ms" for name in ("median_ms", "p99_ms", "cpu_ms", "floor_ms"))
        print(f"{row['cases']:>6}{median:>11}{most:>11}{cpu:>12}{floor:>11}")
