"""Why a row misses, in words: what its own numbers show, and what the model leaves out.

A cause is named only where the row's numbers bear it out; what is known of the model in general is worded as such.
"""

import numpy as np

from carbonray.backtest.lines import Line
from carbonray.backtest.metrics import Array

OFF = 0.1
"""A mean error of more than this share of the observed mean is called a drift."""


def cause(line: Line) -> str:
    """The likely cause of a miss; empty where the row passes."""
    if line.passed:
        return ""
    words = {"trade": _trade, "embodied": _embodied, "ets": _ets, "production": _production}[line.group](line)
    beaten = [name for name, value in line.skill.items() if not value > 0]
    if beaten == ["constant share"] and not line.scores.mape > OFF:
        return f"A constant share of what the region spends or emits in all comes nearer. {_capital(words)}"
    return _capital(words)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def note(line: Line) -> str:
    """What a reader must know of a row whether it passes or not; mostly empty."""
    words = [_anchor(line)] if line.anchored_later else []
    if not line.counted:
        words.append("CO2 of power is a driver, so this row tests little: it is neither pooled nor counted")
    if line.key == "production steel":
        words.append("read from --raw; 2019 is missing")
    return "; ".join(words)


def _anchor(line: Line) -> str:
    starts = f"every forecast starts from {spans(line.anchor_years)}, within the years foretold"
    return f"{starts}; nothing earlier was observed, so the naive trend is that of the region's CO2"


def spans(years: tuple[int, ...]) -> str:
    """Years as ranges: `2005-2007 and 2013`."""
    ordered = sorted(years)
    breaks = [at for at in range(1, len(ordered)) if ordered[at] > ordered[at - 1] + 1]
    runs = [ordered[start:stop] for start, stop in zip([0, *breaks], [*breaks, len(ordered)], strict=True)]
    return " and ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _drift(line: Line) -> str:
    """Which way the forecast is off; empty where it is not by much."""
    if abs(line.scores.bias) <= OFF:
        return ""
    return f"the forecast is {abs(line.scores.bias):.0%} too {'high' if line.scores.bias > 0 else 'low'} on average"


def _said(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _trade(line: Line) -> str:
    if line.pooled_of > 1 or "extra-EU" in line.key:
        general = (
            "the model leaves out prices of the goods themselves, and an origin's weight follows its size and price "
            "level only, not what it became good at"
        )
        return _said(_drift(line), general)
    if "EU-made" in line.key:
        lost = "more" if line.scores.bias < 0 else "less"
        return (
            f"as other regions grow the model takes {lost} away from home makers than they lost; prices of the goods "
            "are not in it"
        )
    if line.scores.bias < -OFF:
        return "the origin sold more than its size and price level explain: entry, quality, or dearer goods"
    if line.scores.bias > OFF:
        return "the origin sold less than its size and price level explain: its growth stayed at home or in other goods"
    return "the level is about right, the movement is not: prices of the good and single contracts are not in the model"


def _embodied(line: Line) -> str:
    fell = (
        "observed imports end under the level they started from and the model's over it: it keeps the base year's mix "
        "of goods, so that exporters who grow send more carbon"
    )
    general = (
        "a region has one path of intensity outside power and a fixed mix of goods; the observed series itself is "
        "revised by 15-20 % between vintages"
    )
    late = slice(len(line.observed) // 2, None)
    dropped = line.observed[late].mean() < line.anchor < line.model[late].mean()
    return _said(_drift(line), fell if dropped else "", general)


def _ets(line: Line) -> str:
    general = "the model knows the region's path of intensity and the base year's structure, not the sector's own path"
    if line.pooled_of > 1:
        return _said(_drift(line), general)
    still = _spread(line.observed[:-1]) < 0.5 * OFF < _spread(line.observed)
    flat = f"the observed series hardly moves before {line.years[-1]}, so that r hangs on one year" if still else ""
    faster = line.scores.bias > OFF and line.observed.mean() < line.naive["constant share"].mean()
    fell = "the sector fell faster than the region's CO2 as a whole" if faster else ""
    return _said(_drift(line), flat, fell, general)


def _spread(values: Array) -> float:
    return float(np.std(values) / np.mean(values))


def _production(line: Line) -> str:
    general = (
        "tonnes per real euro of the sector need not keep their trend of 1995-2004, and stocks and closures of single "
        "plants are not in the model"
    )
    return _said(_drift(line), general)
