"""The page of a prediction, and the folder that it stands in."""

import base64
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import pandas as pd

from carbonray.predict.prediction import Prediction
from carbonray.predict.quantities import unit_of
from carbonray.report import prediction_tables as tables
from carbonray.report import prediction_words as words
from carbonray.report.charts import Chart, LeftOut
from carbonray.report.html import plotly_js, template, write_page
from carbonray.report.page import Drawn
from carbonray.report.prediction_figures import DRAWERS, charts, level_words
from carbonray.report.tables import Table
from carbonray.runtime.outputs import whole_folder, write_config, write_json, write_table

ENDS = ("_low", "_high", "_simulated")
TOLD = ("leakage_rate", "leaked_mt", "foreign_increase_mt", "home_reduction_mt", "output_change")
RISKS = {
    "trade_exposure": "fraction", "cheapest_origin_charge": "fraction", "official_indicator": "kg CO2 / EUR of 2026",
    "cell": "region-sector",
}  # fmt: skip
"""Units of the ranking that its names do not tell."""


def write_prediction(found: Prediction, out: Path, *, year: int | None = None) -> Path:
    """Write a prediction into a new folder: its tables, prediction.json, the scenario, report.html and figures/*.png.

    Args:
        found: the prediction.
        out: a folder that does not exist.
        year: of the ranking of cells and plants; the last of the run if left out.

    Returns:
        The path of report.html.

    Raises:
        PredictError: if the year is not in the run.
        OutputError: if `out` exists or cannot be written.
    """
    year = int(found.years["year"].iloc[-1]) if year is None else year
    risks = found.risk(year), found.risk(year, plants=True)
    drawn = draw(charts(found), numbers(found))
    stills = {key: still for key, (_, still) in drawn.items() if still}
    page = render(found, year, risks, {key: item for key, (item, _) in drawn.items()})
    with whole_folder(out) as draft:
        for name in ("years", "sectors", "partners", "drivers", "nearest"):
            table: pd.DataFrame = getattr(found, name)
            write_table(table, draft / f"{name}.parquet", units=_units(found, table))
        for name, ranked in zip(("cells", "plants"), risks, strict=True):
            write_table(ranked.assign(year=year), draft / f"{name}.parquet", units=RISKS)
        write_json(found.to_dict(), draft / "prediction.json")
        write_config(found.scenario, draft / "config.yaml")
        write_page(draft, page, stills, drawn)
    return out / "report.html"


def numbers(found: Prediction) -> dict[str, Table]:
    """The table behind each figure."""
    return {
        "years": tables.by_year(found),
        "sectors": tables.by_place(found, "sectors"),
        "partners": tables.by_place(found, "partners"),
        "drivers": tables.drivers(found),
    }


def draw(found: Sequence[Chart | LeftOut], behind: Mapping[str, Table]) -> dict[str, tuple[Drawn | LeftOut, bytes]]:
    """Figures ready for a page with their PNG files, by key."""
    drawn: dict[str, tuple[Drawn | LeftOut, bytes]] = {}
    for item in found:
        if isinstance(item, LeftOut):
            drawn[item.key] = item, b""
            continue
        interactive, picture = DRAWERS[item.kind]
        still = picture(item)
        shown = "data:image/png;base64," + base64.b64encode(still).decode()
        one = Drawn(chart=item, still=shown, interactive=interactive(item), numbers=behind[item.key])
        drawn[item.key] = one, still
    return drawn


def render(
    found: Prediction, year: int, risks: tuple[pd.DataFrame, pd.DataFrame], drawn: Mapping[str, Drawn | LeftOut]
) -> str:
    """The page as HTML."""
    again, simulate = words.commands(found)
    page: str = template("prediction.html.j2").render(
        version=metadata.version("carbonray"),
        scenario=found.scenario,
        card=found.card,
        firms=found.firms,
        level=level_words(found),
        last=int(found.years["year"].iloc[-1]),
        flagged=found.flags.any,
        warnings=words.warnings(found),
        approximated=found.flags.approximated,
        lead=words.lead(found),
        cards=words.cards(found),
        meaning=words.meaning(found),
        key_figures=tables.key_figures(found),
        nearest=tables.nearest(found),
        cells=tables.cells(risks[0], year),
        plants=tables.plants(risks[1], year),
        again=again,
        simulate=simulate,
        drawn=drawn,
        charts={key: item.interactive for key, item in drawn.items() if isinstance(item, Drawn)},
        plotly_js=plotly_js(),
    )
    return page


def _units(found: Prediction, table: pd.DataFrame) -> dict[str, str]:
    """Of the columns of a table of a prediction."""
    layout = found.asked.model.layout
    units = dict(zip(layout.names, (bound.unit for bound in layout.bounds), strict=True))
    units |= dict.fromkeys(("prediction", "low", "high", "simulated"), "Mt CO2") if "prediction" in table else {}
    units |= {"year": "calendar year", "distance": "simulated ranges", "width": "share"}
    for name in map(str, table.columns):
        stem = next((name.removesuffix(end) for end in ENDS if name.endswith(end)), name)
        if stem.startswith(TOLD) or stem.endswith("_musd"):
            units[name] = "Mt CO2" if stem == "leaked_mt" else unit_of(stem)
    return units
