"""Three nodes on one machine: a job loses one of them in the middle, and ends with the bytes of one process.

python cluster/three_nodes.py --firms 100000 --years 10 --keep FOLDER
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from nodes import processes
from nodes.cluster import Cluster, Failed, carbonray_here, last_lines
from nodes.hosts import NAMES, Hosts, hosts
from nodes.job import Job, wait
from nodes.tables import differing, digests, print_digests

FEWEST = 960
"""Firms of the economy, five in each of its cells."""
BEFORE = 3
"""The step whose checkpoint stands before a node is cut off."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a user asks for."""

    firms: int
    years: int
    shard: str
    keep: Path | None
    loopback: bool

    @property
    def run(self) -> list[str]:
        """The run, as words of carbonray."""
        size = ["--firms", str(self.firms), "--years", str(self.years)]
        return ["simulate", "law", *size, "--no-robust", "--uncertainty", "0"]


def parse(words: list[str] | None) -> Asked:
    """Read the command line; bad input ends with exit code 2."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--firms", type=int, default=300_000, help="of the economy [%(default)s]")
    parser.add_argument("--years", type=int, default=10, help="of four steps each [%(default)s]")
    parser.add_argument("--shard", default="region", help="region, or firms of each actor [%(default)s]")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep tables, checkpoints and logs in a new folder")
    parser.add_argument("--loopback", action="store_true", help="no network namespaces, as without root")
    asked = Asked(**vars(parser.parse_args(words)))
    if asked.firms < FEWEST:
        parser.error(f"--firms {asked.firms}: give at least {FEWEST}")
    if asked.years < 2:
        parser.error(f"--years {asked.years}: give at least 2, for a node is cut off in the first")
    most = asked.firms // len(NAMES)
    if asked.shard != "region" and not (asked.shard.isdecimal() and 0 < int(asked.shard) <= most):
        parser.error(f"--shard {asked.shard}: give region, or at most {most}, for each node must have a shard")
    if asked.keep is not None and asked.keep.exists() and not _empty(asked.keep):
        parser.error(f"--keep {asked.keep}: something is there already; give a new folder")
    return asked


def _empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


class Clock:
    """Says what happens, and when."""

    def __init__(self) -> None:
        self.begun = time.monotonic()

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.begun

    def say(self, line: str) -> None:
        """Print a line with the time."""
        print(f"{self.now:6.1f} s  {line}", flush=True)


def run_alone(asked: Asked, folder: Path, clock: Clock) -> dict[str, str]:
    """Digests of the run in one process, which refuses bad input before any node is started.

    Raises:
        Failed: if it fails.
    """
    clock.say(f"one process: carbonray {' '.join(asked.run)} --on process")
    words = [*asked.run, "--on", "process", "--out", str(folder / "one-process")]
    log = folder / "logs" / "one-process.log"
    alone = processes.start([sys.executable, "-m", "carbonray.cli", *words], log, carbonray_here())
    if code := wait(alone, "one process"):
        raise Failed("; ".join(last_lines(log, 1)) or "one process failed", code=2 if code == 2 else 1)
    return digests(folder / "one-process")


def run_on_three(asked: Asked, cluster: Cluster, folder: Path, clock: Clock) -> dict[str, str]:
    """Digests of the run on three nodes, one of which is cut off.

    Raises:
        Failed: if the node was not cut off while the job ran, or the job did not bear it.
    """
    job = Job(cluster, [*asked.run, "--shard", asked.shard], steps=4 * asked.years, folder=folder)
    clock.say(f"job submitted: --on ray --shard {asked.shard} --every 1")
    job.until(lambda: job.step >= BEFORE, "a node could be cut off")
    lose_one(job, cluster, clock)
    shards, said, step = job.finish()
    clock.say(f"job done; it says: {shards}: {said}; returned to step {step}")
    return digests(folder / "three-nodes")


def lose_one(job: Job, cluster: Cluster, clock: Clock) -> None:
    """Cut off the worker with most shards, and wait until the run goes on without it.

    Raises:
        Failed: if no worker has any, or the job is over before it goes on.
    """
    shards = cluster.shards()
    number = max(range(1, len(NAMES)), key=shards.__getitem__)
    if not shards[number]:
        raise Failed("no worker has a shard of the run")
    cluster.cut_off(number)
    cut, name = clock.now, f"{NAMES[number]} ({cluster.hosts.addresses[number]})"
    held = f"it held {shards[number]} of {sum(shards)} actors"
    clock.say(f"{name} cut off at step {job.step} of {job.steps}: {cluster.hosts.cutting}; {held}")
    job.until(lambda: cluster.state(number) == "DEAD", f"{name} was given up")
    stands = job.step
    clock.say(f"{name} given up after {clock.now - cut:.1f} s; the checkpoint of step {stands} stands")
    job.until(lambda: job.step > stands, "it went on")
    clock.say(f"going on {clock.now - cut:.1f} s after the cut: actors {per_node(cluster.shards())}")


def per_node(shards: list[int]) -> str:
    """How many shards each node has, in words."""
    return ", ".join(f"{number} on {name}" for name, number in zip(NAMES, shards, strict=True))


@contextmanager
def up(found: Hosts, temporary: Path, folder: Path, clock: Clock) -> Iterator[Cluster]:
    """The cluster, up; the ends of its logs where something fails."""
    clock.say(f"{found.kind}: {', '.join(sorted(set(found.addresses)))}")
    cluster = Cluster(found, temporary, folder / "logs")
    try:
        cluster.wait_until_up()
        status = cluster.ask("without token")["status"]
        clock.say(f"head and two workers up; without the token of this run the dashboard answers {status}")
        yield cluster
    except Failed:
        for log in [folder / "logs" / f"{name}.log" for name in (*NAMES, "job")]:
            print("\n".join([f"--- {log.name}", *last_lines(log)]), file=sys.stderr)
        raise
    finally:
        if folder != temporary:
            cluster.keep_logs()


def show(asked: Asked, temporary: Path, folder: Path) -> None:
    """Run once alone and once on three nodes, and compare.

    Raises:
        Failed: if not all tables have the same bytes, or anything else is not as it must be.
    """
    clock = Clock()
    try:
        (folder / "logs").mkdir(parents=True)
    except OSError as error:
        raise Failed(f"--keep {folder}: cannot be written ({error.strerror})", code=2) from None
    alone = run_alone(asked, folder, clock)
    with hosts(loopback=asked.loopback) as found, up(found, temporary, folder, clock) as cluster:
        three = run_on_three(asked, cluster, folder, clock)
    clock.say("all processes ended" + ("" if asked.keep is None else f"; tables and logs are in {folder}"))
    print_digests(alone, three)
    differ = differing(alone, three) if alone or three else ["there are no tables"]
    if differ:
        raise Failed(f"not the same bytes: {', '.join(differ)}")
    clock.say(f"same bytes: {len(alone)} tables")


def check_prerequisites() -> None:
    """Refuse to begin where something is missing.

    Raises:
        Failed: naming it.
    """
    if find_spec("ray") is None:
        raise Failed("Ray is not installed here: pip install 'carbonray[ray]'", code=2)
    if not sys.platform.startswith("linux"):
        raise Failed("this needs Linux, to find and end the processes of a node", code=2)


def stop(number: int, frame: object) -> NoReturn:
    """End as by Ctrl-C: with all that was started."""
    raise KeyboardInterrupt


def main(words: list[str] | None = None) -> int:
    """Show it; 0 if all bytes are the same and a node was cut off, 1 if not, 2 for bad input, 130 after Ctrl-C."""
    asked = parse(words)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    temporary = Path(tempfile.mkdtemp(prefix="three-", dir="/tmp"))  # short, for the sockets in it
    try:
        check_prerequisites()
        show(asked, temporary, asked.keep.absolute() if asked.keep else temporary)
    except Failed as error:
        print(f"three nodes: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("three nodes: interrupted", file=sys.stderr)
        return 130
    finally:
        processes.end()
        shutil.rmtree(temporary, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
