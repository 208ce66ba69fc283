"""CBAM tables of the law, and carbon prices, from the raw transcriptions."""

from pathlib import Path

import numpy as np
import pandas as pd

from carbonray.data.build_economy import Facts, Frames, read_csv
from carbonray.data.resources import FALLBACK

DEFAULTS = "cbam/cbam_default_values_2026.csv.gz"
BENCHMARKS = "cbam/cbam_benchmarks_column_b.csv.gz"
SCHEDULE = "cbam/cbam_policy_schedule.csv"
EU_PRICES = "carbon_price/eua_annual_2005_2025.csv"
PARTNER_PRICES = "carbon_price/worldbank_cpd_prices_1990_2022.csv.gz"
RAW_FILES = (DEFAULTS, BENCHMARKS, SCHEDULE, EU_PRICES, PARTNER_PRICES)

RAW_FALLBACK = "_Other Countries and Territorie"
COUNTRY_NAMES = {
    RAW_FALLBACK: FALLBACK,
    "Democratic Republic of the Cong": "Democratic Republic of the Congo",
    "Myanmar_Burma": "Myanmar",
}
REGION_OF_COUNTRY = {
    "United Kingdom": "GBR",
    "United States": "USA",
    "China": "CHN",
    "India": "IND",
    "Russia": "RUS",
    "Türkiye": "TUR",
    "Japan": "JPN",
    "South Korea": "KTW",
    "Taiwan": "KTW",
    "Brazil": "BMX",
    "Mexico": "BMX",
    "Canada": "CAU",
    "Australia": "CAU",
}
INDIRECT_CHARGED = ("Cement", "Fertilisers")  # Regulation (EU) 2023/956, Annex II: elsewhere direct emissions only

# Price of the certificates of 2026-Q1, published by the Commission on 7 April 2026 (IR (EU) 2025/2548).
CERTIFICATE_PERIOD, CERTIFICATE_PRICE = "2026-Q1", 75.36

# World Bank name of a scheme -> model region and scope.
SCHEMES = {
    "EU ETS": ("EU26", "national"),
    "UK ETS": ("GBR", "national"),
    "UK Carbon Price Support": ("GBR", "national"),
    "California CaT": ("USA", "subnational"),
    "RGGI": ("USA", "subnational"),
    "China national ETS": ("CHN", "national"),
    "Japan carbon tax": ("JPN", "national"),
    "Korea ETS": ("KTW", "national"),
    "Mexico carbon tax": ("BMX", "national"),
    "Canada federal OBPS": ("CAU", "national"),
    "Kazakhstan ETS": ("ROW", "national"),
    "New Zealand ETS": ("ROW", "national"),
    "South Africa carbon tax": ("ROW", "national"),
    "Switzerland ETS": ("ROW", "national"),
    "Ukraine carbon tax": ("ROW", "national"),
}

VALUES = ["direct", "indirect", "total"]
MARKED_UP = ["dv_2026", "dv_2027", "dv_2028"]


def realign(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Move back rows whose direct, indirect and total stand in the three columns for marked-up values.

    Such a row has no direct value, and its second and third marked-up values are the indirect part and the sum: a
    mark-up only ever raises a value.
    """
    shifted = table["direct"].isna() & table["total"].isna() & (table["dv_2027"] < table["dv_2026"])
    shifted &= (table["dv_2026"] + table["dv_2027"] - table["dv_2028"]).abs() < 0.015
    result = table.copy()
    result.loc[shifted, VALUES] = table.loc[shifted, MARKED_UP].to_numpy()
    return result, shifted


def resolve_fallback(table: pd.DataFrame) -> pd.DataFrame:
    """Fill each row without direct and total by the whole row of other countries for that good (rule of Annex I).

    Rows that are empty there too are headings whose lines carry the values; they keep no value.
    """
    good = ["cn_code", "description"]
    fallback = table[table["country"] == RAW_FALLBACK].set_index(good)[[*VALUES, "route"]]
    whole_row = fallback.reindex(pd.MultiIndex.from_frame(table[good]))
    incomplete = (table["direct"].isna() | table["total"].isna()) & (table["country"] != RAW_FALLBACK)
    result = table.copy()
    for column in whole_row:
        result[column] = table[column].where(~incomplete, whole_row[column].to_numpy())
    result["origin"] = np.where(incomplete, "fallback", np.where(table["realigned"], "realigned", "country"))
    return result


def build_defaults(raw: Path) -> tuple[pd.DataFrame, Facts]:
    """Default values per country and CN line, before mark-up."""
    numbers = {column: [""] for column in (*VALUES, *MARKED_UP)}
    table = pd.read_csv(raw / DEFAULTS, dtype={"cn_code": str}, keep_default_na=False, na_values=numbers)
    table, realigned = realign(table)
    table = resolve_fallback(table.assign(realigned=realigned))
    headings = table["direct"].isna() | table["total"].isna()
    table = table[~headings]
    charged = table["total"].where(table["sector"].isin(INDIRECT_CHARGED), table["direct"])
    country = table["country"].replace(COUNTRY_NAMES)
    result = pd.DataFrame(
        {
            "country": country,
            "region": country.map(REGION_OF_COUNTRY).fillna("ROW"),
            "sector": table["sector"],
            "cn_code": table["cn_code"],
            "good": table["description"],
            "route": table["route"].str.strip("()"),
            "direct_t_per_t": table["direct"].round(6),
            "indirect_t_per_t": table["indirect"].round(6),
            "total_t_per_t": table["total"].round(6),
            "charged_t_per_t": charged.round(6),
            "markup_class": np.where(table["sector"] == "Fertilisers", "fertilisers", "general"),
            "origin": table["origin"],
        }
    )
    facts = {
        "defaults_fallback": float((result["origin"] == "fallback").sum()),
        "defaults_headings": float(headings.sum()),
        "defaults_realigned": float(realigned.sum()),
    }
    return result.sort_values(["country", "cn_code", "good"], kind="stable").reset_index(drop=True), facts


def build_benchmarks(raw: Path) -> pd.DataFrame:
    """Benchmarks by CN code, route (a letter or blank) and variant (1, 2 or blank)."""
    table = pd.read_csv(raw / BENCHMARKS, dtype=str, keep_default_na=False)
    note = table["route_and_year_note"]
    result = pd.DataFrame(
        {
            "sector": table["sector"].replace({"Iron & Steel": "Iron and steel"}),
            "cn_code": table["cn_code"],
            "route": note.str.extract(r"\(([A-Z])\)", expand=False).fillna(""),
            "variant": note.str.extract(r"\((\d)\)", expand=False).fillna(""),
            "benchmark_t_per_t": table["benchmark_t_per_t"].astype(float),
        }
    )
    return result.sort_values(["cn_code", "route", "variant"], kind="stable").reset_index(drop=True)


def build_schedule(raw: Path) -> pd.DataFrame:
    """CBAM factor and mark-ups of the years of the definitive period, 2026-2034."""
    names = {
        "free_allocation_factor": "cbam_factor",
        "default_value_markup": "markup_general",
        "default_value_markup_fertilisers": "markup_fertilisers",
    }
    table = pd.read_csv(raw / SCHEDULE).rename(columns=names)
    return table.loc[table["year"] >= 2026, ["year", *names.values()]].reset_index(drop=True)


def build_eu_prices(raw: Path) -> pd.DataFrame:
    """Yearly means of the EU allowance price, rounded to 0.1 EUR, and the first certificate price."""
    table = read_csv(raw, EU_PRICES)
    means = pd.DataFrame(
        {
            "period": table["year"].astype(str),
            "year": table["year"],
            "eur_per_t": table["eua_eur_per_t_icap"].astype(float).round(1),
            "kind": "allowance",
        }
    )
    certificate = {"period": CERTIFICATE_PERIOD, "year": 2026, "eur_per_t": CERTIFICATE_PRICE, "kind": "certificate"}
    return pd.concat([means, pd.DataFrame([certificate])], ignore_index=True)


def build_partner_prices(raw: Path) -> pd.DataFrame:
    """Prices of the selected schemes on 1 April, first rate only, USD of the year rounded to cents."""
    table = read_csv(raw, PARTNER_PRICES)
    table = table[table["initiative"].isin(list(SCHEMES)) & (table["tier"].astype(int) == 1)]
    result = table[["jurisdiction", "initiative", "instrument", "year"]].assign(
        region=[SCHEMES[name][0] for name in table["initiative"]],
        scope=[SCHEMES[name][1] for name in table["initiative"]],
        usd_per_t=table["usd_per_t"].astype(float).round(2),
    )
    return result.sort_values(["region", "initiative", "year"], kind="stable").reset_index(drop=True)


def build_policy(raw: Path) -> tuple[Frames, Facts]:
    """The tables of `cbam/` and `carbon_price/`, and the figures of their method text."""
    defaults, facts = build_defaults(raw)
    frames = {
        "cbam-default-values": defaults,
        "cbam-benchmarks": build_benchmarks(raw),
        "cbam-schedule": build_schedule(raw),
        "carbon-price-eu": build_eu_prices(raw),
        "carbon-price-partners": build_partner_prices(raw),
    }
    return frames, facts
