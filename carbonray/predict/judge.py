"""How good a predictor is, on runs that it never saw: accuracy, coverage, monotonicity, and what simpler models reach.

Axes: N case, I input, Y year.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.predict.conformal import LEVELS, coverage
from carbonray.predict.dataset import Cases
from carbonray.predict.domain import Domain
from carbonray.predict.inputs import Layout, features
from carbonray.predict.model import Model
from carbonray.predict.quantities import quantities

Array = NDArray[np.float64]

POINT = 0.01
"""Rate from which errors are judged as a share of it, below in points."""
RATES = ("leakage_rate_10_years", "leakage_rate_5_years", "leakage_rate")
JUDGED = 0.9
"""Level of the intervals of single cases."""
TOLERANCE = 1e-3
"""Rate by which a prediction may go the wrong way before it counts."""


def errors_of(truth: Array, found: Array) -> dict[str, float | None]:
    """Of a rate: mean absolute percentage error from one point on, mean absolute error below in points, correlation.

    None where no case tells.
    """
    known = np.isfinite(truth) & np.isfinite(found)
    right, told = truth[known], found[known]
    large = np.abs(right) > POINT
    miss = np.abs(told - right)
    share = miss[large] / np.abs(right[large])
    varies = len(right) > 1 and right.std() > 0 and told.std() > 0
    return {
        "cases": int(known.sum()),
        "mape": _mean(share),
        "median_ape": float(np.median(share)) if len(share) else None,
        "share_over_a_point": _mean(large),
        "mae_below_a_point": _mean(miss[~large]),
        "mae": _mean(miss),
        "r": float(np.corrcoef(right, told)[0, 1]) if varies else None,
    }


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def accuracy(model: Model, cases: Cases) -> dict[str, dict[str, float | None]]:
    """Errors of every rate on cases that were not fitted."""
    found, truth = model.predict(cases.rows).mean, quantities(cases.figures, model.place)
    names = [f"{name}{goods}" for goods in ("", "_cbam_goods") for name in RATES]
    return {name: errors_of(truth[name], found[name]) for name in names}


def fits(model: Model, cases: Cases) -> dict[str, float]:
    """R2 of every other quantity, over all its parts together."""
    found, truth = model.predict(cases.rows).mean, quantities(cases.figures, model.place)
    return {
        name: 1 - float(((found[name] - values) ** 2).sum() / ((values - values.mean(0)) ** 2).sum())
        for name, values in truth.items()
        if not name.startswith("leakage_rate") and values.std() > 0
    }


def coverages(model: Model, cases: Cases) -> dict[str, dict[str, float | None]]:
    """Share of intervals that hold the simulation, by quantity and level, and the cases that they rest on."""
    found, truth = model.predict(cases.rows), quantities(cases.figures, model.place)
    table: dict[str, dict[str, float | None]] = {name: {} for name in truth}
    for level in LEVELS:
        half = model.half_widths(found, level)
        for name, values in truth.items():
            share, count = coverage(values, found.mean[name], half[name])
            table[name] |= {f"{level:g}": share, "cases": count}
    return table


def judged(model: Model, cases: Cases) -> pd.DataFrame:
    """Leakage over ten years of each case: predicted, its interval, and simulated."""
    found, truth = model.predict(cases.rows), quantities(cases.figures, model.place)
    half = model.half_widths(found, JUDGED)
    columns: dict[str, Array] = {}
    for name in ("leakage_rate_10_years", "leakage_rate_10_years_cbam_goods"):
        mean = found.mean[name]
        columns |= {
            name: mean,
            f"{name}_low": mean - half[name],
            f"{name}_high": mean + half[name],
            f"{name}_simulated": truth[name],
        }
    return pd.DataFrame({"economy": cases.group, **columns})


def corner(domain: Domain, names: tuple[str, ...], cases: Cases, model: Model) -> dict[str, float | None]:
    """Runs at prices above any seen: how often the flag fires, and how wrong the figures that it withholds would be."""
    fired = len(domain.outside(cases.rows, names))
    return {"flagged": fired / len(cases), **accuracy(model, cases)["leakage_rate_10_years"]}


def within(domain: Domain, layout: Layout, cases: Cases) -> float:
    """Share of cases drawn like the training's that are not flagged."""
    flagged = domain.outside(cases.rows, layout.names).keys() | domain.unlike(layout, cases.rows).keys()
    return 1 - len(flagged) / len(cases)


def monotone(model: Model, cases: Cases) -> dict[str, dict[str, float | None]]:
    """Where theory has a sign: a charge with less deducted, or that there is at all, never raises leakage.

    Each case under the charge is asked once more with a lever turned; what counts is the share of cases whose leakage
    over ten years goes the wrong way by more than a tenth of a point, and the worst.  More coverage has no sign of its
    own, for goods lose their free allocation with it; what it does is told too.
    """
    layout = model.layout
    rows = cases.rows[layout.take(cases.rows, "cbam") > 0]
    base = model.predict(rows).mean["leakage_rate_10_years"]
    turns: Mapping[str, tuple[Callable[[Array], Array], float]] = {
        "cbam_factor": (lambda path: np.clip(path + 0.1, 0, 1), 1.0),
        "cbam": (lambda on: 0 * on, 1.0),
        "coverage": (lambda share: share * 0.8, 1.0),
    }
    table: dict[str, dict[str, float | None]] = {}
    for name, (turn, sign) in turns.items():
        mine = np.array([one.partition(".")[0] == name for one in layout.names])
        changed = np.where(mine, turn(rows), rows)
        moved = sign * (model.predict(changed).mean["leakage_rate_10_years"] - base)
        moved = moved[np.isfinite(moved) & (changed != rows).any(1)]
        wrong = moved < -TOLERANCE
        table[name] = {
            "cases": len(moved),
            "wrong": _mean(wrong),
            "worst": float(-moved.min()) if len(moved) else None,
            "mean": _mean(moved),
        }
    return table


def baselines(layout: Layout, model: Model, train: Cases, test: Cases, seed: int) -> dict[str, dict[str, Any]]:
    """What a user would try first, on the same runs: linear regression, nearest neighbours, gradient boosting.

    Each fits the rate over ten years from the inputs in their ranges; and once more from the features of the years that
    the predictor has too, so that it is told what is due to these.

    Raises:
        ImportError: without scikit-learn.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    models: dict[str, Callable[[], Any]] = {
        "linear regression": LinearRegression,
        "nearest neighbours": lambda: KNeighborsRegressor(n_neighbors=5, weights="distance"),
        "gradient boosting": lambda: HistGradientBoostingRegressor(max_iter=500, random_state=seed),
    }
    table: dict[str, dict[str, Any]] = {}
    for goods in ("", "_cbam_goods"):
        name = f"leakage_rate_10_years{goods}"
        wanted, truth = (quantities(each.figures, model.place)[name] for each in (train, test))
        known = np.isfinite(wanted)
        for told, make in models.items():
            for what, seen in (("inputs", _inputs), ("features", _features)):
                fitted = make_pipeline(StandardScaler(), make()).fit(seen(layout, train.rows)[known], wanted[known])
                key = told if what == "inputs" else f"{told} on the predictor's features"
                table.setdefault(key, {})[name] = errors_of(truth, fitted.predict(seen(layout, test.rows)))
    return table


def _inputs(layout: Layout, rows: Array) -> Array:
    return rows


def _features(layout: Layout, rows: Array) -> Array:
    return features(layout, rows)[:, ::3].reshape(len(rows), -1)
