"""What moves a prediction: each lever and assumption turned from one end of its range to the other, all else kept."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.predict.inputs import Case, Layout
from carbonray.predict.predictor import Predictor

Array = NDArray[np.float64]

RATE, TONNES = "leakage_rate_10_years", "leaked_mt_10_years"


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A lever or assumption, and what its ends mean."""

    name: str  # of the input, or of the group of inputs
    words: str
    low: str  # what it is turned to
    high: str


TURNS = (
    Turn(name="price", words="carbon price", low="half as high", high="half as high again"),
    Turn(name="free_allocation", words="free allocation of CBAM goods", low="none", high="all of the benchmark"),
    Turn(name="cbam", words="charge at the border", low="none", high="charged"),
    Turn(name="cbam_factor", words="benchmark deducted at the border", low="none", high="all of it"),
    Turn(name="coverage", words="goods covered", low="none", high="all of steel, aluminium, cement, fertiliser"),
    Turn(name="export_rebate", words="export rebate", low="none", high="all of the net cost"),
    Turn(name="support_home", words="revenue for abatement at home", low="none", high="half"),
    Turn(name="support_abroad", words="revenue for abatement abroad", low="none", high="a tenth"),
    Turn(name="partner_price", words="partners' carbon prices", low="none", high="the highest simulated"),
    Turn(name="sigma_scale", words="trade elasticities", low="lowest", high="highest"),
    Turn(name="factor_supply", words="how readily plants expand", low="lowest", high="highest"),
    Turn(name="inputs", words="substitution between inputs", low="lowest", high="highest"),
    Turn(name="abatement_scale", words="cost of abatement", low="lowest", high="highest"),
    Turn(name="incidence", words="share of the charge that exporters bear", low="lowest", high="highest"),
    Turn(name="growth_home", words="growth at home", low="lowest", high="highest"),
    Turn(name="growth_abroad", words="growth abroad", low="lowest", high="highest"),
    Turn(name="intensity_trend", words="trend of emission intensity", low="fastest fall", high="none"),
    Turn(name="fuel", words="fossil-price channel", low="off", high="on"),
)


def drivers(asked: Predictor, case: Case) -> pd.DataFrame:
    """How far each lever and assumption moves leakage over ten years, the widest first.

    One row each: `leakage_rate_low` and `leaked_mt_low` if it is turned to its low end, `..._high` to its high end, and
    `width`, their distance in points of the rate.  Turned one at a time: what they do together is not in it.
    """
    layout, low, high = asked.model.layout, asked.domain.low, asked.domain.high
    rows = [turned(layout, case.row, turn.name, low, high) for turn in TURNS]
    stacked = np.concatenate([np.stack(pair) for pair in rows])
    found = asked.model.predict(stacked).mean
    rates, tonnes = (found[name].reshape(-1, 2) for name in (RATE, TONNES))
    table = pd.DataFrame(
        {
            "driver": [turn.name for turn in TURNS],
            "words": [turn.words for turn in TURNS],
            "low": [turn.low for turn in TURNS],
            "high": [turn.high for turn in TURNS],
            "leakage_rate_low": rates[:, 0],
            "leakage_rate_high": rates[:, 1],
            "leaked_mt_low": tonnes[:, 0],
            "leaked_mt_high": tonnes[:, 1],
            "width": np.abs(rates[:, 1] - rates[:, 0]),
        }
    )
    return table.sort_values("width", ascending=False, kind="stable", ignore_index=True)


def turned(layout: Layout, row: Array, name: str, low: Array, high: Array) -> tuple[Array, Array]:
    """A case [I] with one input, or group of inputs, at either end of its range."""
    mine = np.array([one.partition(".")[0] == name for one in layout.names])
    ends = []
    for end, factor in ((low, 0.5), (high, 1.5)):
        value = np.where(mine, end, row)
        if name == "price":  # a path keeps its shape
            value = np.where(mine, np.clip(factor * row, low, high), row)
        if name == "coverage":
            law = np.array([one.partition(".")[2] in ("STL", "ALU", "CEM", "FER") for one in layout.names])
            value = np.where(mine, end * law, row)
        ends.append(value)
    return ends[0], ends[1]
