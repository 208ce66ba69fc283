"""What a frontier says: means, paired differences with intervals, who is on the front, and which lever does it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.config import Scenario
from carbonray.counterfactual.frontier_candidates import Candidate
from carbonray.counterfactual.frontier_judge import DIFFERENCES_TO, FACTORS, SHORT, TOLERANCE, Verdict
from carbonray.kpi.leakage import interval
from carbonray.worlds.cbam.regulator import LEVERS

Array = NDArray[np.float64]

SPANS = ("", f"_{SHORT}_years")
LEAKED = tuple(f"leaked{part}{span}{end}_mt" for end in ("", "_gross") for part in ("", "_goods") for span in SPANS)
FIGURES = (
    *LEAKED, "output_loss_musd", "output_loss_share", "revenue_musd", "support_home_musd", "support_abroad_musd",
    "consumer_cost_musd", "profit_home_musd", "profit_abroad_goods_musd", "objective_musd",
)  # fmt: skip
UNITS = {
    "price_factor": "factor of the candidate's carbon price",
    "output_loss_share": "fraction of value added at home in the reference",
    **{f"decree_{name}": "by year of the run, see carbonray.worlds.cbam.regulator.LEVERS" for name in LEVERS},
}
SCRIPTED = ("constant", "path")
RANGE = (0.05, 0.95)


def summarise(
    scenario: Scenario,
    candidates: Sequence[Candidate],
    table: pd.DataFrame,
    verdicts: Sequence[Verdict],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """frontier.json."""
    rows = {str(name): part.set_index("draw").sort_index() for name, part in table.groupby("candidate", sort=False)}
    told = [_candidate(candidate, rows) for candidate in candidates]
    _mark_front(told, "front", "leaked_mt")
    _mark_front(told, "front_gross", "leaked_gross_mt")
    return {
        "scenario": scenario.name,
        "years": [scenario.start_year, scenario.start_year + scenario.years - 1],
        "home": list(scenario.home),
        "draws": len(verdicts),
        "failures": [{"draw": one.number, "reason": one.failure} for one in verdicts if one.failure],
        "seed": scenario.seed,
        **facts,
        "objective": scenario.regulator.model_dump(mode="json", exclude={"acts", "extensible"}),
        "tolerance": TOLERANCE,
        "factors": list(FACTORS),
        "candidates": told,
        "learned": _learned(told, rows),
    }


def _candidate(candidate: Candidate, rows: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    own = rows[candidate.name]
    names = ("price_factor", "home_reduction_mt", *FIGURES)
    decrees = {name: np.array(own.loc[own["matched"], f"decree_{name}"].tolist()) for name in LEVERS}
    return {
        "name": candidate.name,
        "kind": candidate.kind,
        "without": list(candidate.without),
        "judged": len(own),
        "matched": int(own["matched"].sum()),
        "figures": {name: _number(own[name].mean()) for name in names},
        "against": {
            other: {name: paired(own[name], rows[other][name]) for name in FIGURES}
            for other in DIFFERENCES_TO
            if other in rows
        },
        "decree": {name: values.mean(0).tolist() for name, values in decrees.items() if values.size and values.any()},
    }


def paired(one: "pd.Series[float]", other: "pd.Series[float]") -> dict[str, Any] | None:
    """Mean of the differences of two columns by draw, its 95 % interval, and the range of nine draws in ten."""
    values: Array = np.asarray(one - other, dtype=np.float64)
    finite = values[np.isfinite(values)]
    bounds = interval(finite)
    if bounds is None:
        return None
    low, high = np.quantile(finite, RANGE)
    return {"mean": float(finite.mean()), "low": bounds[0], "high": bounds[1], "p05": float(low), "p95": float(high),
            "count": len(finite)}  # fmt: skip


def _mark_front(told: Sequence[dict[str, Any]], mark: str, leaked: str) -> None:
    """Mark candidates than which none leaks less at no more output lost, by the means of the differences to the law."""
    points = {}
    for place, one in enumerate(told):
        found = [one["against"].get("law", {}).get(name) for name in (leaked, "output_loss_musd")]
        one[mark] = False
        if all(found) and one["matched"] == one["judged"]:
            points[place] = tuple(each["mean"] for each in found)
    for place, (tonnes, lost) in points.items():
        told[place][mark] = not any(
            (t <= tonnes and y <= lost) and (t < tonnes or y < lost) for t, y in points.values()
        )


def _learned(told: Sequence[Mapping[str, Any]], rows: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Each learned regulator against the scripted one of the best objective that has the same levers."""
    found = []
    for one in told:
        rivals = [
            other
            for other in told
            if other["kind"] in SCRIPTED and other["without"] == one["without"]
            and other["figures"]["objective_musd"] is not None
        ]  # fmt: skip
        if one["kind"] != "learned" or not rivals:
            continue
        rival = max(rivals, key=lambda other: float(other["figures"]["objective_musd"]))
        own, best = rows[one["name"]], rows[rival["name"]]
        names = ("objective_musd", "leaked_mt", "leaked_gross_mt", "output_loss_musd")
        found.append(
            {"name": one["name"], "rival": rival["name"], **{name: paired(own[name], best[name]) for name in names}}
        )
    return found


def best(summary: Mapping[str, Any], without: Sequence[str] = ()) -> Mapping[str, Any] | None:
    """The candidate that leaks least, of those that leave some levers alone."""
    found = [
        one
        for one in summary["candidates"]
        if one["against"]["law"]["leaked_mt"] and not set(without) & set(one["decree"])
    ]
    return min(found, key=lambda one: float(one["against"]["law"]["leaked_mt"]["mean"]), default=None)


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def lines(summary: Mapping[str, Any]) -> list[str]:
    """A table for the command line, least leakage first."""
    first, last = summary["years"]
    compared = [one for one in summary["candidates"] if one["against"]["law"]["leaked_mt"]]
    wide = max(len(one["name"]) for one in compared) + 4
    what = f"{summary['draws']} draws, {first}-{last}, equal reduction at home; means and 95 % intervals"
    said = [
        f"{summary['scenario']}: {what}",
        f"{'against the law':{wide}}{'price':>7}{'leaked Mt':>24}{'gross Mt':>22}{'output lost bn USD':>24}",
    ]
    for one in sorted(compared, key=lambda one: float(one["against"]["law"]["leaked_mt"]["mean"])):
        figures = one["against"]["law"]
        said.append(
            f"{'* ' if one['front'] else '  '}{one['name']:{wide - 2}}{one['figures']['price_factor']:7.2f}"
            f"{_with_interval(figures['leaked_mt'], 1.0):>24}{_with_interval(figures['leaked_gross_mt'], 1.0):>22}"
            f"{_with_interval(figures['output_loss_musd'], 1e-3):>24}"
        )
    low, high = summary["factors"]
    said += [
        f"  {one['name']}: in {one['judged'] - one['matched']} of {one['judged']} draws no factor of its price in "
        f"[{low:g}, {high:g}] cuts as much as the law"
        for one in summary["candidates"]
        if one["matched"] < one["judged"]
    ]
    said += [f"  draw {one['draw']} was not judged: {one['reason']}" for one in summary["failures"]]
    return [*said, "* none leaks less at no more output lost"]


def _with_interval(found: Mapping[str, float] | None, scale: float) -> str:
    if found is None:
        return "-"
    mean, low, high = (scale * found[name] for name in ("mean", "low", "high"))
    return f"{mean:.0f} ({low:.0f}, {high:.0f})"
