"""Memory of processes as Linux counts it: pages that are shared are counted in part (PSS) or not at all (USS)."""

import os
import re
from collections import defaultdict
from pathlib import Path

KINDS = {"rss": ("Rss",), "pss": ("Pss",), "uss": ("Private_Clean", "Private_Dirty", "Private_Hugetlb")}
"""Kind -> lines of smaps_rollup that add up to it."""


def memory_of(process: int, proc: Path = Path("/proc")) -> dict[str, float]:
    """MiB of a process: `rss`, `pss` and `uss`; zeros if it has ended or there is no such file system.

    Args:
        process: its number.
        proc: where the kernel tells of processes.
    """
    try:
        told = (proc / str(process) / "smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return dict.fromkeys(KINDS, 0.0)
    lines = {name: int(kib) for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", told, re.MULTILINE)}
    return {kind: sum(lines.get(name, 0) for name in names) / 1024 for kind, names in KINDS.items()}


def family(proc: Path = Path("/proc"), oldest: int | None = None) -> list[int]:
    """A process and all that it started, and what those started.

    Args:
        proc: where the kernel tells of processes.
        oldest: the first; this process if left out.
    """
    children: dict[int, list[int]] = defaultdict(list)
    for file in proc.glob("[0-9]*/stat"):
        try:
            told = file.read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        children[int(told.rpartition(")")[2].split()[1])].append(int(file.parent.name))
    found = [os.getpid() if oldest is None else oldest]
    for each in found:
        found.extend(children[each])
    return found
