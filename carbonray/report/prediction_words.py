"""What the page of a prediction says in sentences."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from carbonray.predict.followed import POLICY
from carbonray.predict.prediction import Prediction
from carbonray.predict.quantities import HORIZONS
from carbonray.predict.space import YEARS
from carbonray.report.page import Card
from carbonray.report.predicted_words import Show, between, beyond, known
from carbonray.report.prediction_figures import PANELS, SPAN, level_words
from carbonray.report.tables import command
from carbonray.report.wording import megatonnes, percent


def lead(found: Prediction) -> str:
    """The headline with its interval."""
    total, goods = (_told(found, f"leakage_rate_10_years{goods}", percent) for goods in PANELS)
    tonnes = _told(found, "leaked_mt_10_years", partial(megatonnes, signed=True))
    return (
        f"Leakage over {SPAN} is predicted at {total} of the fall at home, for CBAM goods at {goods}. "
        f"Emissions abroad change by {tonnes}."
    )


def cards(found: Prediction) -> list[Card]:
    """The headline numbers."""
    first, last = YEARS[HORIZONS[0] - 1], YEARS[-1]
    shown: dict[str, tuple[str, Show]] = {
        "leakage_rate_10_years": (f"Leakage to {last}, all goods", percent),
        "leakage_rate_10_years_cbam_goods": (f"Leakage to {last}, CBAM goods", percent),
        "leaked_mt_10_years": (f"Rise abroad to {last}", megatonnes),
        "leakage_rate_5_years": (f"Leakage to {first}, all goods", percent),
        "leakage_rate_5_years_cbam_goods": (f"Leakage to {first}, CBAM goods", percent),
        "home_reduction_mt_10_years": (f"Fall at home to {last}", megatonnes),
    }
    return [
        Card(label=label, value=show(known(_headline(found, name)["prediction"])), detail=_detail(found, name, show))
        for name, (label, show) in shown.items()
    ]


def warnings(found: Prediction) -> list[str]:
    """Why it may not be relied upon, in words."""
    flags = found.flags
    said = beyond(found.asked.model.layout, flags.outside)
    said += [f"{key} differs from what all runs had, and the predictor cannot take it in" for key in flags.unknown]
    return [*said, *(f"{path} moves over the years unlike any path simulated" for path in flags.unlike)]


def meaning(found: Prediction) -> str:
    """What a prediction means, and what it does not."""
    card, level = found.asked.saved.card, 100 * found.answers.level
    error = card.measured["accuracy"]["leakage_rate_10_years"]["mape"]
    beside = " but the one beside it" if found.simulated is not None else ""
    interval = f"The interval holds the simulation's answer in {level:g} of 100 cases like those runs. It does not hold"
    if found.flags.any:
        interval = "No interval is given, for those runs had no case like this. And it says nothing of"
    return (
        f"This is what carbonray's simulation would say of the case, learned from {card.runs['train']:,} simulated "
        f"runs of {card.firms:,} firms that {found.firms}; no run was made for it{beside}. On runs that the predictor "
        f"never saw, leakage over ten years is {percent(known(error))} of its value off on average. {interval} the "
        "world: whether the simulation is right, and what elasticities, growth and costs will be, is not in it. What "
        "these would change stands under what moves it. It is no forecast, and the rank of a plant is no verdict on it."
    )


def commands(found: Prediction) -> tuple[str, str]:
    """That predict it and that simulate it; with a placeholder where the scenario is a user's own."""
    simulate = command(found.scenario) or "carbonray simulate SCENARIO.yaml"
    policy = f" --policy {found.asked.saved.folder / POLICY}" if found.card.policy else ""
    return simulate.replace("simulate", "predict", 1), simulate + policy


def _headline(found: Prediction, name: str) -> Mapping[Any, float]:
    row: Mapping[Any, float] = found.headlines.set_index("quantity").loc[name].to_dict()
    return row


def _told(found: Prediction, name: str, show: Show) -> str:
    row = _headline(found, name)
    interval = between(row["low"], row["high"], show)
    return show(known(row["prediction"])) + (f" ({interval})" if interval != "–" else "")


def _detail(found: Prediction, name: str, show: Show) -> str:
    row = _headline(found, name)
    interval = between(row["low"], row["high"], show)
    if found.flags.any:
        detail = "no interval: never simulated like this"
    elif interval == "–":
        detail = "no interval: too few runs to calibrate one"
    else:
        detail = f"{level_words(found)} {interval}"
    return detail + (f"; simulated {show(known(row['simulated']))}" if "simulated" in row else "")
