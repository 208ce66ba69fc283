"""The parts of `bench runtime` that need no cluster."""

import copy
import io
import mmap
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from carbonray.data import load_economy
from carbonray.runtime.bench_runtime import plot_runtime, print_runtime
from carbonray.runtime.bench_runtime_faults import Killing
from carbonray.runtime.bench_runtime_memory import family, memory_of
from carbonray.runtime.bench_runtime_small import REGIONS, SECTORS, small_law, summed
from carbonray.runtime.bench_runtime_watch import Watch, equal_shards, in_process, law
from carbonray.runtime.placement import split

pytestmark = pytest.mark.slow  # left out of `make check`, which must stay under a minute

MEASURED: dict[str, Any] = {
    "machine": {
        "cores": 2,
        "processor": "a processor",
        "ray": "2.60.0",
        "torch": "2.9",
        "load_before": 0.1,
        "load_after": 2.0,
    },
    "barrier": [
        {
            "firms": 10_000,
            "worlds": 1,
            "actors": 8,
            "step_ms": 24.0,
            "payload_ms": 8.0,
            "bare_ms": 4.0,
            "step_cpu_ms": 40.0,
            "payload_cpu_ms": 12.0,
            "step_over_payload": 3.0,
            "step_over_bare": 6.0,
            "kb_to_all": 4.0,
            "kb_of_letters": 10.0,
            "shares": {
                "clear": 0.3,
                "merge": 0.1,
                "pack": 0.05,
                "firms": 0.15,
                "records": 0.01,
                "ray": 0.29,
                "rest": 0.1,
            },
        }
    ],
    "lone_firms": {
        "firms": 32,
        "actors": 32,
        "step_ms": 60.0,
        "step_ms_in_process": 2.0,
        "seconds_starting": 30.0,
        "mib_per_actor": {"rss": 300.0, "pss": 190.0, "uss": 180.0},
        "mib_in_all": 6000.0,
        "niceness": 15,
    },
    "recovery": [
        {
            "firms": 10_000,
            "actors": 8,
            "every": 10,
            "checkpoint_ms": 60.0,
            "checkpoint_mb": 19.0,
            "step_ms": 30.0,
            "steps_lost": 6,
            "seconds_to_next_step": 2.5,
            "seconds_to_catch_up": 2.9,
        }
    ],
    "rates": {
        "firms": 1_000_000,
        "cores": 2,
        "firm_steps_per_second": {"one_thread": 4.0e6, "threads": 5.0e6, "processes": 7.0e6, "ray": 6.0e6},
        "ray_over_process": 1.2,
        "ray_over_ceiling": 0.857,
    },
    "job": {
        "firms": 1_000_000,
        "steps": 100,
        "actors": 2,
        "firm_steps": 200_000_000,
        "seconds": 80.0,
        "seconds_building": 10.0,
        "seconds_starting": 10.0,
        "seconds_stepping": 60.0,
        "pss_mib_first_third": 4000.0,
        "pss_mib_last_third": 4004.0,
        "pss_mib_most": 4100.0,
        "growth": 0.001,
    },
    "scaling": {
        "firms": 10_000,
        "in_process_ms": 5.0,
        "rows": [
            {"raylets": 1, "shards": 1, "step_ms": 7.0},
            {"raylets": 1, "shards": 2, "step_ms": 8.0},
            {"raylets": 2, "shards": 2, "step_ms": 9.0},
        ],
    },
}


def printed(table: dict[str, Any]) -> str:
    out = io.StringIO()
    print_runtime(table, Console(file=out, width=160))
    return out.getvalue()


def line_of(text: str, part: str) -> str:
    return next(line for line in text.splitlines() if part in line)


def test_aims_and_figures_stand_side_by_side() -> None:
    text = printed(MEASURED)
    assert line_of(text, "same payload").count("met") == 1
    for part, aim, figure in (
        ("step over barrier", "at most 4", "3.00"),
        ("over the best of one process", "at least 0.8", "1.20"),
        ("200 million firm-steps", "under 120", "80"),
        ("last third over first", "flat", "+0.1%"),
    ):
        line = line_of(text, part)
        assert aim in line
        assert figure in line
        assert "met" in line
    assert "niceness 15" in text


@pytest.mark.parametrize(
    ("section", "key", "value", "part"),
    [
        ("rates", "ray_over_process", 0.7, "over the best of one process"),
        ("job", "seconds", 121.0, "200 million"),
        ("job", "growth", 0.05, "last third over first"),
    ],
)
def test_an_aim_that_is_missed_is_said_to_be(section: str, key: str, value: float, part: str) -> None:
    table = copy.deepcopy(MEASURED)
    table[section][key] = value
    assert "missed" in line_of(printed(table), part)


def test_a_smaller_job_claims_nothing() -> None:
    table = copy.deepcopy(MEASURED)
    table["job"] |= {"firm_steps": 8_000_000, "seconds": 3.0}
    line = line_of(printed(table), "8 million firm-steps")
    assert "smaller" in line
    assert "met" not in line


def test_costs_by_shards_are_listed_and_drawn(tmp_path: Path) -> None:
    rows = printed(MEASURED).split("Milliseconds a step of 10,000 firms by shards; in one process 5.0")[1]
    assert "7.0" in rows
    assert "9.0" in rows
    plot_runtime(MEASURED, tmp_path / "costs.png")
    assert (tmp_path / "costs.png").read_bytes().startswith(b"\x89PNG")


def test_the_kernels_figures_are_added_up(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    told = "00-ff ---p 00000000 00:00 0 [rollup]\nRss: 4096 kB\nPss: 3072 kB\nPss_Dirty: 9 kB\n"
    told += "Private_Clean: 1024 kB\nPrivate_Dirty: 1024 kB\n"
    (tmp_path / "7" / "smaps_rollup").write_text(told, encoding="ascii")
    assert memory_of(7, tmp_path) == {"rss": 4.0, "pss": 3.0, "uss": 2.0}
    assert memory_of(8, tmp_path) == {"rss": 0.0, "pss": 0.0, "uss": 0.0}


def test_a_family_is_a_process_with_all_that_it_started(tmp_path: Path) -> None:
    for process, parent in ((1, 0), (10, 1), (11, 10), (12, 11), (20, 1)):
        (tmp_path / str(process)).mkdir()
        (tmp_path / str(process) / "stat").write_text(f"{process} (a (b) c) S {parent} 0 0", encoding="ascii")
    assert sorted(family(tmp_path, oldest=10)) == [10, 11, 12]


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux tells it there")
def test_memory_that_a_process_fills_is_seen() -> None:
    before = memory_of(os.getpid())
    with mmap.mmap(-1, 64 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:  # not from freed memory
        np.frombuffer(held, np.uint8)[:] = 1
        after = memory_of(os.getpid())
    for kind in ("rss", "pss", "uss"):
        assert 60 < after[kind] - before[kind] < 100


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="Linux tells it there")
def test_a_child_of_this_process_is_in_its_family() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert {os.getpid(), child.pid} <= set(family())
        child.kill()
    assert child.pid not in family()


def test_a_summed_economy_is_as_large_and_in_balance() -> None:
    whole = load_economy("world-2011")
    small = summed(whole, REGIONS, SECTORS)
    assert small.transactions.shape == (4, 4)
    assert small.final_demand.shape == (4, 2)
    np.testing.assert_allclose(small.emissions.sum(), whole.emissions.sum())
    np.testing.assert_allclose(small.transactions.sum(), whole.transactions.sum())
    home = [number for number, (region, _) in enumerate(whole.places) if region == "EU26"]
    np.testing.assert_allclose(small.output[:2].sum(), whole.output[home].sum())
    assert (small.value_added > 0).all()


def test_a_watch_tells_the_steps_after_it_has_settled() -> None:
    watch = Watch(stamps=[0.0, 5.0, 6.0, 6.25])
    assert watch.milliseconds(settled=1) == [1000.0, 250.0]
    assert watch.milliseconds(settled=3) == []


def test_equal_shards_are_as_many_as_asked_for() -> None:
    world = law(1_001, 4).worlds[0]
    sizes = [len(each.ids["firm"]) for each in split(world, equal_shards(1_001, 8), cores=2)]
    assert len(sizes) == 8
    assert max(sizes) == 126


def test_both_worlds_of_a_play_are_stepped_to_its_end() -> None:
    play = law(1_000, 6, reference=True)
    assert len(play.worlds) == 2
    assert len(in_process(play, 1).stamps) == 6


def test_thirty_two_firms_fit_the_small_economy() -> None:
    play = small_law(32, 5)
    assert play.worlds[0].roles["firm"].count == 32
    assert len(in_process(play, 1).stamps) == 5


def test_a_loss_is_counted_from_the_last_step_told_to_the_first_told_again() -> None:
    watch = Killing(members=None, at=4)  # type: ignore[arg-type]
    watch.done = [1, 2, 3, 4, 5, 3, 4, 5, 6]
    watch.stamps = [1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 10.0, 11.0, 12.0]
    watch.killed = 4
    assert watch.told() == {
        "killed_at_step": 4,
        "steps_lost": 2,
        "seconds_to_next_step": 5.0,
        "seconds_to_catch_up": 8.0,
    }
