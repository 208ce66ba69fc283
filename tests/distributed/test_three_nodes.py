"""`make cluster`: a node is cut off from a running job, whose bytes are those of one process; and it can fail."""

import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import three_nodes
from nodes import processes
from nodes.cluster import Failed
from nodes.tables import differing, digests
from three_nodes import Asked

SCRIPT = Path(three_nodes.__file__)
ORPHAN = """
import subprocess, sys
from nodes import processes

processes.adopt()
shell = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!"], stdout=subprocess.PIPE, text=True, start_new_session=True)
print(shell.stdout.readline())
shell.wait()
processes.end()
"""


@pytest.mark.slow
def test_a_node_is_lost_in_the_middle_and_the_bytes_are_those_of_one_process(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    kept = tmp_path / "kept"
    size = ["--firms", "1200", "--years", "3", "--shard", "400", "--keep", str(kept)]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *size], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("it held 1 of 3 actors", "given up after", "returned to step", "the dashboard answers 401"):
        assert said in done.stdout
    assert "same bytes: 7 tables" in done.stdout.splitlines()[-1]
    alone, three = digests(kept / "one-process"), digests(kept / "three-nodes")
    assert len(alone) == 7
    assert alone == three
    assert "job.log" in {each.name for each in (kept / "logs").iterdir()}


def run_folder(folder: Path, **tables: bytes) -> Path:
    folder.mkdir(parents=True)
    for name, content in tables.items():
        (folder / f"{name}.parquet").write_bytes(content)
    return folder


def test_a_changed_byte_and_a_table_that_lacks_are_seen(tmp_path: Path) -> None:
    one = digests(run_folder(tmp_path / "one", steps=b"abc", cells=b"def"))
    assert differing(one, digests(run_folder(tmp_path / "same", steps=b"abc", cells=b"def"))) == []
    assert differing(one, digests(run_folder(tmp_path / "byte", steps=b"abc", cells=b"deg"))) == ["cells"]
    assert differing(one, digests(run_folder(tmp_path / "lack", steps=b"abc"))) == ["cells"]
    assert differing({}, one) == ["cells", "steps"]


@pytest.mark.parametrize("tables", [{"steps": b"abd"}, {}])
def test_other_bytes_or_no_tables_are_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tables: dict[str, bytes]
) -> None:
    one = digests(run_folder(tmp_path / "one", **({"steps": b"abc"} if tables else {})))
    three = digests(run_folder(tmp_path / "three", **tables))
    for name in ("hosts", "up"):
        monkeypatch.setattr(three_nodes, name, lambda *asked, **options: nullcontext())
    monkeypatch.setattr(three_nodes, "run_alone", lambda *asked: one)
    monkeypatch.setattr(three_nodes, "run_on_three", lambda *asked: three)
    asked = Asked(firms=1200, years=3, shard="region", keep=None, loopback=False)
    with pytest.raises(Failed, match=r"^not the same bytes: (steps|there are no tables)$") as failed:
        three_nodes.show(asked, tmp_path, tmp_path)
    assert failed.value.code == 1


@pytest.mark.parametrize(
    "words",
    [["--years", "1"], ["--firms", "-5"], ["--shard", "0"], ["--shard", "401", "--firms", "1200"], ["--keep", "."]],
)
def test_bad_input_is_refused_before_anything_is_started(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        three_nodes.parse(words)
    assert stopped.value.code == 2
    assert f"error: {words[0]} {words[1]}: " in capsys.readouterr().err


def test_without_ray_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(three_nodes, "find_spec", lambda name: None)
    with pytest.raises(Failed, match=r"pip install 'carbonray\[ray\]'") as failed:
        three_nodes.check_prerequisites()
    assert failed.value.code == 2


def test_an_orphan_ends_too() -> None:
    """In a process of its own, for all that a process has started ends."""
    began: dict[str, Any] = {"capture_output": True, "text": True, "check": True, "timeout": 60}
    said = subprocess.run([sys.executable, "-c", ORPHAN], cwd=SCRIPT.parent, **began).stdout
    orphan = Path("/proc") / said.strip()
    deadline = time.monotonic() + 10
    while processes._parent(orphan) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not processes._parent(orphan)
