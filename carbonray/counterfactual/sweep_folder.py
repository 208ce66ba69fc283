"""The folder of a sweep: one file per finished run and dataset, written whole or not at all.

    manifest.json, scenarios/       what was asked
    results/run-000007.parquet      the figures of run 7, one row
    years/run-000007.parquet        the same run by year
    failures.json                   runs that failed when it last stopped

A run is finished once its file in `results` has its name; that in `years` got its own before.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Any

from carbonray.counterfactual.sweep_columns import Tables
from carbonray.counterfactual.sweep_manifest import MANIFEST, check_same, write_manifest
from carbonray.counterfactual.sweep_plan import Plan
from carbonray.data.arrow import parquet
from carbonray.runtime import outputs
from carbonray.runtime.outputs import OutputError

RESULTS, YEARS, FAILURES = "results", "years", "failures.json"
DRAFT = ".draft-"
"""What the name of a file starts with until it is whole; readers of Parquet datasets pass it over."""
MAGIC = b"PAR1"
"""First and last bytes of a whole Parquet file."""


def fresh_folder(world: str, parent: Path = Path("runs")) -> Path:
    """The first free `runs/WORLD-sweep-N`."""
    number = 1
    while (parent / f"{world}-sweep-{number}").exists():
        number += 1
    return parent / f"{world}-sweep-{number}"


def open_folder(plan: Plan, out: Path) -> None:
    """Make the folder of a sweep, or find the same sweep in it.

    Raises:
        OutputError: if it holds anything else, or cannot be written.
    """
    if out.exists():
        if not (out / MANIFEST).is_file():
            raise OutputError(f"{out}: exists already and holds no sweep; give a new name with --out")
        check_same(out, plan)
        return
    with outputs.whole_folder(out) as draft:
        write_manifest(plan, draft)
        for name in (RESULTS, YEARS):
            (draft / name).mkdir()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other sweeps out of a folder, and clear what a killed one left half-written.

    Raises:
        OutputError: if another one is at work in it, or it cannot be written.
    """
    with ExitStack() as held:
        with _writing(folder):
            _lock(folder, held.enter_context((folder / MANIFEST).open("r+b")))
            for name in (RESULTS, YEARS):
                (folder / name).mkdir(exist_ok=True)
                for draft in (folder / name).glob(f"{DRAFT}*"):
                    draft.unlink()
        yield


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """What the system refuses is one line."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from None


def _lock(folder: Path, manifest: Any) -> None:
    """Take the lock; it goes with the process, whatever ends that. A file system without locks is trusted."""
    try:
        flock(manifest, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"{folder}: another sweep is at work in it") from None
    except OSError:
        return


def part(folder: Path, dataset: str, number: int) -> Path:
    """The file of a run in a dataset."""
    return folder / dataset / f"run-{number:06}.parquet"


def finished(folder: Path, plan: Plan) -> list[int]:
    """Numbers of the runs that are there."""
    names = [{path.name for path in (folder / dataset).glob("run-*")} for dataset in (RESULTS, YEARS)]
    both = names[0] & names[1]
    parts = ((number, part(folder, RESULTS, number)) for number in range(plan.count))
    return [
        number for number, path in parts if path.name in both and _whole(path) and _whole(part(folder, YEARS, number))
    ]


def _whole(path: Path) -> bool:
    """Whether a file is there from its first to its last bytes."""
    try:
        with path.open("rb") as file:
            first = file.read(len(MAGIC))
            file.seek(-len(MAGIC), os.SEEK_END)
            return first == file.read() == MAGIC
    except OSError:
        return False


def keep(folder: Path, number: int, tables: Tables) -> None:
    """Write the tables of a run; that of `results` last, for it says that the run is finished.

    Raises:
        OutputError: if they cannot be written.
    """
    with _writing(folder):
        for dataset, table in ((YEARS, tables.years), (RESULTS, tables.results)):
            _write(table, part(folder, dataset, number))


def _write(table: Any, path: Path) -> None:
    """Write a file under another name, and give it its own when it is safe on the disk."""
    draft = path.with_name(f"{DRAFT}{path.name}")
    try:
        with draft.open("wb") as file:
            parquet.write_table(table, file, compression="zstd", use_dictionary=False, write_statistics=False)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Let a new name outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(folder: Path, dataset: str, numbers: Sequence[int], schema: Any) -> Any:
    """The rows of some runs as an Arrow table, in the order of their numbers."""
    if not numbers:
        return schema.empty_table()
    return parquet.read_table([part(folder, dataset, number) for number in numbers], schema=schema)


def write_failures(folder: Path, failures: Sequence[Mapping[str, Any]]) -> None:
    """Write failures.json, or clear that of an earlier try.

    Raises:
        OutputError: if it cannot be written.
    """
    path = folder / FAILURES
    draft = path.with_name(f"{DRAFT}{path.name}")
    with _writing(folder):
        if failures:
            outputs.write_json({"failures": list(failures)}, draft)
            draft.replace(path)
        else:
            path.unlink(missing_ok=True)
