"""One firm an actor, on an economy small enough for it: cost of a step and memory of an actor."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from carbonray.data.build_economy import sum_groups
from carbonray.data.economy_tables import load_economy
from carbonray.data.scenarios import load
from carbonray.data.worlds import build_world
from carbonray.runtime.bench_runtime_actor import niceness, process_of
from carbonray.runtime.bench_runtime_memory import memory_of
from carbonray.runtime.bench_runtime_watch import SETTLED, Watch, asked, ensemble, in_process, played, typical
from carbonray.runtime.pair import play_of
from carbonray.runtime.shard import Play
from carbonray.units import QUARTERS
from carbonray.worlds.cbam import Economy

TABLE = "world-2011"
REGIONS = ("EU26", "ROW")
SECTORS = ("MET", "SRV")


def lone_firms(firms: int, steps: int) -> dict[str, Any]:
    """Every firm an actor: milliseconds of a step and MiB of an actor.

    Args:
        firms: at least five for each of the four cells.
        steps: timed.
    """
    play = small_law(firms, steps + SETTLED)
    watch, begun = Watch(), time.monotonic()
    with ensemble(play, "firm") as members:
        played(members, watch)
        held = [memory_of(each) for each in asked(members, process_of)]
        nice = asked(members, niceness)
    own = in_process(play, 1)
    return {
        "firms": firms,
        "actors": len(held),
        "step_ms": typical(watch.milliseconds())["median"],
        "step_ms_in_process": typical(own.milliseconds())["median"],
        "seconds_starting": watch.stamps[0] - begun,
        "mib_per_actor": {kind: statistics.fmean(each[kind] for each in held) for kind in held[0]},
        "mib_in_all": sum(each["pss"] for each in held),
        "niceness": max(nice),
    }


def small_law(firms: int, steps: int) -> Play[Any, Any, Any]:
    """The scenario `law` on a built-in table summed to 2 regions and 2 sectors."""
    economy = summed(load_economy(TABLE), REGIONS, SECTORS)
    changes: dict[str, Any] = {
        "economy": "small",
        "growth": dict(zip(REGIONS, (0.013, 0.03), strict=True)),
        "market.final_demand": {},
        "partners.price": {},
        "firms.number": firms,
        "years": -(-steps // QUARTERS),
    }
    scenario = load("law", (), **changes)
    return replace(play_of(scenario, [build_world(scenario, economy)], record_firms=False), steps=steps)


def summed(economy: Economy, regions: Sequence[str], sectors: Sequence[str]) -> Economy:
    """An economy with the regions and sectors that are named, all others added to the last of each."""
    region, sector = _places(economy.regions, regions), _places(economy.sectors, sectors)
    cell = (region[:, None] * len(sectors) + sector).ravel()
    return Economy(
        regions=tuple(regions),
        sectors=tuple(sectors),
        year=economy.year,
        transactions=sum_groups(economy.transactions, cell, cell),
        final_demand=sum_groups(economy.final_demand, cell, region),
        emissions=np.bincount(cell, economy.emissions).astype(np.float64),
    )


def _places(codes: Sequence[str], kept: Sequence[str]) -> Any:
    return np.array([kept.index(code) if code in kept else len(kept) - 1 for code in codes], dtype=np.intp)
