"""Make the policies that come with carbonray anew: `python -m carbonray.learn.ship [WORLD/SCENARIO ...]`.

Each is trained, evaluated over ten seeds, and put into `policies/` with what was measured in its card.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from carbonray.data.scenarios import names
from carbonray.learn.evaluate import evaluate
from carbonray.learn.policy_folder import BUILT_IN, load_one, recorded
from carbonray.learn.train import train

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "cbam": {},
    "climate-negotiation": {"budget": 1e6, "replicas": 4, "learn": {"hidden": 16}},
}
"""Of the training in each world."""
TOLD = ("reward_per_size", "leakage_rate", "leakage_rate_cbam_goods", "temperature_c")
"""Figures of an evaluation that a card tells."""


def ship(name: str, work: Path) -> Path:
    """Train and evaluate one policy, and put it among the built-in ones.

    Args:
        name: WORLD/SCENARIO.
        work: folder for the training and the evaluation.
    """
    world = name.partition("/")[0]
    place = name.replace("/", "-")
    trained = train(name, out=work / place, **SETTINGS[world])
    found = evaluate(trained.policy)
    found.write(work / f"{place}-evaluated")
    told = found.summary["learning"]
    if not trained.finished or found.summary["interrupted"] or told["left_out"]:
        raise SystemExit(f"{name}: was interrupted, or a seed came to nothing; it is not shipped")
    measured: dict[str, float] = {"seeds": len(told["seeds"])}
    for figure in told["figures"]:
        if figure["name"] in TOLD:
            parts = {part: figure[part] for part in ("trained", "rule", "difference")}
            low, high = figure["difference_interval"] or (None, None)
            parts |= {"difference_low": low, "difference_high": high}
            measured |= {f"{figure['name']}_{part}": value for part, value in parts.items() if value is not None}
    return recorded(load_one(trained.policy), measured, BUILT_IN / place)


def main(asked: list[str]) -> None:
    """All policies, or those that are asked for."""
    every = [f"{world}/{scenario}" for world in SETTINGS for scenario in names(world)]
    for name in asked or every:
        print(ship(name, Path("runs/policies")), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
