"""Plants by name: the built-in list of EU ETS installations, or a user's own, every row checked.

A list holds `plant_id, name, company, region, sector or cn_code, emissions_t, free_allocation_t` and, where known,
`output_t` and `country`; tonnes are a year's.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from carbonray.config import PARENT_SECTOR
from carbonray.data.arrow import arrow, parquet
from carbonray.data.errors import DataError
from carbonray.data.tables import load_table

BUILT_IN = {"eu": ("EU26",), "eu-gbr": ("EU26", "GBR")}
"""Built-in lists and the regions whose open plants they hold; those of GBR are known to 2020."""
REQUIRED = ("plant_id", "name", "company", "region", "emissions_t", "free_allocation_t")
TONNES = ("emissions_t", "free_allocation_t", "output_t")
COLUMNS = ("plant_id", "name", "company", "country", "region", "sector", *TONNES)
SECTOR_OF_GOOD = {"Iron and steel": "STL", "Aluminium": "ALU", "Cement": "CEM", "Fertilisers": "FER", "Hydrogen": "FER"}
SHORTEST_CN = 4
TEMPLATE = """\
plant_id,name,company,region,country,cn_code,sector,emissions_t,free_allocation_t,output_t
P1,Example steelworks,Example Steel AG,EU26,DE,72083900,,4200000,4650000,2400000
P2,Example electric mill,Example Steel AG,EU26,ES,72142000,,95000,120000,700000
P3,Example cement plant,Example Cement SA,EU26,PL,25231000,,610000,560000,
P4,Example ammonia plant,Example Fertilisers BV,EU26,NL,2814,,880000,790000,
P5,Example refinery,Example Oil plc,GBR,GB,,REF,1500000,1100000,
"""


@dataclass(frozen=True, kw_only=True)
class Plants:
    """A checked list of plants."""

    label: str  # the file or the built-in table, as messages name it
    table: pd.DataFrame  # COLUMNS; tonnes a year, NaN where not given; `sector` is a code of some economy

    def refusal(self, row: int, words: str) -> DataError:
        """A refusal that names file and row."""
        return DataError(f"{self.label}: row {row} ({self.table['plant_id'].iloc[row]}): {words}")


def load_plants(source: str | Path | None = None) -> Plants:
    """Load plants and check every row.

    Args:
        source: `eu` (or None) for the open plants of EU26 in the built-in table, `eu-gbr` for those of the United
            Kingdom too; else a CSV or Parquet file.

    Raises:
        DataError: a file or column is missing, or a row is refused: empty name, repeated plant, a number that is none
            or negative, an unknown CN code, neither or two different sectors, nothing that tells the plant's size.
    """
    if source is None or str(source) in BUILT_IN:
        table = load_table("plants")
        wanted = table["region"].isin(BUILT_IN[str(source or "eu")]) & (table["status"] == "open")
        table = table[wanted].reset_index(drop=True).assign(output_t=np.nan)
        return Plants(label="plants/plants.parquet", table=table[list(COLUMNS)])
    path = Path(source)
    raw = _read(path)
    missing = [name for name in REQUIRED if name not in raw]
    if missing or not {"sector", "cn_code"} & set(raw):
        name = missing[0] if missing else "sector or cn_code"
        raise DataError(f"{path.name}: column {name} is missing; found {', '.join(raw.columns)}")
    if raw.empty:
        raise DataError(f"{path.name}: has no rows; a list needs one plant")
    return _checked(path.name, raw)


def plants_template() -> str:
    """A filled example of a plant list, as CSV."""
    return TEMPLATE


def _read(path: Path) -> pd.DataFrame:
    """A CSV or Parquet file as text; empty cells are empty."""
    if not path.is_file():
        raise DataError(f"{path.name}: no such file; give a CSV or Parquet list of plants, or {' or '.join(BUILT_IN)}")
    try:
        if path.suffix == ".parquet":
            frame: pd.DataFrame = parquet.read_table(path).to_pandas()
            return frame.astype(object).where(frame.notna(), "").astype(str)
        text = path.read_text(encoding="utf-8-sig")
        return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, skipinitialspace=True)
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{path.name}: is not a readable Parquet file ({str(error).splitlines()[0]})") from None
    except UnicodeDecodeError:
        raise DataError(f"{path.name}: is not UTF-8 text; save it as UTF-8") from None
    except ValueError as error:
        raise DataError(f"{path.name}: is not a CSV table ({str(error).splitlines()[0]})") from None


def _checked(label: str, raw: pd.DataFrame) -> Plants:
    frame = raw.reindex(columns=list(dict.fromkeys((*COLUMNS, "cn_code"))), fill_value="")
    frame = frame.apply(lambda column: column.str.strip())
    plants = Plants(label=label, table=frame)
    for name in ("plant_id", "name", "region"):
        _refuse_first(plants, frame[name] == "", f"{name} is empty; every plant needs one")
    repeated = frame["plant_id"].duplicated()
    _refuse_first(plants, repeated, lambda row: f"repeats row {_first(frame, row)}; plant_id must be unique")
    tonnes = {name: _tonnes(plants, name) for name in TONNES}
    sized = tonnes["emissions_t"] > 0
    sized |= tonnes["output_t"] > 0
    _refuse_first(plants, ~sized, "emissions_t is 0; a plant without emissions needs output_t")
    table = frame.assign(
        sector=_sectors(plants), country=frame["country"].where(frame["country"] != "", frame["region"]), **tonnes
    )
    return Plants(label=label, table=table[list(COLUMNS)])


def _refuse_first(plants: Plants, bad: "pd.Series[bool]", words: str | Callable[[int], str]) -> None:
    """Refuse the first bad row."""
    rows = np.flatnonzero(bad.to_numpy())
    if len(rows):
        row = int(rows[0])
        raise plants.refusal(row, words if isinstance(words, str) else words(row))


def _first(frame: pd.DataFrame, row: int) -> int:
    """The first row with the same plant."""
    return int(np.flatnonzero(frame["plant_id"] == frame["plant_id"].iloc[row])[0])


def _tonnes(plants: Plants, name: str) -> "pd.Series[float]":
    """A column as numbers; only `output_t` may be empty."""
    text = plants.table[name]
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    empty = text == ""
    optional = name == "output_t"
    bad = (numbers.isna() | np.isinf(numbers)) & ~(empty & optional)
    rule = "every value must be a finite number >= 0"
    _refuse_first(plants, bad, lambda row: f"{name} is {text.iloc[row] or 'empty'!s}; {rule}")
    _refuse_first(plants, numbers < 0, lambda row: f"{name} is {numbers.iloc[row]:g}; {rule}")
    return numbers


def _sectors(plants: Plants) -> "pd.Series[str]":
    """The sector of each plant: as written, or that of its CN code."""
    codes = plants.table["cn_code"].str.replace(" ", "")
    written = plants.table["sector"].str.upper()
    known = sectors_of_codes()
    found = codes.map(lambda code: known.get(code, "") if code else "")
    rule = "it must be in the CBAM tables, with 4 to 8 digits"
    _refuse_first(plants, (codes != "") & (found == ""), lambda row: f"cn_code {codes.iloc[row]} is unknown; {rule}")
    _refuse_first(plants, (found == "") & (written == ""), "needs a sector or a cn_code")
    parents = written.map(lambda sector: sector in PARENT_SECTOR.values())
    fits = (found == "") | (written == "") | (found == written) | (parents & (found.map(PARENT_SECTOR) == written))
    _refuse_first(
        plants,
        ~fits,
        lambda row: f"sector {written.iloc[row]} does not make cn_code {codes.iloc[row]}, which is {found.iloc[row]}",
    )
    return found.where(found != "", written)


def sectors_of_codes() -> dict[str, str]:
    """The sector of every CN code of the CBAM tables, and of its beginnings of 4 or more digits where they agree."""
    defaults, benchmarks = load_table("cbam-default-values"), load_table("cbam-benchmarks")
    pairs = pd.concat([defaults[["cn_code", "sector"]], benchmarks[["cn_code", "sector"]]]).drop_duplicates()
    sectors: dict[str, str] = {}
    for code, good in zip(pairs["cn_code"].str.replace(" ", ""), pairs["sector"], strict=True):
        sector = SECTOR_OF_GOOD[good]
        for digits in range(SHORTEST_CN, len(code) + 1):
            agrees = sectors.setdefault(code[:digits], sector) == sector
            sectors[code[:digits]] = sector if agrees else ""
    return {code: sector for code, sector in sectors.items() if sector}
