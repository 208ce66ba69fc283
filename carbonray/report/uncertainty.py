"""How far the rates spread over the literature ranges of the uncertain parameters, and which of them decides it."""

import pandas as pd

from carbonray.report.charts import BLUE, INK, Chart, LeftOut
from carbonray.report.figure_data import GOODS, TOTAL
from carbonray.report.run_directory import Run
from carbonray.report.summary_model import Bounds, UncertainParameter, Uncertainty
from carbonray.report.tables import Table
from carbonray.report.wording import listed, megatonnes, number, percent

ABSENT = "the run was made without draws of its uncertain parameters"
RATES = {
    "leakage_rate": TOTAL,
    "leakage_rate_cbam_goods": GOODS,
    "leakage_rate_without_electricity": "All but electricity",
    "leakage_rate_with_transport": "All sectors and transport",
    "leakage_rate_final_year": "All sectors, {last}",
    "leakage_rate_cbam_goods_final_year": "CBAM goods, {last}",
}
"""Rates that are drawn, and their names."""
AMOUNTS = {"home_reduction_mt": "Fall at home", "foreign_increase_mt": "Rise abroad"}
CHANGES = {"output_change_share": "Output at home, priced sectors"}
MOST_OF_IT = 0.8
"""R2 under which the ranking is called rough."""


def intervals(run: Run) -> Chart | LeftOut:
    """The interval of each rate."""
    key, title, told = "uncertainty", "Intervals", run.summary.uncertainty
    data = ranges(run, told) if told else pd.DataFrame()
    if told is None or data.empty:
        return LeftOut(key=key, title=title, reason=ABSENT if told is None else "no draw has a leakage rate")
    total = told.intervals.get("leakage_rate")
    spread = f"Leakage lies between {percent(total.low)} and {percent(total.high)}" if total else "Leakage is undefined"
    goods = told.intervals.get("leakage_rate_cbam_goods")
    return Chart(
        key=key,
        kind="ranges",
        data=data,
        title=spread + (f", for CBAM goods between {percent(goods.low)} and {percent(goods.high)}" if goods else ""),
        caption=f"Nine of ten of {told.draws} draws of the uncertain parameters from their literature ranges lie on "
        f"the line; the dot is their median, the upright mark the run as assumed, both with {number(told.firms)} firms."
        + failed(told),
        x_title="Leakage rate (% of the fall at home)",
        as_percent=True,
    )


def ranges(run: Run, told: Uncertainty) -> pd.DataFrame:
    """Median, low and high of each rate that has draws, and the run as assumed; series is its name."""
    last = run.summary.years[1]
    rows = [
        (label.format(last=last), bounds.median, bounds.low, bounds.high, told.base.get(name))
        for name, label in RATES.items()
        if (bounds := told.intervals.get(name)) is not None
    ]
    return pd.DataFrame(rows, columns=["series", "y", "low", "high", "base"]).astype(
        dict.fromkeys(("y", "low", "high", "base"), float)
    )


def failed(told: Uncertainty) -> str:
    """The draws without a result, in a sentence; nothing if all have one."""
    if not told.failed:
        return ""
    reason = told.failures[0].reason if told.failures else "no reason was kept"
    return f" {told.failed} of {told.draws} draws failed and are not in the intervals ({reason})."


def ranking(run: Run) -> Chart | LeftOut:
    """The share of each parameter in the spread of the two rates."""
    key, title, told = "ranking", "What decides the spread", run.summary.uncertainty
    data = shares(told) if told else pd.DataFrame()
    if told is None or data.empty:
        reason = ABSENT if told is None else "too few draws have a leakage rate to tell the parameters apart"
        return LeftOut(key=key, title=title, reason=reason)
    parts = {one.figure: one for one in told.ranking}
    return Chart(
        key=key,
        kind="bars",
        data=data,
        title=_decides(told),
        caption="Share of each parameter in the spread of the draws, by regression of ranks; "
        + listed([f"for {name} they explain {percent(parts[figure].r2)}" for figure, name in
                  (("leakage_rate", "all sectors"), ("leakage_rate_cbam_goods", "CBAM goods"))
                  if figure in parts and parts[figure].r2 is not None])
        + f" together. A parameter without any effect would show some {percent(_chance(told))} by chance.",
        x_title="Share of the spread (%)",
        as_percent=True,
        colours={TOTAL: INK, GOODS: BLUE},
    )  # fmt: skip


def _decides(told: Uncertainty) -> str:
    """Which parameter decides most of each rate's spread."""
    total, goods = (_top(told, figure) for figure in ("leakage_rate", "leakage_rate_cbam_goods"))
    if total is None:
        noun, share = goods or ("", 0.0)
        return f"{percent(share)} of the spread of leakage of CBAM goods is due to {noun}"
    tail = f"; for CBAM goods {percent(goods[1])} to {goods[0]}" if goods else ""
    return f"{percent(total[1])} of the spread of leakage is due to {total[0]}{tail}"


def shares(told: Uncertainty) -> pd.DataFrame:
    """Bars of the ranking, the largest of all sectors first."""
    order = [one.figure for one in told.ranking if one.figure in ("leakage_rate", "leakage_rate_cbam_goods")]
    rows = [
        (_capital(_words(told, part.name)), TOTAL if ranked.figure == "leakage_rate" else GOODS, part.share)
        for ranked in told.ranking
        if ranked.figure in order
        for part in ranked.parameters
    ]
    table = pd.DataFrame(rows, columns=["label", "series", "value"]).astype({"value": float})
    places = {label: at for at, label in enumerate(dict.fromkeys(table["label"]))}
    return table.sort_values(["label", "series"], key=lambda values: values.map({**places, TOTAL: 0, GOODS: 1}))


def _words(told: Uncertainty, name: str) -> str:
    return next((one.words for one in told.parameters if one.name == name), name)


def _top(told: Uncertainty, figure: str) -> tuple[str, float] | None:
    ranked = next((one for one in told.ranking if one.figure == figure and one.parameters), None)
    if ranked is None:
        return None
    return _words(told, ranked.parameters[0].name), ranked.parameters[0].share


def _chance(told: Uncertainty) -> float | None:
    return next((one.chance for one in told.ranking if one.chance is not None), None)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def sentences(told: Uncertainty | None) -> list[str]:
    """The uncertainty in plain words."""
    if told is None or (total := told.intervals.get("leakage_rate")) is None:
        return []
    said = [
        f"Elasticities and costs are known only within ranges: over {told.draws} draws of them from the literature "
        f"nine of ten total rates lie between {percent(total.low)} and {percent(total.high)}."
    ]
    if goods := told.intervals.get("leakage_rate_cbam_goods"):
        said.append(f"For the CBAM goods they lie between {percent(goods.low)} and {percent(goods.high)}.")
    ranked = next((one for one in told.ranking if one.figure == "leakage_rate" and one.parameters), None)
    if ranked is not None:
        parts = [f"{_words(told, one.name)} ({percent(one.share)})" for one in ranked.parameters[:3]]
        rough = ", roughly, for the parameters bend and interact" if (ranked.r2 or 0.0) < MOST_OF_IT else ""
        said.append(f"What decides this spread most is {listed(parts)}{rough}.")
    return said + ([failed(told).strip()] if told.failed else [])


def figures_table(run: Run) -> Table | None:
    """Every figure with its interval."""
    told = run.summary.uncertainty
    if told is None:
        return None
    last = run.summary.years[1]
    rows = []
    for names, show in ((RATES, percent), (AMOUNTS, megatonnes), (CHANGES, percent)):
        for name, label in names.items():
            bounds: Bounds | None = told.intervals.get(name)
            if bounds is not None:
                cells = (told.base.get(name), bounds.low, bounds.median, bounds.high)
                rows.append((label.format(last=last), *(show(value) for value in cells), str(bounds.count)))
    note = f"{told.draws} draws with {number(told.firms)} firms, beside one run with the same firms as assumed."
    columns = ("Figure", "As assumed", "5 %", "Median", "95 %", "Draws")
    return Table(caption="Intervals", columns=columns, rows=tuple(rows), note=note + failed(told))


def parameters_table(run: Run) -> Table | None:
    """What is drawn, from where."""
    told = run.summary.uncertainty
    if told is None:
        return None
    rows = tuple(
        (_capital(one.words), one.key, _range(one), one.distribution, f"{one.source} ({one.tag})")
        for one in told.parameters
    )
    columns = ("Parameter", "Key", "Low, mode, high", "Distribution", "Source")
    return Table(caption="Uncertain parameters", columns=columns, rows=rows, note="Drawn independently of each other.")


def _range(one: UncertainParameter) -> str:
    return ", ".join("∞" if value is None else f"{value:.3g}" for value in (one.low, one.mode, one.high))
