"""The tables of `bench runtime` on the terminal, aims and figures side by side."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table

RATIO, SHARE, SECONDS, GROWTH = 4.0, 0.8, 120.0, 0.02
"""Aims: step over barrier, rate over that of one process, seconds of a job, growth of its memory."""
LONG = 200_000_000
"""Firm-steps of the job that the aims speak of."""


def print_runtime(table: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what was measured.

    Args:
        table: what `bench_runtime` gave.
        console: the terminal, if left out.
    """
    console = console or Console(width=160)
    told = table["machine"]
    console.print(
        f"{told['cores']} cores ({told['processor']}), ray {told['ray']}, torch {told['torch']}; load "
        f"{told['load_before']:.1f} before, {told['load_after']:.1f} after. Ray's workers run at niceness "
        f"{table['lone_firms']['niceness']}: whatever else runs on the cores goes first."
    )
    for shown in (
        _aims(table),
        _listed(
            "A step beside its exchange without the work, and beside a bare barrier; medians; CPU of all actors, "
            "KB said by one",
            BARRIER,
            table["barrier"],
        ),
        _shares(table["barrier"]),
        _rates(table["rates"]),
        _lone(table["lone_firms"]),
        _job(table["job"]),
        _scaling(table["scaling"]),
        _listed("Checkpoints, and an actor killed in the middle between two", RECOVERY, table["recovery"]),
    ):
        console.print(shown)


def _table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Group:
    """A table below its title, which may be wider."""
    shown = Table()
    for place, heading in enumerate(headings):
        shown.add_column(heading, justify="right" if place else "left")
    for row in rows:
        shown.add_row(*row)
    return Group("", title, shown)


def _aims(table: Mapping[str, Any]) -> Group:
    first, rates, job = table["barrier"][0], table["rates"], table["job"]
    ratio, share = first["step_over_payload"], rates["ray_over_process"]
    size = f"{job['firm_steps'] / 1e6:,.0f} million firm-steps"
    rows = [
        (
            f"{first['actors']} actors, {first['firms']:,} firms: step over barrier with the same payload",
            f"at most {RATIO:g}",
            f"{ratio:.2f}",
            _word(met=ratio <= RATIO),
        ),
        (
            f"{rates['cores']} actors, {rates['firms']:,} firms: rate over the best of one process",
            f"at least {SHARE:g}",
            f"{share:.2f}",
            _word(met=share >= SHARE),
        ),
        (
            f"{size} in one job, seconds",
            f"under {SECONDS:g}",
            f"{job['seconds']:.0f}",
            _word(met=job["seconds"] < SECONDS) if job["firm_steps"] >= LONG else "smaller",
        ),
        ("its memory, last third over first", "flat", f"{job['growth']:+.1%}", _word(met=job["growth"] < GROWTH)),
    ]
    return _table("Aims", ("figure", "aim", "measured", ""), rows)


def _word(*, met: bool) -> str:
    return "met" if met else "missed"


BARRIER = (
    ("firms", "firms", ",d"),
    ("worlds", "worlds", "d"),
    ("actors", "actors", "d"),
    ("step ms", "step_ms", ".1f"),
    ("same payload ms", "payload_ms", ".1f"),
    ("bare barrier ms", "bare_ms", ".1f"),
    ("step / payload", "step_over_payload", ".2f"),
    ("step / bare", "step_over_bare", ".1f"),
    ("CPU ms of step", "step_cpu_ms", ".1f"),
    ("of payload", "payload_cpu_ms", ".1f"),
    ("KB to all", "kb_to_all", ".1f"),
    ("of letters", "kb_of_letters", ".1f"),
)
RECOVERY = (
    ("firms x 2", "firms", ",d"),
    ("actors", "actors", "d"),
    ("step ms", "step_ms", ".1f"),
    ("checkpoint ms", "checkpoint_ms", ".0f"),
    ("MB", "checkpoint_mb", ".1f"),
    ("every", "every", "d"),
    ("steps lost", "steps_lost", "d"),
    ("s to the next step", "seconds_to_next_step", ".1f"),
    ("s to catch up", "seconds_to_catch_up", ".1f"),
)
"""Heading, key and format of each column."""


def _listed(title: str, columns: Sequence[tuple[str, str, str]], rows: Sequence[Mapping[str, Any]]) -> Group:
    """A table with a row for each of what was measured."""
    headings = [heading for heading, _, _ in columns]
    return _table(title, headings, ([format(row[key], style) for _, key, style in columns] for row in rows))


def _shares(rows: Sequence[Mapping[str, Any]]) -> Group:
    parts = {
        "clear": "replicated clearing", "merge": "merging", "pack": "packing", "firms": "firms", "records": "records",
        "ray": "Ray in the actors", "rest": "caller, raylet, waiting",
    }  # fmt: skip
    return _table(
        "Where the cores' time of such a step goes: CPU time of all actors over cores x step",
        ("actors", "worlds", *parts.values()),
        ((str(row["actors"]), str(row["worlds"]), *(f"{row['shares'][name]:.0%}" for name in parts)) for row in rows),
    )


def _rates(rates: Mapping[str, Any]) -> Group:
    cores, found = rates["cores"], rates["firm_steps_per_second"]
    names = {
        "one_thread": "one process, 1 torch thread",
        "threads": f"one process, {cores} torch threads",
        "processes": f"{cores} processes without exchange, an equal share each: the ceiling",
        "ray": f"Ray, {cores} actors",
    }
    return _table(
        f"Firm-steps per second, {rates['firms']:,} firms",
        ("", "million a second", "Ray over it"),
        (
            (label, f"{found[name] / 1e6:.2f}", f"{found['ray'] / found[name]:.2f}")
            for name, label in names.items()
        ),
    )  # fmt: skip


def _lone(lone: Mapping[str, Any]) -> Group:
    held = lone["mib_per_actor"]
    rows = [
        ("milliseconds a step", f"{lone['step_ms']:.1f}"),
        ("the same in one process", f"{lone['step_ms_in_process']:.1f}"),
        ("seconds to start", f"{lone['seconds_starting']:.1f}"),
        ("MiB an actor, resident (RSS)", f"{held['rss']:.0f}"),
        ("MiB an actor, shared pages in part (PSS)", f"{held['pss']:.0f}"),
        ("MiB an actor, its own alone (USS)", f"{held['uss']:.0f}"),
        ("MiB of all actors (PSS)", f"{lone['mib_in_all']:,.0f}"),
    ]
    return _table(f"{lone['firms']} firms as {lone['actors']} actors, 2 regions x 2 sectors", ("", "measured"), rows)


def _job(job: Mapping[str, Any]) -> Group:
    rows = [
        ("seconds in all", f"{job['seconds']:.1f}"),
        ("of these building the worlds", f"{job['seconds_building']:.1f}"),
        ("of these starting the actors, to the first step", f"{job['seconds_starting']:.1f}"),
        ("of these stepping", f"{job['seconds_stepping']:.1f}"),
        ("million firm-steps a second while stepping", f"{job['firm_steps'] / job['seconds_stepping'] / 1e6:.2f}"),
        ("MiB of caller, actors and cluster (PSS), first third", f"{job['pss_mib_first_third']:,.0f}"),
        ("last third", f"{job['pss_mib_last_third']:,.0f}"),
        ("most", f"{job['pss_mib_most']:,.0f}"),
    ]
    title = f"One job: {job['firms']:,} firms x {job['steps']} steps, run and reference, {job['actors']} actors"
    return _table(title, ("", "measured"), rows)


def _scaling(scaling: Mapping[str, Any]) -> Group:
    shards = sorted({row["shards"] for row in scaling["rows"]})
    found = {(row["raylets"], row["shards"]): f"{row['step_ms']:.1f}" for row in scaling["rows"]}
    return _table(
        f"Milliseconds a step of {scaling['firms']:,} firms by shards; in one process {scaling['in_process_ms']:.1f}",
        ("raylets", *(f"{number} shards" if number > 1 else "1 shard" for number in shards)),
        (
            (str(raylets), *(found.get((raylets, number), "") for number in shards))
            for raylets in sorted({row["raylets"] for row in scaling["rows"]})
        ),
    )
