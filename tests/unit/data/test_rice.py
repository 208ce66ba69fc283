"""Constants of the climate negotiation world: those of the reference to the last bit, and in the world's parameters."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from carbonray.data import DataError, catalogue, datasets_folder, describe, load_table
from carbonray.data.build_rice import CONSTANTS, PARAMETERS, REGION_COLUMNS, build_rice
from carbonray.data.rice import load_parameters
from carbonray.worlds.climate_negotiation.parameters import (
    ACTIVITY_STEPS,
    FIRST_YEAR,
    YEARS_A_STEP,
    Climate,
    RegionParameters,
)

RAW = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
needs_raw = pytest.mark.skipif(not RAW.is_dir(), reason="raw tables (../shared/data) are absent")
FILES = sorted(str(number) for number in range(2, 31) if number not in (8, 10))
UNUSED = {"xeta", "xe_0", "xq_0", "xmu_0", "xT_2x", "xscale_1", "xscale_2"}


def constant(name: str) -> float:
    return float(load_table("rice-constants").set_index("name")["value"][name])


def test_regions_are_named_by_file_in_the_order_of_ids() -> None:
    table = load_table("rice-regions")
    assert table["reference_file"].tolist() == FILES
    assert table["region"].tolist() == [f"R{file}" for file in FILES] == list(load_parameters().names)


def test_constants_are_those_of_the_paper() -> None:
    # Zhang et al. 2022 after DICE and RICE: what each region has alike, and the climate.
    regions = load_table("rice-regions")
    alike = {"capital_share": 0.3, "capital_depreciation": 0.1, "abatement_exponent": 2.6, "backstop_price": 550.0}
    alike |= {"damage_linear": 0.0, "damage_factor": 0.00236, "damage_exponent": 2.0, "backstop_decline": 0.001}
    alike |= {"risk_aversion": 1.45, "discount_rate": 0.015, "intensity_decline": 0.0025, "intensity_slowdown": 0.1}
    for name, value in alike.items():
        assert (regions[name] == value).all(), name
    climate = load_parameters().climate
    assert climate.temperature_transfer == ((0.8718, 0.0088), (0.025, 0.975))
    assert climate.carbon_transfer == ((0.88, 0.196, 0.0), (0.12, 0.797, 0.001465), (0.0, 0.007, 0.99853488))
    assert (climate.temperature_response, climate.carbon_response) == ((0.1005, 0.0), (1.36388, 0.0, 0.0))
    assert (climate.temperature_0, climate.carbon_0) == ((0.85, 0.0068), (851.0, 460.0, 1740.0))
    assert (climate.carbon_preindustrial, climate.forcing_doubling) == (588.0, 3.6813)
    assert (climate.forcing_first, climate.forcing_last, climate.forcing_steps) == (0.5, 1.0, 20.0)
    assert (climate.land_emissions_0, climate.land_emissions_decline) == (2.6, 0.001)


def test_weights_of_consumption_and_layers_of_carbon_add_up() -> None:
    parameters = load_parameters()
    assert parameters.trade.home_weight + 26 * parameters.trade.foreign_weight == pytest.approx(1.0, rel=1e-15)
    np.testing.assert_allclose(np.sum(parameters.climate.carbon_transfer, axis=0), [1.0, 1.0, 1.0], rtol=1e-6)
    # A year's emissions over five years, in carbon: 5 x 12 / 44.
    assert parameters.climate.carbon_response[0] == pytest.approx(5 * 12.011 / 44.009, rel=1e-3)


def test_what_the_code_fixes_is_what_the_table_says() -> None:
    assert (constant("first_year"), constant("years_a_step")) == (FIRST_YEAR, YEARS_A_STEP)
    assert constant("activity_steps") == ACTIVITY_STEPS
    assert (constant("substitution_exponent"), constant("utility_offset")) == (0.5, 1.0)


def test_every_figure_of_the_world_is_a_column_or_a_constant() -> None:
    columns = set(load_table("rice-regions").columns) - {"region", "reference_file"}
    assert columns == {field.name for field in fields(RegionParameters)} == set(REGION_COLUMNS)
    assert {field.name for field in fields(Climate)} <= {name for name, *_ in CONSTANTS}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_parameters_come_in_the_type_asked_for(dtype: torch.dtype) -> None:
    parameters = load_parameters("cpu", dtype)
    table = load_table("rice-regions")
    for field in fields(RegionParameters):
        values = getattr(parameters.regions, field.name)
        assert (values.dtype, values.shape) == (dtype, (27,))
        assert torch.equal(values, torch.tensor(table[field.name].tolist(), dtype=dtype))


def test_every_constant_has_a_unit_and_the_licence_its_notice() -> None:
    table = load_table("rice-constants")
    assert (table[["unit", "symbol", "description"]] != "").all(axis=None)
    for name in ("rice-regions", "rice-constants"):
        (source,) = catalogue.resource(name)["sources"]
        assert source["licence"].startswith("BSD-3-Clause")
        assert source["notice"].startswith("Copyright (c) 2022, Salesforce.com, Inc and MILA.")
        assert "must reproduce the above copyright notice" in source["notice"]
        assert "2208.07004" in describe(name)


def test_other_sources_need_no_notice() -> None:
    entries = catalogue.package_in(datasets_folder())["resources"]
    noticed = {entry["name"] for entry in entries if any("notice" in source for source in entry["sources"])}
    assert noticed == {"rice-regions", "rice-constants"}


def small() -> dict[str, Any]:
    """A parameter file of two regions."""
    by_region = {key: [1.0, 2.0] for key in REGION_COLUMNS.values()} | {"xT_AT_0": [0.85] * 2, "xT_LO_0": [0.0] * 2}
    known = {symbol for _, symbol, *_ in CONSTANTS if "," not in symbol} | {"xM_AT_0", "xM_UP_0", "xM_LO_0"}
    one = dict.fromkeys(sorted(known), 1)
    return {"region_yaml_order": ["11", "2"], "rice_by_region_id": by_region, "dice": one, "trade": {}} | one


def written(folder: Path, parameters: Any) -> Path:
    path = folder / "raw" / PARAMETERS
    path.parent.mkdir(parents=True)
    path.write_text(parameters if isinstance(parameters, str) else json.dumps(parameters), encoding="utf-8")
    return folder / "raw"


def test_a_matrix_is_laid_out_row_by_row(tmp_path: Path) -> None:
    parameters = small()
    parameters["dice"] |= {"xPhi_T": [[1, 2], [3, 4]], "xB_T": [5, 6]}
    found = build_rice(written(tmp_path, parameters))["rice-constants"].set_index("name")["value"]
    assert found.filter(like="temperature_transfer").to_dict() == {
        "temperature_transfer_11": 1.0,
        "temperature_transfer_12": 2.0,
        "temperature_transfer_21": 3.0,
        "temperature_transfer_22": 4.0,
    }
    assert found[["temperature_response_1", "temperature_response_2", "home_weight"]].tolist() == [5.0, 6.0, 1.0]


SPOILT: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a key gone": (lambda file: file["dice"].pop("xB_M"), "key 'xB_M' is missing"),
    "a region's key gone": (lambda file: file["rice_by_region_id"].pop("xK_0"), "key 'xK_0' is missing"),
    "a figure short": (
        lambda file: file["rice_by_region_id"]["xA_0"].pop(),
        "every list of figures must have one for each of the 2 regions",
    ),
    "two temperatures": (
        lambda file: file["rice_by_region_id"].update(xT_AT_0=[0.85, 0.86]),
        "the initial temperature must be the same in every region",
    ),
    "words for a figure": (lambda file: file["dice"].update(xf_0="much"), "could not convert string to float: 'much'"),
}


@pytest.mark.parametrize("kind", sorted(SPOILT))
def test_a_spoilt_parameter_file_is_refused_by_key(tmp_path: Path, kind: str) -> None:
    spoil, words = SPOILT[kind]
    parameters = small()
    spoil(parameters)
    with pytest.raises(DataError) as error:
        build_rice(written(tmp_path, parameters))
    assert str(error.value) == f"raw/rice_n/parameters.json: {words}"


def test_a_parameter_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^raw/rice_n/parameters.json: Expecting property name .*$"):
        build_rice(written(tmp_path, "{"))


@pytest.mark.raw
@needs_raw
def test_shipped_tables_are_the_raw_ones_to_the_last_bit() -> None:
    built = build_rice(RAW)
    for name, frame in built.items():
        pd.testing.assert_frame_equal(load_table(name), frame[list(load_table(name).columns)], check_exact=True)
    raw = json.loads((RAW / PARAMETERS).read_text(encoding="utf-8"))
    regions = load_table("rice-regions")
    assert regions["reference_file"].tolist() == raw["region_yaml_order"]
    for column, key in REGION_COLUMNS.items():
        assert regions[column].tolist() == raw["rice_by_region_id"][key], column
    climate = load_parameters().climate
    assert np.array(climate.temperature_transfer).tolist() == raw["dice"]["xPhi_T"]
    assert np.array(climate.carbon_transfer).tolist() == raw["dice"]["xPhi_M"]
    assert climate.forcing_doubling == raw["dice"]["xF_2x"]
    assert constant("foreign_weight") == raw["trade"]["for_pref_each"]


@pytest.mark.raw
@needs_raw
def test_only_what_the_reference_never_reads_is_left_out() -> None:
    raw = json.loads((RAW / PARAMETERS).read_text(encoding="utf-8"))
    symbols = {part for symbol in load_table("rice-constants")["symbol"] for part in symbol.split(", ")}
    taken = symbols | set(REGION_COLUMNS.values())
    assert (raw["dice"].keys() | raw["rice_by_region_id"].keys() | raw["trade"].keys()) - taken == UNUSED
