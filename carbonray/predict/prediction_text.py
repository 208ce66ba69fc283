"""A prediction in words."""

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from carbonray.predict.prediction import Prediction

WORDS = {
    "leakage_rate_10_years": "leakage, all goods, 10 years",
    "leakage_rate_10_years_cbam_goods": "leakage, CBAM goods, 10 years",
    "leakage_rate_5_years": "leakage, all goods, 5 years",
    "leakage_rate_5_years_cbam_goods": "leakage, CBAM goods, 5 years",
    "leaked_mt_10_years": "emissions abroad, 10 years",
    "leaked_mt_10_years_cbam_goods": "of CBAM goods",
    "home_reduction_mt_10_years": "fall at home, 10 years",
    "home_reduction_mt_10_years_cbam_goods": "of CBAM goods",
}
FEW = 5
"""Rows of a table that are printed."""


def prediction_lines(found: "Prediction") -> list[str]:
    """Headlines, years, where emissions go, what moves them, and how far it may be trusted."""
    flags = found.flags
    span = f"{100 * found.answers.level:.0f} % interval"
    firms = f"firms that {found.firms}"
    lines = [f"{found.scenario.name}: predicted, with the {span} of what the simulation of {firms} would say", ""]
    if flags.any:
        lines = warning_lines(found)
    lines += [_line(row) for row in _rows(found.headlines)]
    lines += ["", f"{'year':6}{'leakage':>10}{span:>24}{'CBAM goods':>12}{span:>24}{'abroad, Mt':>12}"]
    lines += [_year(row) for row in _rows(found.years)]
    places = zip(_largest(found.sectors, "sector"), _largest(found.partners, "partner"), strict=True)
    lines += ["", "where emissions rise and fall most, Mt over 10 years", *(f"  {a:<38}{b}" for a, b in places)]
    lines += ["", "what would move leakage over 10 years most, each turned alone from end to end"]
    for row in _rows(found.drivers.head(FEW)):
        ends = [f"{_percent(row[f'leakage_rate_{end}'])} ({row[end]})" for end in ("low", "high")]
        lines.append(f"  {row['words']:<40}{' to '.join(ends)}")
    lines += ["", "nearest simulated runs"]
    for row in _rows(found.nearest.head(3)):
        rate = _percent(row["leakage_rate_10_years"])
        lines.append(f"  economy {int(row['economy'])}: {rate}; differs most in {row['differs_in']}")
    lines += [f"note: {line}" for line in flags.approximated]
    return lines


def warning_lines(found: "Prediction") -> list[str]:
    """Why a prediction may not be relied upon; nothing where it may."""
    if not found.flags.any:
        return []
    return [
        f"{found.scenario.name}: NOT SIMULATED LIKE THIS; what follows is a guess without intervals",
        f"  it stands for firms that {found.firms}",
        *(f"  {line}" for line in found.flags.lines()),
        "  run it: carbonray simulate, or predict --check",
        "",
    ]


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _line(row: dict[str, Any]) -> str:
    show = _percent if "rate" in row["quantity"] else _mt
    line = f"{WORDS[row['quantity']]:<34}{show(row['prediction']):>12}{_between(row['low'], row['high'], show):>26}"
    return f"{line}   simulated {show(row['simulated'])}" if "simulated" in row else line


def _year(row: dict[str, Any]) -> str:
    parts = [f"{int(row['year'])}"]
    for name in ("leakage_rate", "leakage_rate_cbam_goods"):
        width = 10 if name == "leakage_rate" else 12
        parts += [
            f"{_percent(row[name]):>{width}}",
            f"{_between(row[f'{name}_low'], row[f'{name}_high'], _percent):>24}",
        ]
    return f"{parts[0]:6}{''.join(parts[1:])}{_mt(row['foreign_increase_mt']):>12}"


def _largest(table: pd.DataFrame, kind: str) -> list[str]:
    """The rows that move most, up or down."""
    order = table["prediction"].abs().sort_values(ascending=False, kind="stable").index[:FEW]
    rows = _rows(table.loc[order])
    return [f"{row[kind]:<5}{_mt(row['prediction']):>10}{_between(row['low'], row['high'], _mt):>22}" for row in rows]


def _between(low: float | None, high: float | None, show: Any) -> str:
    missing = low is None or high is None or pd.isna(low) or pd.isna(high)
    return "" if missing else f"{show(low)} to {show(high)}"


def _percent(value: float | None) -> str:
    return "undefined" if value is None or pd.isna(value) else f"{100 * value:.1f} %"


def _mt(value: float | None) -> str:
    return "unknown" if value is None or pd.isna(value) else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def risk_lines(table: pd.DataFrame, top: int) -> list[str]:
    """A ranking of cells or plants."""
    lines = []
    for row in _rows(table.head(top)):
        name = row.get("plant") or row["cell"]
        official = "on the official measure" if row["official_at_risk"] else "not on the official measure"
        lines.append(f"{int(row['rank']):>4}  {name!s:<44.44}{row['leaked_mt']:>8.3f} Mt  {official}")
        lines.append(f"      {row['reason']}")
    return lines
