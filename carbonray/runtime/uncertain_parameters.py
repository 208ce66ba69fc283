"""The uncertain parameters: their ranges in the literature, draws of them, and the scenario of a draw."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import qmc

from carbonray.config import Scenario

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Uncertain:
    """A parameter that is drawn: the scenario's own value times a factor, so that the mode is the scenario itself."""

    name: str  # column of uncertainty.parquet
    key: str  # of the scenario
    words: str
    low: float  # factor
    high: float
    distribution: Literal["triangular", "log-triangular"]  # with its mode at 1; of the factor or of its logarithm
    bounds: tuple[float, float]  # what the scenario accepts
    source: str
    tag: Literal["read", "recall", "assumption"]

    def factor(self, share: Array) -> Array:
        """The factor below which a share of the draws lies: the inverse of the distribution."""
        if self.distribution == "log-triangular":
            return np.asarray(np.exp(_triangular(share, math.log(self.low), 0.0, math.log(self.high))))
        return _triangular(share, self.low, 1.0, self.high)


def _triangular(share: Array, low: float, mode: float, high: float) -> Array:
    """Quantiles of the triangular distribution."""
    rising = low + np.sqrt(share * (high - low) * (mode - low))
    falling = high - np.sqrt((1 - share) * (high - low) * (high - mode))
    return np.asarray(np.where(share < (mode - low) / (high - low), rising, falling))


UNCERTAIN = (
    Uncertain(
        name="sigma_scale",
        key="market.sigma_scale",
        words="trade elasticities",
        low=0.7,
        high=1.3,
        distribution="triangular",
        bounds=(0.05, 10.0),
        source="the usual test of GTAP's Armington elasticities, plus or minus 30 %, triangular",
        tag="read",
    ),
    Uncertain(
        name="factor_supply",
        key="market.factor_supply",
        words="how readily plants expand",
        low=0.5,
        high=2.0,
        distribution="log-triangular",
        bounds=(1e-3, math.inf),
        source="1 to 4 around 2: over a value-added share near 0.3 a supply elasticity of output of 3 to 13, about "
        "and above the 3 to 8 of the US ITC's steel cases",
        tag="recall",
    ),
    Uncertain(
        name="inputs",
        key="market.inputs",
        words="substitution between inputs",
        low=1 / 3,
        high=8 / 3,
        distribution="triangular",
        bounds=(0.05, 5.0),
        source="0.1 to 0.8 around 0.3: from next to none (GTAP's default is zero; Atalay 2017) to the upper sectoral "
        "estimates (Okagawa and Ban 2008, Koesler and Schymura 2015)",
        tag="recall",
    ),
    Uncertain(
        name="abatement_cost",
        key="abatement_scale",
        words="cost of abatement",
        low=0.6,
        high=1.7,
        distribution="log-triangular",
        bounds=(1e-9, math.inf),
        source="one factor on every P_b: the cost ranges of single options span a factor of 1.3 (hydrogen steel "
        "85-144 EUR/t) to 1.7 (ammonia with capture 30-90 EUR/t) around their geometric middle",
        tag="recall",
    ),
    Uncertain(
        name="incidence",
        key="policy.incidence",
        words="share of the charge that exporters bear",
        low=0.0,
        high=2.5,
        distribution="triangular",
        bounds=(0.0, 1.0),
        source="0 to 0.5 around 0.2: US tariffs of 2018 were passed on whole, those on steel by half (Amiti, Redding "
        "and Weinstein 2020, NBER 26610)",
        tag="read",
    ),
)
"""What is drawn, independently, at the scenario's defaults over the range that the source gives."""


def base_values(scenario: Scenario) -> dict[str, float]:
    """What the scenario itself has for each parameter."""
    return {
        "sigma_scale": scenario.market.sigma_scale,
        "factor_supply": scenario.market.factor_supply,
        "inputs": scenario.market.inputs,
        "abatement_cost": scenario.abatement_scale,
        "incidence": scenario.policy.incidence,
    }


def drawn(scenario: Scenario, draws: int) -> pd.DataFrame:
    """Values of the parameters, one row a draw: a Latin hypercube of low correlation, from the scenario's seed."""
    rng = np.random.default_rng([scenario.seed, STREAM])
    cube = qmc.LatinHypercube(len(UNCERTAIN), rng=rng, optimization="random-cd").random(draws)
    own = base_values(scenario)
    columns = {
        one.name: np.clip(own[one.name] * one.factor(cube[:, place]), *one.bounds)
        for place, one in enumerate(UNCERTAIN)
    }
    return pd.DataFrame({"draw": np.arange(draws), **columns})


STREAM = 0x1A7E
"""Keeps these random numbers apart from those of the firms."""


def changed(scenario: Scenario, values: Mapping[str, float]) -> Scenario:
    """The scenario with the parameters of a draw."""
    market = {name: float(values[name]) for name in ("sigma_scale", "factor_supply", "inputs")}
    return scenario.model_copy(
        update={
            "market": scenario.market.model_copy(update=market),
            "policy": scenario.policy.model_copy(update={"incidence": float(values["incidence"])}),
            "abatement_scale": float(values["abatement_cost"]),
        }
    )


def described(scenario: Scenario) -> list[dict[str, Any]]:
    """What is drawn, in the scenario's own values."""
    own = base_values(scenario)
    rows = []
    for one in UNCERTAIN:
        ends = np.clip([own[one.name] * factor for factor in (one.low, 1.0, one.high)], *one.bounds)
        low, mode, high = (float(end) if np.isfinite(end) else None for end in ends)
        rows.append(
            {"name": one.name, "key": one.key, "words": one.words, "low": low, "mode": mode, "high": high,
             "distribution": one.distribution, "source": one.source, "tag": one.tag}
        )  # fmt: skip
    return rows
