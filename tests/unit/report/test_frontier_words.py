"""Sentences and marks of a frontier follow from its numbers."""

from typing import Any

from carbonray.counterfactual.frontier_summary import FIGURES, _mark_front, best
from carbonray.report import frontier_words as words
from carbonray.report.frontier_figure import plane, plane_numbers, plane_spec


def difference(mean: float, half: float = 1.0) -> dict[str, Any]:
    return {"mean": mean, "low": mean - half, "high": mean + half, "p05": mean - half, "p95": mean + half, "count": 4}


def candidate(name: str, kind: str, tonnes: float, lost: float, gross: float | None = None, **more: Any) -> Any:
    told = {figure: difference(0.0, 0.0) for figure in FIGURES}
    if kind != "law":
        told["leaked_mt"], told["output_loss_musd"] = difference(tonnes), difference(lost)
        told["leaked_gross_mt"] = difference(tonnes if gross is None else gross)
    return {
        "name": name, "kind": kind, "without": [], "judged": 4, "matched": 4, "decree": {},
        "figures": {"price_factor": 1.0, "home_reduction_mt": 100.0, **dict.fromkeys(FIGURES, 1.0)},
        "against": {"law": told, "no-cbam": told},
    } | more  # fmt: skip


def summary(*candidates: Any, **more: Any) -> dict[str, Any]:
    for one in ("front", "front_gross"):
        _mark_front(candidates, one, "leaked_mt" if one == "front" else "leaked_gross_mt")
    return {
        "scenario": "law", "years": [2026, 2035], "draws": 4, "firms": 1000, "candidates": list(candidates),
        "levers": {}, "learned": [], "factors": [0.3, 3.0], "tolerance": 0.005,
    } | more  # fmt: skip


LAW = candidate("law", "law", 0.0, 0.0)
BUYER = candidate(
    "buyer", "path", -300.0, -10.0, gross=-5.0, decree={"support_abroad": [0.0, 0.05, 0.1]}, without=[],
)  # fmt: skip
MAKER = candidate("maker", "constant", -20.0, 5.0, decree={"export_rebate": [0.0, 1.0, 1.0]})
WORSE = candidate("worse", "lever", 10.0, 6.0)


def test_who_leaks_least_is_told_apart_from_who_buys_abroad() -> None:
    found = summary(LAW, BUYER, MAKER, WORSE, levers={"buyer": {"support_abroad": {"leaked_mt": -290.0}}})
    assert best(found)["name"] == "buyer"  # type: ignore[index]
    assert best(found, ("support_abroad",))["name"] == "maker"  # type: ignore[index]
    said = " ".join(words.headline(found)).replace("\u00a0", " ")
    assert "“buyer” leaks least: 300 Mt less (95 % interval 299 to 301) than the law" in said
    assert "295 Mt are reductions that support abroad buys" in said
    assert (
        "Most of it is the share of revenue for contracts with makers of covered goods abroad: with it alone back at "
        "rest, at the same price, 290 Mt"
    ) in said
    assert "makers of covered goods abroad +0.05 in 2027, +0.10 in 2028" in said
    assert "Of those that buy nothing abroad, “maker” leaks least: 20.0 Mt less" in said


def test_a_candidate_is_dominated_by_one_that_leaks_and_loses_less() -> None:
    found = summary(LAW, BUYER, MAKER, WORSE)
    assert {one["name"]: one["front"] for one in found["candidates"]} == {
        "law": False, "buyer": True, "maker": False, "worse": False,
    }  # fmt: skip
    assert {one["name"] for one in found["candidates"] if one["front_gross"]} == {"buyer", "maker"}
    chart = plane(found)
    pale = chart.data.set_index(["panel", "label"])["pale"]
    assert not pale.xs("law", level="label").any()
    assert pale.xs("worse", level="label").all()
    assert len(plane_numbers(chart).rows) == 8
    assert len(plane_spec(chart)["data"]) == 8


def test_an_interval_that_holds_zero_is_said_to() -> None:
    found = summary(LAW, candidate("faint", "lever", -0.5, 0.0))
    assert "The interval holds zero: the draws do not tell it from the law." in words.headline(found)[0]
    assert words.headline(summary(LAW, WORSE)) == ["Of all candidates, none leaks less than the law."]


def test_a_learned_regulator_that_does_not_beat_the_script_is_said_so() -> None:
    pair = {"name": "learned a", "rival": "path", "leaked_mt": difference(3.0)}
    judged = summary(LAW, candidate("learned a", "learned", 1.0, 1.0))

    def said(gain: float) -> str:
        return words.learned(judged | {"learned": [pair | {"objective_musd": difference(gain, 2000.0)}]})[0]

    assert "“learned a” beats the best scripted one, “path”" in said(5000.0)
    assert "“learned a” does not beat the best scripted one" in said(1000.0)
    assert "“learned a” does worse than the best scripted one" in said(-5000.0)
    decreed = candidate("learned a", "learned", 1.0, 1.0, decree={"export_rebate": [0.0, 0.5, 0.5]})
    policy = words.learned(summary(LAW, decreed, learned=[pair | {"objective_musd": difference(5.0)}]))
    assert "the rebate to exporters of covered goods +0.50 from 2027 on" in policy[1]
    assert "the treasury" in policy[2]
    assert words.learned(judged) == ["No scripted optimiser was judged beside it."]
    assert words.learned(summary(LAW)) == ["No learned regulator was judged."]


def test_what_could_not_be_matched_or_does_nothing_is_told() -> None:
    same = candidate("bound", "lever", 0.0, 0.0, decree={"cbam_factor": [0.0, -0.5]})
    same["against"]["law"] = LAW["against"]["law"]
    still = same | {"name": "still", "decree": {}}
    few = candidate("few", "scenario", 5.0, 5.0) | {"matched": 1}
    found = summary(LAW, same, still, few)
    assert words.idle(found) == [
        "The same as the law, for nothing is decreed: “still”.",
        "The same as the law, for importers get no less deducted than is free at home: “bound”.",
    ]
    assert words.unmatched(found) == [
        "“few”: in 3 of 4 draws no factor of its carbon price from 0.3 to 3 cuts as much at home as the law."
    ]
    assert not few["front"]
