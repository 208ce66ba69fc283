"""A small foreign table that tests of the import spoil."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from carbonray.data import DataError, ImportRequest, import_table

COUNTRIES, INDUSTRIES = ("AUS", "ROM", "USA"), ("c1", "c2")
CELLS = [(country, industry) for country in COUNTRIES for industry in INDUSTRIES]
REGIONS = "code,region\nAUS,PAC\nROM,EU26\nUSA,PAC\n"
SECTORS = "code,sector\nc1,MET\nc2,SRV\n"
EMISSIONS = "region,sector,kt_co2\n" + "".join(
    f"{c.replace('ROM', 'ROU')},{i},{n}000\n" for n, (c, i) in enumerate(CELLS)
)


def arrays() -> dict[str, Any]:
    """A balanced table of 3 countries x 2 industries, not in whole numbers; two columns of final demand a country."""
    rng = np.random.default_rng(5)
    flows, demand = rng.uniform(1, 9, (6, 6)), rng.uniform(10, 60, (6, 6))
    return {"Z": flows, "F": demand, "x": flows.sum(1) + demand.sum(1)}


def save(folder: Path, table: Mapping[str, Any]) -> Path:
    """Arrays and labels as the WIOD 2013 folder has them."""
    folder.mkdir(exist_ok=True)
    np.savez(folder / "wiot2013_2009.npz", **table)
    cells = pd.DataFrame(CELLS, columns=["country", "industry"])
    packed: Any = {"method": "gzip", "mtime": 0}  # the same bytes in any second
    cells.to_csv(folder / "wiot2013_labels.csv.gz", index=False, compression=packed)
    columns = [(country, name) for country in COUNTRIES for name in ("household", "inventories")]
    labels = pd.DataFrame(columns, columns=["country", "category"])
    labels.to_csv(folder / "wiot2013_final_demand_labels.csv", index=False)
    return folder


class Case:
    """A folder with a table, two maps and a file of emissions, each of which a test may spoil."""

    cells, regions, sectors, emissions = CELLS, REGIONS, SECTORS, EMISSIONS

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = arrays()
        self.request = ImportRequest(path=folder / "raw", format="wiod", emissions=(str(folder / "co2.csv"),))
        for name, text in {"regions.csv": REGIONS, "sectors.csv": SECTORS, "co2.csv": EMISSIONS}.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def save(self) -> Path:
        return save(self.folder / "raw", self.table)

    def run(self, out: str = "mine_2009", **changes: Any) -> Any:
        self.save()
        maps = {kind: self.folder / f"{kind}.csv" for kind in ("regions", "sectors")}
        return import_table(replace(self.request, **changes), **maps, out=self.folder / out)

    def refused(self, message: str, **changes: Any) -> None:
        before = sorted(path.name for path in self.folder.iterdir())
        with pytest.raises(DataError) as error:
            self.run(**changes)
        assert str(error.value) == message
        assert "\n" not in message
        after = {path.name for path in self.folder.iterdir()} - {"raw"}
        assert after == set(before) - {"raw"}


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.chdir(tmp_path)
    return Case(tmp_path)
