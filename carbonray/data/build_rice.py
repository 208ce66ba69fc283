"""Constants of the climate negotiation world from the reference's parameter file, unrounded."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from carbonray.data.build_economy import Frames
from carbonray.data.errors import DataError

PARAMETERS = "rice_n/parameters.json"
RAW_FILES = (PARAMETERS,)

REGION_COLUMNS = {
    "capital_share": "xgamma",
    "capital_0": "xK_0",
    "capital_depreciation": "xdelta_K",
    "population_0": "xL_0",
    "population_limit": "xL_a",
    "population_growth": "xl_g",
    "productivity_0": "xA_0",
    "productivity_growth": "xg_A",
    "productivity_slowdown": "xdelta_A",
    "intensity_0": "xsigma_0",
    "intensity_decline": "xg_sigma",
    "intensity_slowdown": "xdelta_sigma",
    "damage_linear": "xa_1",
    "damage_factor": "xa_2",
    "damage_exponent": "xa_3",
    "backstop_price": "xp_b",
    "backstop_decline": "xdelta_pb",
    "abatement_exponent": "xtheta_2",
    "risk_aversion": "xalpha",
    "discount_rate": "xrho",
}
"""Column of `rice-regions` -> key of the parameter file."""

TEMPERATURE_0 = ("xT_AT_0", "xT_LO_0")
CARBON_0 = ("xM_AT_0", "xM_UP_0", "xM_LO_0")
CONSTANTS = (
    ("first_year", "xt_0", "year", "year of the initial state"),
    ("years_a_step", "xDelta", "year", "length of an activity step"),
    ("activity_steps", "xN", "step", "activity steps of a run"),
    ("temperature_0", ", ".join(TEMPERATURE_0), "K above 1900", "initial warming of a layer"),
    ("temperature_transfer", "xPhi_T", "1 / step", "warming of a layer by that of each layer a step before"),
    ("temperature_response", "xB_T", "K / (W / m2)", "warming of a layer by forcing"),
    ("carbon_0", ", ".join(CARBON_0), "Gt C", "initial carbon of a layer"),
    ("carbon_transfer", "xPhi_M", "1 / step", "carbon of a layer from that of each layer a step before"),
    ("carbon_response", "xB_M", "Gt C / step / (Gt CO2 / year)", "carbon that emissions add to a layer"),
    ("carbon_preindustrial", "xM_AT_1750", "Gt C", "carbon of the atmosphere in 1750"),
    ("forcing_doubling", "xF_2x", "W / m2", "forcing of a doubling of carbon"),
    ("forcing_first", "xf_0", "W / m2", "forcing of other gases, first step"),
    ("forcing_last", "xf_1", "W / m2", "forcing of other gases, what the steps rise to"),
    ("forcing_steps", "xt_f", "step", "steps from first to last forcing of other gases"),
    ("land_emissions_0", "xE_L0", "Gt CO2 / year", "emissions of land use, first step, all regions"),
    ("land_emissions_decline", "xdelta_EL", "share / step", "fall of the emissions of land use"),
    ("interest_rate", "balance_interest_rate", "share / step", "interest on credits and debts alike"),
    ("debt_multiplier", "init_capital_multiplier", "1", "a debt of one over this of initial capital stops imports"),
    ("home_weight", "dom_pref", "share", "weight of home goods in consumption"),
    ("foreign_weight", "for_pref_each", "share", "weight of the goods of each other region in consumption"),
    ("substitution_exponent", "sub_rate", "1", "exponent of each good in the consumption aggregate"),
    ("utility_offset", "utility_small_num", "1", "added to consumption per head in utility"),
)
"""Name in `rice-constants`, key of the parameter file, unit, in words."""


def build_rice(raw: Path) -> Frames:
    """The tables of `rice_n/`.

    Raises:
        DataError: the parameter file is no JSON or lacks a key, or its regions do not fit together.
    """
    label = f"{raw.name}/{PARAMETERS}"
    try:
        parameters = json.loads((raw / PARAMETERS).read_text(encoding="utf-8"))
        return {"rice-regions": regions(parameters), "rice-constants": constants(parameters)}
    except KeyError as error:
        raise DataError(f"{label}: key {error} is missing") from None
    except ValueError as error:
        raise DataError(f"{label}: {error}") from None


def regions(parameters: dict[str, Any]) -> pd.DataFrame:
    """One row per region, in the order of the ids."""
    files, figures = parameters["region_yaml_order"], parameters["rice_by_region_id"]
    if any(len(figures[key]) != len(files) for key in REGION_COLUMNS.values()):
        raise ValueError(f"every list of figures must have one for each of the {len(files)} regions")
    columns = {column: [float(figure) for figure in figures[key]] for column, key in REGION_COLUMNS.items()}
    return pd.DataFrame({"region": [f"R{file}" for file in files], "reference_file": files, **columns})


def constants(parameters: dict[str, Any]) -> pd.DataFrame:
    """One row per figure; vectors and matrices are laid out."""
    by_region = parameters["rice_by_region_id"]
    if any(len(set(by_region[key])) != 1 for key in TEMPERATURE_0):
        raise ValueError("the initial temperature must be the same in every region")
    values = {
        **parameters["dice"],
        **parameters["trade"],
        "utility_small_num": parameters["utility_small_num"],
        ", ".join(TEMPERATURE_0): [by_region[key][0] for key in TEMPERATURE_0],
        ", ".join(CARBON_0): [parameters["dice"][key] for key in CARBON_0],
    }
    rows = [
        (f"{name}{place}", figure, unit, symbol, words)
        for name, symbol, unit, words in CONSTANTS
        for place, figure in laid_out(values[symbol])
    ]
    return pd.DataFrame(rows, columns=["name", "value", "unit", "symbol", "description"])


def laid_out(figures: float | list[Any]) -> Iterator[tuple[str, float]]:
    """A figure alone, or those of a vector (`_1`, `_2`) or matrix (`_11`, `_12`) with their places."""
    if not isinstance(figures, list):
        yield "", float(figures)
        return
    for number, part in enumerate(figures, 1):
        for place, figure in laid_out(part):
            yield f"_{number}{place.removeprefix('_')}", figure
