"""The dataset that a predictor learns from: one Parquet file for each economy, with a row for each law.

    manifest.json                    what was asked: size, seed, firms, the economy and its hash, versions
    runs/train-000012.parquet        economy 12 of the stream `train`, whole or not at all

Inputs are columns of their own; `foreign_mt`, `home_mt`, `output_share` and `money_musd` are lists in the order of
year, partner and sector that the metadata of the file names.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.data.arrow import arrow, parquet
from carbonray.predict.ensemble import MONEY
from carbonray.predict.inputs import Layout
from carbonray.predict.quantities import Figures, Place
from carbonray.predict.space import YEARS
from carbonray.runtime.place import Place as Folder

Array = NDArray[np.float64]

RUNS, MANIFEST = "runs", "manifest.json"
LISTS = {
    "foreign_mt": "Mt CO2 a year, rise abroad by year, partner, sector",
    "home_mt": "Mt CO2 a year, fall at home by year, sector",
    "output_share": "share, change of home output by year, sector",
    "money_musd": f"million USD of 2011 a year, by year and {', '.join(MONEY)}",
}


@dataclass(frozen=True, kw_only=True)
class Cases:
    """Rows of a dataset."""

    group: NDArray[np.int64]  # [N] number of the economy
    rows: Array  # [N, I]
    figures: Figures

    def __len__(self) -> int:
        return len(self.group)

    def some(self, which: NDArray[np.bool_]) -> "Cases":
        """Those of [N] bool."""
        parts = self.figures
        return Cases(
            group=self.group[which],
            rows=self.rows[which],
            figures=Figures(
                foreign=parts.foreign[which],
                home=parts.home[which],
                output=parts.output[which],
                money=parts.money[which],
            ),
        )


def file_of(stream: str, number: int) -> str:
    """The name of an economy's file."""
    return f"{stream}-{number:06}.parquet"


def write(folder: Path, stream: str, number: int, layout: Layout, cases: Cases) -> None:
    """Write an economy's file; it has its name once it is whole and on the disk."""
    figures = cases.figures
    columns: dict[str, Any] = {
        "stream": arrow.array([stream] * len(cases)),
        "economy": arrow.array(cases.group),
        "law": arrow.array(np.arange(len(cases))),
        **{name: arrow.array(cases.rows[:, place]) for place, name in enumerate(layout.names)},
    }
    for name, values in zip(LISTS, (figures.foreign, figures.home, figures.output, figures.money), strict=True):
        flat = values.reshape(len(values), -1)
        columns[name] = arrow.FixedSizeListArray.from_arrays(arrow.array(flat.ravel()), flat.shape[1])
    table = arrow.table(columns)
    units = {name.encode(): unit.encode() for name, unit in LISTS.items()}
    with Folder(str(folder / RUNS)).writing(file_of(stream, number)) as file:
        parquet.write_table(table.replace_schema_metadata(units), file, compression="zstd", use_dictionary=False)


def read(folder: Path, stream: str, numbers: Sequence[int], layout: Layout, place: Place) -> Cases:
    """The rows of a stream, economy by economy; those of economies that no market of which cleared are none."""
    found = [parquet.read_table(folder / RUNS / file_of(stream, number)) for number in numbers]
    table = arrow.concat_tables(found)
    shapes = ((len(YEARS), len(place.partners), len(place.sectors)), *2 * ((len(YEARS), len(place.sectors)),),
              (len(YEARS), len(MONEY)))  # fmt: skip
    lists = [
        table[name].combine_chunks().flatten().to_numpy().reshape(len(table), *shape)
        for name, shape in zip(LISTS, shapes, strict=True)
    ]
    return Cases(
        group=table["economy"].to_numpy(),
        rows=np.stack([table[name].to_numpy() for name in layout.names], 1),
        figures=Figures(foreign=lists[0], home=lists[1], output=lists[2], money=lists[3]),
    )


def write_manifest(folder: Path, told: Any) -> None:
    """Write what was asked."""
    Folder(str(folder)).write(MANIFEST, (json.dumps(told, indent=2) + "\n").encode())
