"""Named installations of the EU ETS from the transaction log, without natural persons."""

import re
from pathlib import Path

import pandas as pd

from carbonray.data.build_economy import Facts, Frames, read_csv
from carbonray.data.build_installations import COMPLIANCE
from carbonray.data.persons import brand, fold, is_company, is_place, recognised, without_forms

INSTALLATIONS = "euets/eutl_installations.csv.gz"
RAW_FILES = (INSTALLATIONS,)

SECTOR_OF = {
    "iron_steel": "STL",
    "aluminium": "ALU",
    "cement": "CEM",
    "fertiliser": "FER",
    "hydrogen": "FER",
    "refining": "REF",
}
ELSEWHERE = ("HR", "IS", "LI", "NO", "CH", "XI")  # registries whose country the model counts to ROW, and N. Ireland
LAST_YEAR = {"GB": 2020}  # of a registry; 2022 where not named
OBSERVED = 3  # years of the reference figures
NO_NAME = re.compile(r"-?|n\.?a\.?|x+|hr[ab] ?\d.*|[a-z]{2} ?\d{6,}.*|\d+ ?%.*", re.IGNORECASE)


def build_plants(raw: Path) -> tuple[Frames, Facts]:
    """The tables of `plants/`, and the figures of their method text."""
    accounts = read_csv(raw, INSTALLATIONS)
    accounts = accounts[accounts["model_sector"].isin(list(SECTOR_OF)) & ~accounts["registry"].isin(ELSEWHERE)]
    years = pd.read_parquet(raw / COMPLIANCE).rename(columns={"id": "plant_id", "verified_emissions": "emissions_t"})
    years = years[years["plant_id"].isin(accounts["id"])].rename(columns={"free_allocation": "free_allocation_t"})
    years = years.astype({"emissions_t": "float64", "free_allocation_t": "float64"})
    years = years[years["emissions_t"].notna() | (years["free_allocation_t"] > 0)]
    ever = years[years["emissions_t"] > 0].groupby("plant_id")["year"]
    accounts = accounts[accounts["id"].isin(ever.groups)]
    names, facts = public_names(accounts)
    plants = names.assign(
        country=accounts["registry"],
        region=accounts["registry"].map(lambda registry: "GBR" if registry == "GB" else "EU26"),
        sector=accounts["model_sector"].map(SECTOR_OF),
        activity=accounts["activity"],
        first_year=accounts["id"].map(ever.min()),
        last_year=accounts["id"].map(ever.max()),
    )
    emitted = plants["last_year"] == plants["country"].map(LAST_YEAR).fillna(years["year"].max())
    plants = plants.assign(status=emitted.map({True: "open", False: "closed"}))
    plants = plants.merge(reference(years, plants), on="plant_id", how="left", validate="1:1")
    plants = plants.sort_values("plant_id", kind="stable").reset_index(drop=True)
    facts["plants_without_company"] = float((plants["company"] == "").sum())
    years = years[years["plant_id"].isin(plants["plant_id"])].sort_values(["plant_id", "year"], kind="stable")
    columns = ["plant_id", "year", "emissions_t", "free_allocation_t"]
    return {"plants": plants, "plants-compliance": years[columns].reset_index(drop=True)}, facts


def reference(years: pd.DataFrame, plants: pd.DataFrame) -> pd.DataFrame:
    """Mean emissions and allocation of the last three years that each open plant reported, from its first year on."""
    rows = years.merge(plants.loc[plants["status"] == "open", ["plant_id", "first_year"]], on="plant_id")
    rows = rows[rows["emissions_t"].notna() & (rows["year"] >= rows["first_year"])]
    rows = rows.sort_values(["plant_id", "year"], kind="stable").groupby("plant_id").tail(OBSERVED)
    means = rows.fillna({"free_allocation_t": 0.0}).groupby("plant_id")[["emissions_t", "free_allocation_t"]].mean()
    return means.round(1).reset_index()


def public_names(accounts: pd.DataFrame) -> tuple[pd.DataFrame, Facts]:
    """Name and company of each account, natural persons left out, and how many names were left out."""
    parents = accounts["parent_company"].map(tidy)
    parents = parents.where(~parents.map(lambda name: bool(NO_NAME.fullmatch(name))), "")
    holders, installations = accounts["account_holder"].map(tidy), accounts["installation_name"].map(tidy)
    known_parent, known_holder = parents.map(is_company), holders.map(is_company)
    company = parents.where(known_parent, holders.where(known_holder, ""))
    withheld = {fold(name) for name in (*holders[~known_holder], *parents[~known_parent]) if name}
    named = installations.map(is_place) & ~installations.map(fold).isin(withheld)
    numbered = "plant " + accounts["id"]
    frame = pd.DataFrame(
        {"plant_id": accounts["id"], "name": installations.where(named, numbered), "company": one_spelling(company)}
    )
    facts = {
        "plants_holders_withheld": float(holders[~known_holder].nunique()),
        "plants_parents_withheld": float(parents[~known_parent & (parents != "")].nunique()),
        "plants_renamed": float((~named).sum()),
    }
    return frame, facts


def tidy(name: str) -> str:
    """A name without quotation marks, doubled blanks and blanks at its ends."""
    return " ".join(re.sub(r'["„”“]', " ", name).split()).strip(" -")


def one_spelling(companies: "pd.Series[str]") -> "pd.Series[str]":
    """One spelling per company: its brand, a recognised spelling, or the commonest of those alike but for the form."""
    keys = companies.map(lambda name: without_forms(fold(name)))
    counts = companies.groupby(companies).transform("size")
    frame = pd.DataFrame({"key": keys, "name": companies, "count": counts})
    frame = frame.sort_values(["count", "name"], ascending=[False, True], kind="stable")
    common = frame.groupby("key")["name"].first()
    spelled = keys.map(common)
    known = {without_forms(found): name for found, name in recognised("company").items()}
    declared = companies.map(lambda name: brand(name) or known.get(without_forms(fold(name)), ""))
    return declared.where(declared != "", spelled)
