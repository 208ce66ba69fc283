"""A foreign multi-regional table to an economy of one's own: read, checked, summed by two maps, written whole.

Axes: K row of the foreign table; C cell of the economy, region-major; R region.  Money million USD of the base year.

Conventions are those of the built-in tables: inventories are netted into final demand, what is then negative is
clipped, output is the row sum and value added what is left of it after inputs.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carbonray.data import import_checks, import_emissions
from carbonray.data.build_economy import clip_negatives, sum_groups
from carbonray.data.economy_frames import economy_frames
from carbonray.data.economy_tables import base_year, economy_in
from carbonray.data.errors import DataError
from carbonray.data.import_formats import Mrio, Request, check_request, read
from carbonray.data.import_maps import ROMANIA, CodeMap, check_codes, read_map
from carbonray.data.import_package import Clipping, Imported, write_package
from carbonray.worlds.cbam.economy import Economy

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]


def import_table(
    request: Request, *, regions: Path, sectors: Path, out: Path | None = None, progress: Progress | None = None
) -> Imported:
    """Import a foreign table as an economy that `load_economy` reads.

    Args:
        request: what to read, and how.
        regions: CSV `code,region`; every region of the table, and no other.
        sectors: CSV `code,sector`; every sector of the table, and no other.
        out: new folder, its name holding the base year; `economies/FORMAT_YEAR` if left out.
        progress: told each stage when it begins (0 of 1) and ends (1 of 1).
    Raises:
        DataError: one line that names file, code or cell, and the rule; nothing is written then.
    """
    tell = progress or (lambda *_: None)
    check_request(request)
    check_out(out)
    maps = read_maps(request, regions, sectors)
    import_emissions.check_file(request)
    tell("reading", 0, 1)
    table = read(request)
    tell("reading", 1, 1)
    year = settle_year(request, table, out)
    target = out or Path("economies") / f"{request.format}_{year}"
    check_out(target)
    tell("checking, summing", 0, 1)
    imported = check_and_sum(request, table, maps, target, year)
    tell("checking, summing", 1, 1)
    tell("writing", 0, 1)
    write(imported)
    tell("writing", 1, 1)
    return imported


def named_maps(request: Request, regions: Path | None, sectors: Path | None) -> tuple[Path, Path]:
    """Both maps; DataError tells how to write one that was not given."""
    check_request(request)
    if regions is None or sectors is None:
        kind = "regions" if regions is None else "sectors"
        own = f"--format {request.format} --path {request.path}"
        raise DataError(
            f"--{kind}: the table needs a map; write one to fill in with "
            f"`carbonray data template {kind} {own} --out {kind}.csv`"
        )
    return regions, sectors


def read_maps(request: Request, regions: Path, sectors: Path) -> tuple[CodeMap, CodeMap]:
    """Both maps."""
    aliases = ROMANIA if request.format == "wiod" else {}
    return read_map(regions, "region", aliases=aliases), read_map(sectors, "sector", aliases=aliases)


def check_out(out: Path | None) -> None:
    """Raise DataError if a folder is in the way or cannot be found again by its year."""
    if out is None:
        return
    if out.exists():
        raise DataError(f"{out}: exists already; give a new name with --out")
    nearest = next(parent for parent in out.absolute().parents if parent.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise DataError(f"{out}: cannot be written; {nearest.name or nearest} is no folder that may be written")
    try:
        base_year(out)
    except DataError:
        name = out.name
        raise DataError(f"{name}: a table's folder must have its base year in its name, as {name}_2011 has") from None


def settle_year(request: Request, table: Mrio, out: Path | None) -> int:
    """The base year; DataError if nothing tells it, or two things tell different ones."""
    told = {"--year": request.year, request.label: table.year, "--out": None if out is None else base_year(out)}
    years = {source: year for source, year in told.items() if year is not None}
    if not years:
        raise DataError(f"{request.label}: does not tell its year; give it with --year")
    first = next(iter(years))
    for source, year in years.items():
        if year != years[first]:
            raise DataError(f"{source}: says {year}, {first} says {years[first]}; a table has one base year")
    return years[first]


def check_and_sum(request: Request, table: Mrio, maps: tuple[CodeMap, CodeMap], folder: Path, year: int) -> Imported:
    """Everything between reading and writing."""
    regions, sectors = maps
    check_maps(request, table, maps, year)
    rate = import_checks.dollars(request, table.money)
    import_checks.check_numbers(request, table)
    import_checks.check_signs(request, table)
    balance = import_checks.check_balance(request, table)
    cell = regions.numbers(table.regions) * len(sectors.targets) + sectors.numbers(table.sectors)
    check_complete(request, maps, cell)
    if import_emissions.is_file(request.emissions):
        emissions = import_emissions.from_file(Path(request.emissions[0]), year, regions, sectors)
    else:
        number = len(regions.targets) * len(sectors.targets)
        emissions = import_emissions.from_extensions(request, table, cell, number)
    transactions = sum_groups(table.transactions, cell, cell) * rate
    final_demand = sum_groups(table.final_demand, cell, regions.numbers(table.markets)) * rate
    economy, clipped = clip(request, maps, year, (transactions, final_demand, emissions.cells))
    return Imported(
        folder=folder,
        economy=economy,
        request=request,
        maps=maps,
        money=table.money,
        rate=rate,
        balance=balance,
        clipped=clipped,
        emissions=emissions,
        value_added="residual" if balance.value_added_gap is None else "stated",
        files=(*table.files, *emissions.files),
        notes=table.notes,
    )


def check_maps(request: Request, table: Mrio, maps: tuple[CodeMap, CodeMap], year: int) -> None:
    """Raise DataError unless the maps hold the table's codes, and beside them only those of the emissions."""
    wanted = ((*table.regions, *table.markets), table.sectors)
    for codes, needed in zip(maps, wanted, strict=True):
        known: set[str] = set()
        if import_emissions.is_file(request.emissions):
            known = import_emissions.codes_in(Path(request.emissions[0]), year, codes)
        check_codes(codes, request.label, needed, known)


def check_complete(request: Request, maps: tuple[CodeMap, CodeMap], cell: NDArray[np.intp]) -> None:
    """Raise DataError if a region and sector of the economy have no row of the table."""
    regions, sectors = (codes.targets for codes in maps)
    empty = np.setdiff1d(np.arange(len(regions) * len(sectors)), cell)
    if len(empty):
        region, sector = divmod(int(empty[0]), len(sectors))
        raise DataError(
            f"{request.label}: {regions[region]}-{sectors[sector]} gets no row of the table by the maps; "
            "every region needs every sector"
        )


def clip(
    request: Request, maps: tuple[CodeMap, CodeMap], year: int, sums: tuple[Array, Array, Array]
) -> tuple[Economy, Clipping]:
    """The economy with negatives set to zero; DataError if that is most of what a cell sells."""
    transactions, flows_z, musd_z = clip_negatives(sums[0])
    final_demand, flows_f, musd_f = clip_negatives(sums[1])
    economy = Economy(
        regions=maps[0].targets,
        sectors=maps[1].targets,
        year=year,
        transactions=transactions,
        final_demand=final_demand,
        emissions=sums[2],
    )
    added = economy.output - sums[0].sum(1) - sums[1].sum(1)
    share = added / np.maximum(economy.output, np.finfo(float).tiny)
    worst = int(share.argmax())
    if share[worst] > import_checks.CELL_NEGATIVE_SHARE:
        raise DataError(
            f"{request.label}: {economy.cells[worst]}: negative sales of {added[worst]:g} million USD are "
            f"{share[worst]:.0%} of its positive ones; at most {import_checks.CELL_NEGATIVE_SHARE:.0%} is clipped"
        )
    number, musd = flows_z + flows_f, musd_z + musd_f
    cell = economy.cells[worst] if number else ""
    return economy, Clipping(flows=number, musd=musd, cell=cell, share=float(share[worst]) if number else 0.0)


def write(imported: Imported) -> None:
    """Write the folder whole or not at all, and read it back as `load_economy` will.

    Raises:
        DataError: the disk is full or not writable, or the tables break a rule of an economy.
    """
    out = imported.folder
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as name:
            fresh = Path(name) / out.name
            write_package(imported, economy_frames(imported.economy), fresh)
            economy_in(fresh, imported.economy.year)
            fresh.rename(out)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror or error})") from None
