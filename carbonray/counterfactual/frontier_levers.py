"""Which lever of a candidate does it: each is put back to rest alone, at the same carbon price."""

from dataclasses import replace

from carbonray.config import Scenario
from carbonray.counterfactual.frontier_candidates import Candidate
from carbonray.counterfactual.frontier_play import Played, play
from carbonray.runtime.inprocess import threads
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.regulator import LEVERS

Effects = dict[str, dict[str, float]]


def effects(scenario: Scenario, economy: Economy, candidate: Candidate, factor: float) -> Effects:
    """By lever that is turned, what it adds to the other ones: Mt CO2 and million USD over the run.

    The effects need not sum to the whole, for levers act on each other.

    Args:
        scenario: whose economy; its regulator acts.
        economy: its tables.
        candidate: whose levers.
        factor: of its carbon price.
    """
    with threads(1):
        (whole,) = play(scenario, economy, [candidate], [factor])
        if whole is None:
            return {}
        turned = [place for place in range(len(LEVERS)) if whole.decree[:, place].any()]
        fewer = [_without(candidate, whole, place) for place in turned]
        played = play(scenario, economy, fewer, [factor] * len(fewer)) if fewer else []
    names = list(LEVERS)
    return {names[place]: _added(whole, one) for place, one in zip(turned, played, strict=True) if one is not None}


def _without(candidate: Candidate, whole: Played, place: int) -> Candidate:
    """The same decrees but for one lever."""
    decree = whole.decree.copy()
    decree[:, place] = 0.0
    return replace(candidate, decree=decree, policy=None)


def _added(whole: Played, fewer: Played) -> dict[str, float]:
    def change(figure: str) -> float:
        return float((whole.figures[figure] - fewer.figures[figure]).sum())

    return {
        "leaked_mt": change("emissions_abroad"),
        "home_reduction_mt": -change("emissions_home"),
        "output_loss_musd": -change("value_added"),
    }
