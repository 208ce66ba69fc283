"""The plants and companies that a policy costs most: a figure of the foremost plants, and two tables."""

import pandas as pd

from carbonray.report.charts import BLUE, GREEN, ORANGE, PURPLE, RED, Chart, LeftOut
from carbonray.report.run_directory import Run
from carbonray.report.tables import Table
from carbonray.report.wording import number, percent, sector_label

MOST = 10
COLOURS = (RED, BLUE, GREEN, ORANGE, PURPLE)
NOTE = (
    "Net carbon cost: carbon price paid less free allowances, plus border charge, million USD of 2011, and its share "
    "of the value of output. It is no forecast for a plant: output is inferred from the free allocation of 2005-2022, "
    "output and emissions are scaled so that plants hold at most 95 % of their cell, all plants of a cell abate "
    "alike, power bought and waste gases burnt elsewhere are not in, and owners may have changed."
)


def foremost(table: pd.DataFrame | None) -> pd.DataFrame:
    """The most exposed rows of the last year, first first."""
    if table is None or table.empty:
        return pd.DataFrame()
    last = table[table["year"] == table["year"].max()]
    first: pd.DataFrame = last.sort_values("rank", kind="stable").head(MOST)
    return first.reset_index(drop=True)


def chart(run: Run) -> Chart | LeftOut:
    """Net carbon cost of the most exposed plants."""
    rows = foremost(run.plants)
    if rows.empty:
        reason = "this run names no plants; --plants makes EU ETS installations firms of their cells"
        return LeftOut(key="exposed", title="The most exposed plants", reason=reason)
    sectors = list(dict.fromkeys(sector_label(sector) for sector in rows["sector"]))
    data = pd.DataFrame(
        {
            "label": [_short(_named(str(row.plant), str(row.company))) for row in rows.itertuples()],
            "series": [sector_label(sector) for sector in rows["sector"]],
            "value": rows["net_carbon_cost_musd"].to_numpy(dtype=float),
        }
    )
    first = rows.iloc[0]
    return Chart(
        key="exposed",
        kind="bars",
        data=data,
        title=f"In {int(first['year'])} {_named(first['plant'], first['company'])} pays most for its carbon: "
        f"{number(float(first['net_carbon_cost_musd']), 0)} million USD net",
        caption=f"Net carbon cost of the {len(rows)} most exposed of {run.plants_named} plants. {NOTE}",
        x_title="Net carbon cost (million USD of 2011 a year)",
        colours=dict(zip(sectors, COLOURS, strict=False)),
    )


def plants(run: Run) -> Table | None:
    """The most exposed plants."""
    return _table(foremost(run.plants), "Most exposed plants", ("Plant (company)", "plant"), ("Country", "country"))


def companies(run: Run) -> Table | None:
    """The most exposed companies."""
    return _table(foremost(run.companies), "Most exposed companies", ("Company", "company"), ("Plants", "plants"))


def _table(rows: pd.DataFrame, caption: str, name: tuple[str, str], place: tuple[str, str]) -> Table | None:
    if rows.empty:
        return None
    cells = tuple(
        (
            _named(str(row["plant"]), str(row["company"])) if name[1] == "plant" else str(row["company"]),
            str(row[place[1]]),
            number(row["emissions_t"] / 1e6, 2),
            number(row["free_allocation_t"] / 1e6, 2),
            number(row["net_carbon_cost_musd"], 1),
            percent(row["cost_share"]),
            percent(row["output_change_share"], signed=True),
        )
        for row in rows.to_dict("records")
    )
    columns = (
        name[0], place[0], "Emitted, Mt a year", "Allocated free, Mt a year", "Net cost, million USD", "of output",
        "Output",
    )  # fmt: skip
    year = int(rows["year"].iloc[0])
    note = f"Emissions and allocation as last observed; costs in {year}; output against the reference."
    return Table(caption=caption, columns=columns, rows=cells, note=note)


def _named(plant: str, company: str) -> str:
    """A plant with its company, unless its name holds it."""
    return plant if not company or company.casefold() in plant.casefold() else f"{plant} ({company})"


def _short(name: str, most: int = 40) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
