"""What every HTML page shares: its templates, and plotly in the page itself."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


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
