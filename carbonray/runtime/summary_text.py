"""The figures of a run of the CBAM world, as the command line prints them."""

from typing import Any

from carbonray.runtime.uncertainty_text import bounds, ranking_lines

ROWS = (
    ("leakage, all sectors", "leakage_rate", 100, "%"),
    ("leakage, CBAM goods", "leakage_rate_cbam_goods", 100, "%"),
    ("leakage, not electricity", "leakage_rate_without_electricity", 100, "%"),
    ("leakage with transport", "leakage_rate_with_transport", 100, "%"),
    ("fall at home", "home_reduction_mt", 1, "Mt CO2"),
    ("rise abroad", "foreign_increase_mt", 1, "Mt CO2"),
    ("output, priced sectors", "output_change_share", 100, "%"),
)
"""Label, key of summary.json, factor and unit of each figure."""


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """The headline figures with their intervals, what decides them, and the speed."""
    first, last = summary["years"]
    stopped = " (interrupted: whole years only)" if summary["interrupted"] else ""
    lines = [f"{summary['scenario']}, {first}-{last}, {summary['n_firms']:,} firms{stopped}"]
    if summary["undefined_reason"]:
        lines.append(f"leakage is undefined: {summary['undefined_reason']}")
    for label, key, factor, unit in ROWS:
        value = summary[key]
        if value is None and key == "leakage_rate_with_transport":
            continue  # the economy does not know how goods travel
        between = bounds(summary.get("uncertainty"), key, factor=factor, replicas=summary["intervals"])
        shown = "undefined" if value is None else f"{value * factor:10.2f} {unit:7}{between}"
        lines.append(f"  {label:25}{shown}".rstrip())
    lines += ranking_lines(summary.get("uncertainty"))
    fuel = summary.get("oracle", {}).get("leakage_rate_with_fuel_channel")
    if fuel is not None:
        rest = summary["oracle"]["leakage_rate"]
        lines.append(f"  at rest under the last year's policy: {rest:.2%}, with the fossil-price channel {fuel:.2%}")
    lines.append(f"  {summary['firm_steps_per_second']:,.0f} firm-steps/s in {summary['wall_seconds']:.1f} s")
    return lines
