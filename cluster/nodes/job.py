"""A run as a job on three nodes, which may lose one of them."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from nodes.cluster import Cluster, Failed

LONGEST = 300.0
"""Seconds that no stage takes unless something is wrong."""
WENT_ON = re.compile(r"note: (.+): (.+); made anew, went on from step (\d+)")
"""What a run says of shards that it lost."""


class Job:
    """The run on three nodes, from its submission to its end."""

    def __init__(self, cluster: Cluster, run: list[str], *, steps: int, folder: Path) -> None:
        """Submit a run, with a checkpoint at every step.

        Args:
            cluster: that runs it.
            run: words of carbonray.
            steps: that it has.
            folder: of its tables and checkpoints, which all nodes see.
        """
        self.place, self.log = folder / "checkpoints", folder / "logs" / "job.log"
        where = ["--on", "ray", "--checkpoint", str(self.place), "--every", "1"]
        self.steps = steps
        self.process = cluster.submit([*run, *where, "--out", str(folder / "three-nodes")])

    @property
    def step(self) -> int:
        """The step of the checkpoint that stands; -1 before there is one."""
        try:
            return int(json.loads((self.place / "COMMIT").read_bytes())["step"])
        except FileNotFoundError:
            return -1

    def until(self, met: Callable[[], bool], what: str) -> None:
        """Wait for something that must happen while the job runs.

        Raises:
            Failed: if the job is over before, or nothing happens.
        """
        end = time.monotonic() + LONGEST
        while not met():
            if self.process.poll() is not None:
                raise Failed(f"the job ended with exit code {self.process.returncode} before {what}")
            if time.monotonic() > end:
                raise Failed(f"it took more than {LONGEST:.0f} s until {what}")
            time.sleep(0.05)

    def finish(self) -> tuple[str, str, int]:
        """Wait for its end; which shards it says it lost, why, and to which step all returned.

        Raises:
            Failed: if it fails, or says nothing of that kind.
        """
        if code := wait(self.process, "the job"):
            raise Failed(f"the job ended with exit code {code}")
        told = WENT_ON.search(self.log.read_text(encoding="utf-8", errors="replace"))
        if told is None:
            raise Failed("the job lost no shards")
        return told[1], told[2], int(told[3])


def wait(process: "subprocess.Popen[bytes]", name: str) -> int:
    """The exit code of a process.

    Raises:
        Failed: if it does not end.
    """
    try:
        return process.wait(LONGEST)
    except subprocess.TimeoutExpired:
        raise Failed(f"{name} was not done after {LONGEST:.0f} s") from None
