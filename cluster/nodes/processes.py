"""Processes that this process has started, directly or not: found, killed, and none but them."""

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

ENDING = 15.0
"""Seconds in which processes that were killed must be gone."""
SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""


def adopt() -> None:
    """Whose parent dies becomes a child of this process, so that nothing of it is ever lost sight of."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


def descendants(pid: int) -> list[int]:
    """Processes that a process has started, and those that they have; dead ones are left out."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (parent := _parent(entry)):
            children.setdefault(parent, []).append(int(entry.name))
    found, ahead = [], [pid]
    while ahead:
        new = children.get(ahead.pop(), [])
        found += new
        ahead += new
    return found


def _parent(entry: Path) -> int:
    """The parent of a process, 0 if it is dead."""
    try:
        state, parent, *_ = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (OSError, ValueError):
        return 0
    return 0 if state in "ZX" else int(parent)


def kill(pids: list[int]) -> None:
    """Kill processes; those that are gone already do not matter."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def end() -> None:
    """Kill all that this process has started, until nothing of it is left."""
    deadline = time.monotonic() + ENDING
    while (left := descendants(os.getpid())) and time.monotonic() < deadline:
        kill(left)
        time.sleep(0.05)


def start(command: list[str], log: Path, variables: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start a command whose words go to a log; Ctrl-C is for its caller, who ends it."""
    with log.open("wb") as file:
        return subprocess.Popen(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
