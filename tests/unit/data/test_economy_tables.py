"""A user's three tables: what loads, and that each fault is named by file, row and rule on one line."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from carbonray.data import DataError, check, load_economy

Table = Any  # a DataFrame; its stubs do not know which cells hold numbers
REGIONS, SECTORS = ("EU26", "CHN"), ("MET", "SRV")
EXACT = 1e-12


def tables() -> dict[str, Table]:
    """A balanced economy of two regions and two sectors; flow 0 is EU26-MET -> EU26-MET."""
    cells = [(region, sector) for region in REGIONS for sector in SECTORS]
    use = np.array([[20.0, 10, 5, 1], [8, 30, 2, 3], [6, 2, 40, 9], [1, 4, 7, 50]])
    demand = np.array([[30.0, 4], [90, 2], [5, 60], [3, 80]])
    output = use.sum(1) + demand.sum(1)
    flows = [(*cells[i], *cells[j], use[i, j]) for i in range(4) for j in range(4)]
    final = [(*cells[i], REGIONS[j], demand[i, j]) for i in range(4) for j in range(2)]
    rows = [(*cells[i], output[i], output[i] - use.sum(0)[i], float(i + 1)) for i in range(4)]
    return {
        "transactions": pd.DataFrame(flows, columns=["from_region", "from_sector", "to_region", "to_sector", "musd"]),
        "final_demand": pd.DataFrame(final, columns=["from_region", "from_sector", "to_region", "musd"]),
        "cells": pd.DataFrame(rows, columns=["region", "sector", "output_musd", "value_added_musd", "mt_co2"]),
    }


def save(folder: Path, content: dict[str, Table]) -> Path:
    """Write the three files to a folder whose name holds the year."""
    target = folder / "mine_2015"
    target.mkdir()
    for name, table in content.items():
        table.to_parquet(target / f"{name}.parquet")
    return target


def put(name: str, row: int, column: str, value: object) -> Callable[[dict[str, Table]], None]:
    """A fault: one cell of one table changed."""

    def change(content: dict[str, Table]) -> None:
        content[name].loc[row, column] = value

    return change


def as_text(content: dict[str, Table]) -> None:
    content["cells"]["mt_co2"] = content["cells"]["mt_co2"].astype(str)


def drop_column(content: dict[str, Table]) -> None:
    content["final_demand"] = content["final_demand"].drop(columns="musd")


def drop_cell(content: dict[str, Table]) -> None:
    content["cells"] = content["cells"].drop(index=2)


def repeat_row(content: dict[str, Table]) -> None:
    content["transactions"].loc[16] = content["transactions"].loc[2]


def sell_less(content: dict[str, Table]) -> None:
    content["final_demand"].loc[2, "musd"] = 80.0


def buy_beyond_output(content: dict[str, Table]) -> None:
    content["transactions"].loc[2, "musd"] = 100.0
    content["cells"].loc[0, "output_musd"] += 95.0
    content["cells"].loc[0, "value_added_musd"] += 95.0
    content["cells"].loc[2, "value_added_musd"] -= 95.0


FLOW_RULE = "musd is {}; every flow must be a finite number >= 0"
FAULTS = {
    "nan flow": (
        put("transactions", 2, "musd", np.nan),
        "mine_2015/transactions.parquet: row 2 (EU26-MET -> CHN-MET): " + FLOW_RULE.format("NaN"),
    ),
    "infinite flow": (
        put("final_demand", 5, "musd", np.inf),
        "mine_2015/final_demand.parquet: row 5 (CHN-MET -> CHN): " + FLOW_RULE.format("inf"),
    ),
    "negative flow": (
        put("transactions", 7, "musd", -3.0),
        "mine_2015/transactions.parquet: row 7 (EU26-SRV -> CHN-SRV): " + FLOW_RULE.format("-3"),
    ),
    "negative emissions": (
        put("cells", 1, "mt_co2", -1.5),
        "mine_2015/cells.parquet: row 1 (EU26-SRV): mt_co2 is -1.5; every value must be a finite number >= 0",
    ),
    "infinite value added": (
        put("cells", 3, "value_added_musd", -np.inf),
        "mine_2015/cells.parquet: row 3 (CHN-SRV): value_added_musd is -inf; every value must be a finite number",
    ),
    "empty code": (
        put("final_demand", 1, "from_sector", None),
        "mine_2015/final_demand.parquet: row 1 (EU26-nan -> CHN): from_sector is empty; every value must be text",
    ),
    "unknown region": (
        put("transactions", 9, "to_region", "XXX"),
        "mine_2015/transactions.parquet: row 9 (CHN-MET -> XXX-SRV): to_region 'XXX' is unknown; "
        "every code must occur in cells.parquet",
    ),
    "unknown sector": (
        put("final_demand", 4, "from_sector", "GAS"),
        "mine_2015/final_demand.parquet: row 4 (CHN-GAS -> EU26): from_sector 'GAS' is unknown; "
        "every code must occur in cells.parquet",
    ),
    "missing cell": (
        drop_cell,
        "mine_2015/cells.parquet: CHN-MET is missing; every region needs every sector",
    ),
    "duplicate row": (
        repeat_row,
        "mine_2015/transactions.parquet: row 16 (EU26-MET -> CHN-MET): repeats row 2; "
        "from_region, from_sector, to_region, to_sector must be unique",
    ),
    "missing column": (
        drop_column,
        "mine_2015/final_demand.parquet: column musd is missing or doubled; found from_region, from_sector, to_region",
    ),
    "text for numbers": (
        as_text,
        "mine_2015/cells.parquet: column mt_co2 holds large_string; every value must be a finite number >= 0",
    ),
    "out of balance": (
        sell_less,
        "mine_2015/cells.parquet: row 1 (EU26-SRV): output_musd 135 is +10 off its row sum 125 (7.41% of output); "
        "the table must balance within 0.001",
    ),
    "value added out of balance": (
        put("cells", 2, "value_added_musd", 70.0),
        "mine_2015/cells.parquet: row 2 (CHN-MET): value_added_musd 70 is +2 off output less inputs 68 "
        "(1.64% of output); the table must balance within 0.001",
    ),
    "inputs beyond output": (
        buy_beyond_output,
        "mine_2015/cells.parquet: row 2 (CHN-MET): buys more inputs than it makes; value added must be >= 0",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_by_file_row_and_rule(fault: str, tmp_path: Path) -> None:
    change, message = FAULTS[fault]
    content = tables()
    change(content)
    folder = save(tmp_path, content)
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        load_economy(folder)
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        check(folder)


def test_own_tables_load_with_the_year_of_the_folder(tmp_path: Path) -> None:
    content = tables()
    economy = load_economy(save(tmp_path, content))
    assert (economy.regions, economy.sectors, economy.year) == (REGIONS, SECTORS, 2015)
    np.testing.assert_allclose(economy.output, content["cells"]["output_musd"], rtol=EXACT)
    np.testing.assert_allclose(economy.value_added, content["cells"]["value_added_musd"], rtol=EXACT)
    assert economy.transactions[0, 2] == 5.0
    assert economy.final_demand[2, 1] == 60.0
    assert economy.emissions.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_order_of_rows_does_not_matter_beyond_that_of_the_codes(tmp_path: Path) -> None:
    content = tables()
    content["transactions"] = content["transactions"].sample(frac=1.0, random_state=1)
    content["cells"] = content["cells"].iloc[[0, 2, 1, 3]]
    shuffled = load_economy(save(tmp_path, content))
    (tmp_path / "plain").mkdir()
    plain = load_economy(save(tmp_path / "plain", tables()))
    assert shuffled.cells == plain.cells
    np.testing.assert_array_equal(shuffled.transactions, plain.transactions)
    np.testing.assert_array_equal(shuffled.emissions, plain.emissions)


def test_zero_flows_may_be_left_out_and_codes_may_be_categories(tmp_path: Path) -> None:
    content = tables()
    content["transactions"].loc[3, "musd"] = 0.0
    content["cells"].loc[0, "output_musd"] -= 1.0
    content["cells"].loc[0, "value_added_musd"] -= 1.0
    content["cells"].loc[3, "value_added_musd"] += 1.0
    content["transactions"] = content["transactions"].drop(index=3).astype({"from_region": "category"})
    assert load_economy(save(tmp_path, content)).transactions[0, 3] == 0.0


def test_missing_and_unreadable_files_are_named(tmp_path: Path) -> None:
    folder = save(tmp_path, tables())
    (folder / "transactions.parquet").write_text("from_region,from_sector\n")
    with pytest.raises(DataError, match=r"^mine_2015/transactions.parquet: is not a readable Parquet file"):
        load_economy(folder)
    (folder / "transactions.parquet").unlink()
    with pytest.raises(DataError, match=r"^mine_2015/transactions.parquet: file is missing$"):
        check(folder)
    with pytest.raises(DataError, match=r"^nowhere: folder is missing$"):
        check(tmp_path / "nowhere")


def test_a_base_year_is_asked_for_where_the_folder_has_none(tmp_path: Path) -> None:
    folder = save(tmp_path, tables()).rename(tmp_path / "mine")
    with pytest.raises(DataError, match=r"^mine: has no year in its name; give the base year$"):
        load_economy(folder)
    assert load_economy(folder, year=2019).year == 2019
    check(folder)


def test_an_unknown_name_lists_the_built_in_ones() -> None:
    with pytest.raises(DataError, match=r"no built-in economy is named 'mars'; there are: world-2011"):
        load_economy("mars")


def test_emissions_need_output(tmp_path: Path) -> None:
    content = tables()
    # A third sector that neither buys nor sells, but emits.
    for region in REGIONS:
        content["cells"].loc[len(content["cells"])] = [region, "GAS", 0.0, 0.0, 0.0 if region == "EU26" else 2.0]
    message = "row 5 (CHN-GAS): emits without output; mt_co2 must be 0 where output is 0"
    with pytest.raises(DataError, match=re.escape(message)):
        load_economy(save(tmp_path, content))
