"""Key figures of a climate negotiation run, and what each of the reference's oddities does to them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from carbonray.config_climate import NegotiationScenario
from carbonray.kpi import negotiation as kpi
from carbonray.kpi.negotiation import IndexBounds
from carbonray.runtime.negotiation_run import Century, Floats, run
from carbonray.runtime.shard import Recorded
from carbonray.worlds.climate_negotiation.heads import MITIGATION, SAVINGS
from carbonray.worlds.climate_negotiation.parameters import ACTIVITY_STEPS, YEARS_A_STEP
from carbonray.worlds.climate_negotiation.world import NegotiationWorld

CORRECTIONS = {
    "tariff_revenue": "returned",
    "mitigation_floor": "step",
    "interest": "per-year",
    "rates": "full",
}
"""The corrected value of each switch."""


def index_bounds(world: NegotiationWorld, steps: int = ACTIVITY_STEPS) -> IndexBounds | None:
    """The two extremes of the competition: save nothing and cut everything, or the reverse; no trade.

    Over as many activity steps as the run they are for; None for a single one, in which nothing can warm.
    """
    if steps < 2:
        return None
    rises, outputs = [], []
    plain = NegotiationWorld(parameters=world.parameters)
    for savings, mitigation in ((0, 1), (1, 0)):
        levels = np.zeros((steps, plain.count, len(plain.heads.sizes)), dtype=np.int64)
        levels[..., SAVINGS] = savings * plain.heads.steps_per_rate
        levels[..., MITIGATION] = mitigation * plain.heads.steps_per_rate
        century = run(plain, policy=Recorded(levels))
        rises.append(float(kpi.temperature_rise(century.temperature[:, 0, 0])))
        outputs.append(float(kpi.total_output(century.regions["output"][:, 0])))
    return IndexBounds(
        temperature_rise_best=rises[0],
        temperature_rise_worst=rises[1],
        output_worst=outputs[0],
        output_best=outputs[1],
    )


def figures(century: Century, bounds: IndexBounds | None) -> dict[str, Floats]:
    """Figures of one run, [B] each; no indices without bounds."""
    warm = century.temperature[:, :, 0]
    rise, output = warm[-1] - warm[0], century.world("output").sum(0)
    found = {
        "temperature_c": warm[-1],
        "temperature_rise_c": rise,
        "emissions_gtco2": century.world("emissions").sum(0) * YEARS_A_STEP,
        "output_tusd": output,
        "consumption_tusd": century.world("consumption").sum(0),
        "imports_tusd": century.world("imports").sum(0),
        "welfare": century.world("welfare").sum(0),
        "members_last": century.member[-1].sum(1).astype(float),
    }
    if bounds is not None:
        found["climate_index"] = kpi.climate_index(rise, bounds)
        found["economic_index"] = kpi.economic_index(output, bounds)
    return found


INDICES = ("climate_index", "climate_index_reference", "economic_index", "economic_index_reference")
ALONE = ("members_last", "temperature_rise_c")
"""Figures that the reference run has no counterpart of in the summary."""


def headline(
    scenario: NegotiationScenario, policy: Century, reference: Century, bounds: IndexBounds | None
) -> dict[str, Any]:
    """The summary but for speed, switches and whether it was interrupted."""
    found, without = figures(policy, bounds), figures(reference, bounds)
    emitted, without_it = (np.moveaxis(run.regions["emissions"][1:], 0, 1) for run in (policy, reference))
    leaked = kpi.leakage(emitted, without_it, np.moveaxis(policy.member[1:], 0, 1), years_a_step=YEARS_A_STEP)
    start = float(policy.temperature[0, 0, 0])
    other = {_reference(name): values for name, values in without.items() if name not in ALONE}
    spreads = found | other | ({} if leaked.rate is None else {"leakage_rate": leaked.rates})
    before = without["consumption_tusd"]
    after = np.divide(found["consumption_tusd"], before, out=np.full_like(before, np.nan), where=before > 0)
    changes = {
        "temperature_change_c": found["temperature_c"] - without["temperature_c"],
        "consumption_change_share": after - 1.0,
        "welfare_change": found["welfare"] - without["welfare"],
    }
    told = {name: kpi.spread(values) for name, values in (spreads | changes).items()}
    summary: dict[str, Any] = {
        "scenario": scenario.name,
        "world": scenario.world,
        "protocol": scenario.negotiation.protocol,
        "behaviour": scenario.behaviour.kind,
        "years": [int(policy.years[0]), int(policy.years[-1])],
        "n_regions": len(policy.names),
        "replicas": scenario.replicas,
        "seed": scenario.seed,
    }
    for name, values in found.items():
        summary[name] = float(values.mean())
        if name not in ALONE:
            summary[_reference(name)] = float(without[name].mean())
    summary |= {name: _mean(values) for name, values in changes.items()}
    if bounds is None:
        summary |= dict.fromkeys(INDICES)
    summary["abatement_members_gtco2"] = float(leaked.abatement_members.mean())
    summary["rise_others_gtco2"] = float(leaked.rise_others.mean())
    summary["leakage_rate"] = leaked.rate
    summary["undefined_reason"] = leaked.undefined_reason
    summary["index_bounds"] = bounds and {
        "temperature_best_c": start + bounds.temperature_rise_best,
        "temperature_worst_c": start + bounds.temperature_rise_worst,
        "output_worst_tusd": bounds.output_worst,
        "output_best_tusd": bounds.output_best,
    }
    summary["intervals"] = {name: list(between) for name, between in told.items() if between is not None}
    return summary


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if np.isfinite(values).all() else None


def _reference(name: str) -> str:
    """The key of the same figure of the reference run; units come last."""
    unit = next((unit for unit in ("_c", "_gtco2", "_tusd") if name.endswith(unit)), "")
    return f"{name.removesuffix(unit)}_reference{unit}"


def switch_effects(
    scenario: NegotiationScenario,
    policy: Century,
    stepped: Callable[[NegotiationScenario], Century],
    progress: Callable[[int, int], None],
    *,
    drawn: bool,
) -> list[dict[str, Any]]:
    """What changing each switch alone does: to its correction, or back where the scenario has it corrected.

    That of rates is left out unless levels are drawn: scripted rates would only move to other levels.
    """
    effects = []
    measured = {switch: to for switch, to in CORRECTIONS.items() if switch != "rates" or drawn}
    for done, (switch, corrected) in enumerate(measured.items()):
        progress(done, len(measured))
        if scenario.switches.model_dump()[switch] == corrected:
            corrected = type(scenario.switches).model_fields[switch].default
        switches = scenario.switches.model_copy(update={switch: corrected})
        changed = stepped(scenario.model_copy(update={"switches": switches}))
        before, after = policy.world("consumption").sum(), changed.world("consumption").sum()
        effects.append(
            {
                "switch": switch,
                "value": corrected,
                "temperature_change_c": float((changed.temperature[-1] - policy.temperature[-1])[:, 0].mean()),
                "welfare_change": float((changed.world("welfare") - policy.world("welfare")).sum(0).mean()),
                "consumption_change_share": float(after / before - 1.0) if before > 0 else None,
            }
        )
    progress(len(measured), len(measured))
    return effects


def lines(summary: dict[str, Any]) -> list[str]:
    """The headline for a terminal, beside the reference run's."""
    first, last = summary["years"]
    stopped = " (interrupted: whole steps only)" if summary["interrupted"] else ""
    told = [f"{summary['scenario']}, {first}-{last}, {summary['n_regions']} regions{stopped}"]
    told.append(f"  {'':28}{'':>12}{'nobody bound':>14}")
    rows = (
        (f"temperature in {last}", "temperature", "_c", "C"),
        ("emissions, sum of years", "emissions", "_gtco2", "Gt CO2"),
        ("output, sum of steps", "output", "_tusd", "trillion USD"),
        ("consumption, sum of steps", "consumption", "_tusd", "trillion USD"),
        ("imports, sum of steps", "imports", "_tusd", "trillion USD"),
        ("welfare", "welfare", "", ""),
        ("climate index", "climate_index", "", ""),
        ("economic index", "economic_index", "", ""),
    )
    for label, name, suffix, unit in rows:
        value, other = summary[f"{name}{suffix}"], summary[f"{name}_reference{suffix}"]
        if value is None:
            continue
        between = summary["intervals"].get(f"{name}{suffix}")
        spread = f" [{between[0]:.2f}, {between[1]:.2f}]" if between else ""
        told.append(f"  {label:28}{value:12.2f}{other:14.2f} {unit:13}{spread}".rstrip())
    told.append(f"  {'members in the last year':28}{summary['members_last']:12.1f}")
    rate, reason = summary["leakage_rate"], summary["undefined_reason"]
    shown = f"{100 * rate:12.2f} %" if rate is not None else f"   undefined: {reason}"
    told.append(f"  {'leakage to non-members':28}{shown}")
    speed = f"{summary['region_steps_per_second']:,.0f} region-steps/s in {summary['wall_seconds']:.2f} s"
    legend = [f"  [5 %, 95 %] of {summary['replicas']} replicas"] if summary["intervals"] else []
    return [*told, *legend, f"  {speed}"]
