"""Physical production of the goods by model region and year, from worldsteel, USGS, Clio Infra and declared figures.

Good by good: STL crude steel; ALU unwrought aluminium, primary and recycled; CEM cement; FER nitrogen products and
sold hydrogen, in tonnes of ammonia that they hold or could have made.
"""

from pathlib import Path

import pandas as pd

from carbonray.data.build_goods_figures import HYDROGEN_AS_AMMONIA, NITROGEN_IN_AMMONIA, table
from carbonray.data.build_history import CEMENT, CEMENT_LATER, METALS
from carbonray.data.vintage_observed import GCB, REST, STEEL, by_name, read, with_declared

REGIONS = ("EU26", "GBR", "USA", "CHN", "IND", "RUS", "TUR", "JPN", "KTW", "BMX", "CAU", "ROW")
FIRST_YEAR = 2000  # of crude steel by country
STEEL_SPELLINGS = {"Korea, South": "South Korea", "Taiwan": "Taiwan, China", "Czechia": "Czech Republic"}


def basis(good: str, year: int) -> str:
    """How well a good's tonnes are known in a year."""
    if good == "FER":
        return "declared"
    last = {"STL": 2024, "ALU": 2015, "CEM": 2017}[good]
    return "observed" if year <= last else "interpolated"


def quantities(raw: Path, year: int) -> dict[str, pd.Series]:
    """[R] tonnes of the goods, and of their parts: primary and recycled aluminium, ammonia and hydrogen.

    As the sources say up to 2016 (aluminium 2015); then steel as worldsteel says, cement along its CO2 in the Global
    Carbon Budget, the rest along straight lines to declared figures of 2024, the last year.
    """
    primary = in_year(with_declared(by_name(numbers(raw, METALS, "aluminium"), "aluminium"), "aluminium"), year)
    recycled = in_year(declared_tonnes("recycled_aluminium"), year)
    nitrogen = in_year(ammonia(), year) / NITROGEN_IN_AMMONIA
    hydrogen = in_year(declared_tonnes("hydrogen"), year)
    return {
        "STL": in_year(by_name(numbers(raw, STEEL, "kt"), "kt"), year),
        "ALU": primary + recycled,
        "CEM": cement(raw, year),
        "FER": nitrogen + HYDROGEN_AS_AMMONIA * hydrogen,
        "primary": primary,
        "recycled": recycled,
        "ammonia": nitrogen,
        "hydrogen": hydrogen,
    }


def in_year(frame: pd.DataFrame, year: int) -> pd.Series:
    """[R] tonnes of a year from kt by year; on a straight line between years that have a figure, flat outside them."""
    found = frame.astype(float).reindex(columns=list(REGIONS))
    found = found.reindex(sorted({*found.index, year})).interpolate(method="index", limit_direction="both")
    return pd.Series(found.loc[year].fillna(0.0) * 1000.0)


def numbers(raw: Path, file: str, column: str) -> pd.DataFrame:
    """A raw table with one column of numbers, countries spelled as in the steel table."""
    rows = read(raw, file)
    return rows.assign(**{column: pd.to_numeric(rows[column])}, country=rows["country"].replace(STEEL_SPELLINGS))


def declared_tonnes(good: str) -> pd.DataFrame:
    """[year, R] kt declared by hand."""
    rows = table("production")
    return rows[rows["good"] == good].pivot(index="year", columns="region", values="value")


def ammonia() -> pd.DataFrame:
    """[year, R] kt N; Türkiye, Korea and Taiwan are taken out of the rest of the world."""
    found = with_declared(pd.DataFrame(columns=list(REGIONS)), "ammonia").astype(float)
    small = declared_tonnes("ammonia")
    found[REST] -= small.sum(axis=1)
    for region in small.columns:
        found[region] = small[region]
    return found


def cement(raw: Path, year: int) -> pd.Series:
    """[R] tonnes of cement; Taiwan is held at 2013 before, and after 2017 the CO2 of calcination carries all on."""
    early, late = (
        numbers(raw, CEMENT, "cement_kt").rename(columns={"cement_kt": "kt"}),
        numbers(raw, CEMENT_LATER, "kt"),
    )
    taiwan = late[late["country"] == "Taiwan, China"]
    first = taiwan[taiwan["year"] == taiwan["year"].min()]
    before = [first.assign(year=past) for past in range(FIRST_YEAR, int(first["year"].iloc[0]))]
    last = late["year"].max()
    known = pd.concat(
        [early[["country", "year", "kt"]], *before, taiwan[taiwan["year"] < last], late[late["year"] == last]]
    )
    frame = by_name(known, "kt")
    if year <= last:
        return in_year(frame, year)
    carbon = read(raw, GCB).rename(columns={"Country": "country", "Year": "year", "Cement": "kt"})
    carbon["country"] = carbon["country"].replace({"Global": "World", "Türkiye": "Turkey", "USA": "United States"})
    calcined = by_name(carbon.replace({"country": {"Taiwan": "Taiwan, China"}}), "kt")
    return in_year(frame, last) * in_year(calcined, year) / in_year(calcined, last)
