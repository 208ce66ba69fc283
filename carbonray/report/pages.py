"""The page of each world: which function draws the report of a run directory."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from carbonray.config_worlds import MAIN
from carbonray.report.run_directory import ReportError, read_config

PAGES: Mapping[str, tuple[str, str]] = {
    "cbam": ("carbonray.report.page", "write_cbam_report"),
    "climate-negotiation": ("carbonray.report.negotiation_page", "write_negotiation_report"),
}
"""World -> module, imported when first needed, and function."""
TRAINING = "training.json"
"""What a folder of a training has, and no other."""
FRONTIER = "frontier.json"
"""What a folder of a frontier has, and no other."""


def write_report(run_dir: Path, *others: Path, out: Path | None = None) -> Path:
    """Write report.html and figures/*.png into a folder of a run, training or frontier, replacing earlier ones.

    Args:
        run_dir: the folder.
        others: folders of trainings, if the first one is such a folder: all on one page, in a folder of its own.
        out: that folder; runs/trainings-N if left out.

    Returns:
        The path of report.html.

    Raises:
        ReportError: if a file of the run is missing or malformed, or the report cannot be written; one line naming it.
        OutputError: if `out` exists or cannot be written.
    """
    if others or out is not None or (run_dir / TRAINING).exists():
        from carbonray.report.training_page import write_training_report

        return write_training_report((run_dir, *others), out)
    if (run_dir / FRONTIER).exists():
        from carbonray.report.frontier_page import write_frontier_report

        return write_frontier_report(run_dir)
    if not run_dir.is_dir():
        raise ReportError(f"{run_dir}: no such run directory")
    path = run_dir / "config.yaml"
    world = read_config(path)["scenario"].get("world", MAIN)
    if world not in tuple(PAGES):
        raise ReportError(f"{path}: world: unknown world {world}; there are {', '.join(PAGES)}")
    module, function = PAGES[world]
    written: Path = getattr(import_module(module), function)(run_dir)
    return written
