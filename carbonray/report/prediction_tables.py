"""The tables of a prediction, as text ready to print."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from carbonray.predict.prediction import Prediction
from carbonray.report.predicted_words import between, input_name, input_value, known, quantity_label
from carbonray.report.prediction_figures import KINDS, SPAN, level_words
from carbonray.report.tables import Table
from carbonray.report.wording import listed, megatonnes, number, percent, sector_label

PLANTS = 20
"""Rows of the ranking of plants."""


def key_figures(found: Prediction) -> Table:
    """Rates and tonnes over five and ten years."""
    rows = []
    for row in found.headlines.to_dict("records"):
        show = percent if "rate" in row["quantity"] else megatonnes
        cells = [show(known(row["prediction"])), between(row["low"], row["high"], show)]
        cells += [show(known(row["simulated"]))] if "simulated" in row else []
        rows.append((quantity_label(row["quantity"]), *cells))
    columns = ("Figure", "Predicted", _capital(level_words(found)), *_simulated(found))
    return Table(caption="Key figures", columns=columns, rows=tuple(rows), note="Five years end in 2030.")


def by_year(found: Prediction) -> Table:
    """The numbers of the fan, and tonnes."""
    rows = []
    for row in found.years.to_dict("records"):
        cells = [str(int(row["year"]))]
        for name in ("leakage_rate", "leakage_rate_cbam_goods", "foreign_increase_mt", "home_reduction_mt"):
            show = percent if "rate" in name else megatonnes
            cells += [show(known(row[name])), between(row[f"{name}_low"], row[f"{name}_high"], show)]
            cells += [show(known(row[f"{name}_simulated"]))] if f"{name}_simulated" in row else []
        rows.append(tuple(cells))
    parts = (level_words(found), *(each.lower() for each in _simulated(found)))
    heads = ("All goods", "CBAM goods", "Rise abroad", "Fall at home")
    columns = ("Year", *(one for head in heads for one in (head, *parts)))
    return Table(caption="Leakage rates and emissions by year", columns=columns, rows=tuple(rows))


def by_place(found: Prediction, key: str) -> Table:
    """The numbers of the bars."""
    kind, head, label = KINDS[key]
    table: pd.DataFrame = getattr(found, key)
    rows = []
    for row in table.to_dict("records"):
        cells = [megatonnes(row["prediction"], signed=True), between(row["low"], row["high"], megatonnes)]
        cells += [megatonnes(row["simulated"], signed=True)] if "simulated" in row else []
        rows.append((label(row[kind]), *cells))
    columns = (head, "Predicted", _capital(level_words(found)), *_simulated(found))
    return Table(caption=f"Change of emissions abroad over {SPAN}", columns=columns, rows=tuple(rows))


def drivers(found: Prediction) -> Table:
    """The numbers of the tornado, all drivers."""
    rows = tuple(
        (
            _capital(row["words"]),
            *(
                cell
                for end in ("low", "high")
                for cell in (row[end], percent(known(row[f"leakage_rate_{end}"])), megatonnes(row[f"leaked_mt_{end}"]))
            ),
        )
        for row in found.drivers.to_dict("records")
    )
    columns = ("Driver", *2 * ("Turned to", "Leakage", "Rise abroad"))
    return Table(caption=f"What each driver moves over {SPAN}", columns=columns, rows=rows)


def nearest(found: Prediction) -> Table:
    """The simulated runs that are most like it."""
    layout = found.asked.model.layout
    here = dict(zip(layout.names, found.case.row, strict=True))
    rows = []
    for at, row in enumerate(found.nearest.to_dict("records")):
        differs = [
            f"{input_name(name)} {input_value(layout, name, row[name])} (here {input_value(layout, name, here[name])})"
            for name in row["differs_in"].split(", ")
        ]
        rows.append(
            (
                str(at + 1),
                number(row["distance"], 2),
                percent(known(row["leakage_rate_10_years"])),
                percent(known(row["leakage_rate_10_years_cbam_goods"])),
                megatonnes(row["leaked_mt_10_years"]),
                megatonnes(row["home_reduction_mt_10_years"]),
                listed(differs),
            )
        )
    columns = ("Run", "Distance", "Leakage", "CBAM goods", "Rise abroad", "Fall at home", "Differs most in")
    note = (
        f"Simulated, not predicted; over {SPAN}. Distance counts every input in its simulated range, a path of many "
        "years as one: 0 is the same case, 1 one input at the other end."
    )
    return Table(caption="Nearest simulated runs", columns=columns, rows=tuple(rows), note=note)


def cells(table: pd.DataFrame, year: int) -> Table:
    """Cells at home, the one that leaks most first."""
    rows = tuple(
        (
            f"{row['rank']}. {sector_label(row['sector'])}",
            megatonnes(row["leaked_mt"], signed=True),
            percent(known(row["leakage_rate"])),
            percent(row["output_change_share"], signed=True),
            *_official(row),
            _capital(row["reason"]),
        )
        for row in table.to_dict("records")
    )
    columns = ("Sector", "Rise abroad", "Leakage", "Output", "Official indicator", "At risk in law", "Why")
    return Table(caption=f"Exposed sectors in {year}", columns=columns, rows=rows, note=INDICATOR)


def plants(table: pd.DataFrame, year: int) -> Table:
    """The plants that leak most."""
    rows = tuple(
        (
            f"{row['rank']}. {', '.join(part for part in (row['plant'], row['company'], row['country']) if part)}",
            sector_label(row["sector"]),
            f"{number(row['leaked_mt'], 3, signed=True)}\u00a0Mt",
            percent(row["output_change_share"], signed=True),
            *_official(row),
            _capital(row["reason"]),
        )
        for row in table.head(PLANTS).to_dict("records")
    )
    columns = ("Plant", "Sector", "Rise abroad", "Output", "Official indicator", "At risk in law", "Why")
    note = (
        f"The first {min(PLANTS, len(table))} of {len(table):,}. No forecast for a plant: it has the share of its "
        "sector's rise abroad that its carbon costs are of all such costs; its output is inferred from free allowances "
        "of past years."
    )
    return Table(caption=f"Exposed plants in {year}", columns=columns, rows=rows, note=note)


INDICATOR = (
    "Rise abroad in that year. The official indicator is trade intensity times kg CO2 per euro of value added "
    "(Directive 2003/87/EC, art. 10b), by the base year; above 0.2 a sector is at risk. The law looks at finer classes."
)


def _official(row: Mapping[Any, Any]) -> tuple[str, str]:
    return number(row["official_indicator"], 2), "yes" if row["official_at_risk"] else "no"


def _simulated(found: Prediction) -> tuple[str, ...]:
    return ("Simulated",) if found.simulated is not None else ()


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:].replace(" %", "\u00a0%")
