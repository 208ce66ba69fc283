"""A report is drawn by the page of the run's world."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from carbonray.report import ReportError, write_report


def run_of(folder: Path, world: object) -> Path:
    folder.mkdir()
    content = {"scenario": {"name": "mine"} | ({} if world is None else {"world": world})}
    (folder / "config.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


def test_another_world_has_its_own_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = ModuleType("negotiation_page")
    stub.write_negotiation_report = lambda folder: folder / "drawn.html"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "carbonray.report.negotiation_page", stub)
    folder = run_of(tmp_path / "run", "climate-negotiation")
    assert write_report(folder) == folder / "drawn.html"


@pytest.mark.parametrize("world", [None, "cbam"])
def test_the_main_world_is_meant_where_none_is_named(tmp_path: Path, world: str | None) -> None:
    with pytest.raises(ReportError, match=r"run/steps.parquet: is missing; a run directory has one$"):
        write_report(run_of(tmp_path / "run", world))


@pytest.mark.parametrize("world", ["mars", ["cbam"], 3])
def test_an_unknown_world_is_refused(tmp_path: Path, world: object) -> None:
    folder = run_of(tmp_path / "run", world)
    with pytest.raises(ReportError, match=r"run/config.yaml: world: unknown world .*; there are cbam, climate-"):
        write_report(folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"nowhere: no such run directory$"):
        write_report(tmp_path / "nowhere")
