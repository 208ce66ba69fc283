"""What every HTML page shares: its templates, plotly in the page itself, and how it gets into its folder."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from carbonray.report.run_directory import ReportError


@cache
def template(name: str) -> Template:
    """A template of `report/templates`; a name that it does not get is an error."""
    environment = Environment(
        loader=PackageLoader("carbonray.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


@cache
def plotly_js() -> str:
    """The script of plotly, so that a page needs nothing from the network."""
    import plotly.offline

    offline: Any = plotly.offline
    return str(offline.get_plotlyjs())


def write_page(run_dir: Path, page: str, stills: Mapping[str, bytes], keys: Iterable[str]) -> Path:
    """Write report.html and figures/*.png, replacing earlier ones; the page appears whole or not at all.

    Args:
        run_dir: an existing folder.
        page: the HTML.
        stills: PNG files by figure.
        keys: every figure there could be; old pictures of those that are left out vanish.

    Raises:
        ReportError: if something cannot be written.
    """
    target = run_dir / "report.html"
    try:
        folder = run_dir / "figures"
        folder.mkdir(exist_ok=True)
        for key in keys:
            (folder / f"{key}.png").unlink(missing_ok=True)
        for key, content in stills.items():
            (folder / f"{key}.png").write_bytes(content)
        draft = run_dir / ".report.html.draft"
        draft.write_text(page, encoding="utf-8", newline="\n")
        draft.replace(target)
    except OSError as error:
        raise ReportError(f"{error.filename or target}: cannot be written ({error.strerror or error})") from None
    return target
