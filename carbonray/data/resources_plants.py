"""The tables of `plants/`: installations of the EU ETS by name, and what they emitted and were allocated.

Imported by `resources`, so it brings its own columns.
"""

from functools import partial

from carbonray.data.schema import Column, Resource
from carbonray.data.sources import EUTL

text = partial(Column, kind="text")
year = partial(Column, kind="integer", unit="year", minimum=0.0)
tonnes = partial(Column, kind="number", unit="t CO2e / year", minimum=0.0)

PLANTS = Resource(
    name="plants",
    path="plants/plants.parquet",
    title="Installations of the EU ETS that make steel, aluminium, cement, fertilisers, hydrogen and refined products",
    year="2005-2022",
    method="Operator accounts of the 26 states of EU26 and of the United Kingdom with activities of the model's "
    "sectors, as their accounts file them: iron and steel STL, aluminium ALU, cement clinker CEM (with the lime kilns "
    "of the former joint activity), nitric acid, ammonia and hydrogen FER, refining REF. Accounts "
    "that never reported emissions are left out. Combustion is left out: it "
    "holds power stations, heat plants, and works power plants and chemical plants of every industry, which the "
    "registry does not tell apart. Croatia, Norway and Iceland are left out, for the model counts them to ROW, which "
    "pays no price of the home region and is charged at its border. Reference figures are means of the last three "
    "observed years, of plants that emitted in the last year of their registry (2022; United Kingdom 2020); the others "
    "are closed and have none. No natural persons: a name is kept only where a corporate form, a brand, a company word "
    "or a reading shows that it is no person's ({plants_holders_withheld:.0f} account holders and "
    "{plants_parents_withheld:.0f} parents were left out, {plants_renamed:.0f} plants have no name of their own and "
    "bear their number). The company is the parent where the account names one, else the account holder, else blank "
    "({plants_without_company:.0f} plants); a company name that holds a brand is given as the brand, "
    "whoever owns the plant; Lafarge and LafargeHolcim, merged in 2015, are given as Holcim.",
    columns=(
        text(name="plant_id", description="registry and number of the account"),
        text(name="name", description="installation"),
        text(name="company", description="parent company, else account holder; may be blank"),
        text(name="country", description="registry, two letters"),
        text(name="region", description="model region"),
        text(name="sector", description="sector of the 16-sector table"),
        text(name="activity", description="activity of the account"),
        text(name="status", description="open: emitted in the last year of its registry; closed: did not"),
        year(name="first_year", description="first year with emissions above zero"),
        year(name="last_year", description="last year with emissions above zero"),
        tonnes(
            name="emissions_t",
            description="verified emissions, mean of the last three observed years; empty if closed",
            required=False,
        ),
        tonnes(
            name="free_allocation_t",
            description="free allocation, mean of the same years; empty if closed",
            required=False,
        ),
    ),
    key=("plant_id",),
    sources=(EUTL,),
)
COMPLIANCE = Resource(
    name="plants-compliance",
    path="plants/compliance.parquet",
    title="Verified emissions and free allocation of these installations by year",
    year="2005-2022",
    method="Years in which the account has emissions or an allocation. Empty is not reported; allocation not reported "
    "counts as none in the reference figures. Aluminium, fertilisers and hydrogen enter in 2013, Bulgaria and Romania "
    "in 2007; the United Kingdom leaves after 2020.",
    columns=(
        text(name="plant_id", description="registry and number of the account"),
        year(name="year", description="calendar year"),
        tonnes(name="emissions_t", description="verified emissions", required=False),
        tonnes(name="free_allocation_t", description="free allocation", required=False),
    ),
    key=("plant_id", "year"),
    sources=(EUTL,),
)

RESOURCES_PLANTS = (PLANTS, COMPLIANCE)
