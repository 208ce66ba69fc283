"""The headline figures about leakage: what the model predicts, what the record could show, and what it does show."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from carbonray.backtest.leakage import (
    ALPHA,
    DETECTION_YEARS,
    LOW_END,
    NOISE_YEARS,
    PERMUTATIONS,
    Detection,
    Variant,
)


def leakage_figures(variants: Sequence[Variant], found: Detection) -> dict[str, Any]:
    """Predicted leakage in the literature's window, the noise it is held against, and the verdict."""
    main = variants[0].leaked
    window = np.isin(main.years, list(DETECTION_YEARS))
    return {
        "window": [DETECTION_YEARS[0], DETECTION_YEARS[-1]],
        "predicted_mt_a_year": found.signal,
        "predicted_largest_mt": found.signal_largest,
        "rate": found.rate,
        "rate_metals_minerals_chemicals": main.over(DETECTION_YEARS, goods=True),
        "rate_low_end_of_studies": LOW_END,
        "home_reduction_mt_a_year": float(main.home_reduction[window].mean()),
        "home_reduction_share": float(main.home_reduction[window].sum() / main.home_reference[window].sum()),
        "noise_years": [NOISE_YEARS[0], NOISE_YEARS[-1]],
        "noise_mt": found.noise,
        "detectable_mt_a_year": found.detectable,
        "steps_above_noise": found.steps_above_noise,
        "undetectable": found.undetectable,
        "agrees_with_studies": found.agrees,
        "slope_mt_per_euro": found.slope,
        "slope_error_mt_per_euro": found.slope_error,
        "slope_predicted_mt_per_euro": found.slope_predicted,
        "associated_mt_a_year": found.slope * found.price,
        "without_free_allocation": {
            variant.name: {
                "rate": variant.leaked.over(DETECTION_YEARS),
                "mt_a_year": float(variant.leaked.foreign_increase[window].mean()),
            }
            for variant in variants[1:]
        },
    }


def placebo_figures(found: Detection, before: Detection) -> dict[str, Any]:
    """Association of net imports with the price, and with one that was not there yet."""
    return {
        "permutations": PERMUTATIONS,
        "level": ALPHA,
        "r_observed": found.correlation,
        "p_value": found.p_value,
        "associated": found.associated,
        "shuffled_mean_r": float(found.shuffled.mean()),
        "shuffled_central_95": [float(q) for q in np.quantile(found.shuffled, [0.025, 0.975])],
        "before_the_ets_window": [before.years[0], before.years[-1]],
        "before_the_ets_r": before.correlation,
        "before_the_ets_p_value": before.p_value,
        "before_the_ets_associated": before.associated,
    }
