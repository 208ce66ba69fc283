"""An import in words: what came in, what was done to it, and the next command."""

import shlex

import yaml

from carbonray.config import ScenarioError
from carbonray.data.import_emissions import listed
from carbonray.data.import_package import Imported
from carbonray.data.scenarios import find, load
from carbonray.worlds.cbam.names import check_names


def summary(imported: Imported) -> str:
    """What came in, in words, and the next command."""
    economy, clipped, emissions = imported.economy, imported.clipped, imported.emissions
    regions, sectors = imported.maps
    lines = [
        f"imported: {imported.folder}, base year {economy.year}",
        f"  regions      {len(economy.regions):4} of {len(regions.target)} codes: {' '.join(economy.regions)}",
        f"  sectors      {len(economy.sectors):4} of {len(sectors.target)} codes: {' '.join(economy.sectors)}",
        f"  output       {economy.output.sum() / 1e6:10.3f} trillion USD a year",
        f"  CO2          {emissions.cells.sum():10.1f} Mt of production, from {listed(list(emissions.accounts))}",
    ]
    if emissions.households > 0:
        lines.append(f"               {emissions.households:10.1f} Mt of households left out")
    lines.append(f"  value added  {economy.value_added.sum() / 1e6:10.3f} trillion USD, {value_added_words(imported)}")
    if imported.rate != 1.0:
        lines.append(f"  money        {imported.rate:10g} million USD in one unit of {imported.money!r}")
    if clipped.flows:
        lines.append(
            f"  clipped      {clipped.flows:10} negative flows of {clipped.musd:,.0f} million USD together, most in "
            f"{clipped.cell} ({clipped.share:.1%} of its output)"
        )
    lines += [f"  note         {note}" for note in imported.notes]
    return "\n".join([*lines, f"next: {next_command(imported)}"])


def value_added_words(imported: Imported) -> str:
    """How value added was taken."""
    if imported.value_added == "stated":
        return f"as stated within {imported.balance.value_added_gap or 0.0:.1e} of output"
    return "output less inputs"


def next_command(imported: Imported) -> str:
    """The command that simulates the law on the economy, with what must be set for its codes.

    Regions that the law names and the economy has not are taken out of its partners; the first region is made the
    home if the law's is not there.  Where that does not fit either, the law is to be copied and edited.
    """
    law, regions = load("law"), imported.economy.regions
    settings = [f"economy={imported.folder}"]
    home = [region for region in law.home if region in regions] or [regions[0]]
    if tuple(home) != law.home:
        settings.append(f"home=[{', '.join(home)}]")
    partners = {name: each for name, each in raw_partners().items() if name in regions and name not in home}
    if partners.keys() != law.partners.price.keys():
        settings.append("partners.price={" + ", ".join(f"{name}: {each}" for name, each in partners.items()) + "}")
    try:
        check_names(imported.economy, load("law", settings))
    except ScenarioError as error:
        return f"carbonray scenarios law > mine.yaml, and fit its codes to the economy ({error})"
    return " ".join(["carbonray simulate law", *(f"--set {shlex.quote(setting)}" for setting in settings)])


def raw_partners() -> dict[str, object]:
    """Carbon prices of partners as the law's file has them."""
    content = yaml.safe_load(find("law").read_text(encoding="utf-8"))
    return dict(content.get("partners", {}).get("price", {}))
