"""What a CBAM good pays per tonne by law, and the look-ups that the law needs.

Units: emissions t CO2e per tonne of good; prices EUR per t CO2e.
"""

import pandas as pd

from carbonray.data.errors import DataError
from carbonray.data.resources import FALLBACK


def charge_per_tonne(
    *,
    embedded: float,
    benchmark: float,
    cbam_factor: float,
    certificate_price: float,
    markup: float = 0.0,
    price_paid_abroad: float = 0.0,
    cscf: float = 1.0,
) -> float:
    """Charge on one tonne of an imported good.

    charge = max(0, p max(0, SEE (1 + m) - f CSCF b) - p_o SEE)

    Regulation (EU) 2023/956: certificates for the embedded emissions, art. 22 with art. 7 and Annex IV (default values
    and their mark-up, IR (EU) 2025/2621); deduction of the carbon price effectively paid abroad, art. 9; adjustment
    for free allocation, art. 31, with the factor of Directive 2003/87/EC art. 10a(1a) and the benchmarks of IR (EU)
    2025/2620.  The factor multiplies the benchmark, not the emissions: whoever is dirtier than the benchmark pays the
    whole excess from the first year.

    SEE -> embedded;  m -> markup;  f -> cbam_factor;  CSCF -> cscf;  b -> benchmark;  p -> certificate_price;
    p_o -> price_paid_abroad

    Args:
        embedded: declared specific embedded emissions, before mark-up.
        benchmark: CBAM benchmark of the good and route.
        cbam_factor: share of the benchmark that stays free in the year.
        certificate_price: price of a CBAM certificate.
        markup: share added to a default value; 0 for verified emissions.
        price_paid_abroad: paid on each declared tonne of emissions, net of rebates and free allocation.
        cscf: cross-sectoral correction factor of the EU ETS.
    Returns:
        EUR per tonne of good, never negative: nothing is paid back.
    """
    certificates = max(0.0, embedded * (1.0 + markup) - cbam_factor * cscf * benchmark)
    return max(0.0, certificate_price * certificates - price_paid_abroad * embedded)


def default_values(defaults: pd.DataFrame, country: str, cn_code: str) -> pd.DataFrame:
    """Rows of the narrowest CN line that covers a code: the country's own, else those of other countries.

    More than one row where the annex splits a code by product (white and grey clinker).

    Args:
        defaults: as from `load_defaults`.
        country: English name as in the annex.
        cn_code: 4 to 8 digits.
    Raises:
        DataError: no line covers the code.
    """
    for name in (country, FALLBACK):
        rows = defaults[defaults["country"] == name]
        covering = rows[[cn_code.startswith(line) for line in rows["cn_code"]]]
        if len(covering):
            width = covering["cn_code"].str.len()
            return covering[width == width.max()].reset_index(drop=True)
    raise DataError(f"cbam/default_values.parquet: no line covers CN {cn_code}")


def benchmark_of(benchmarks: pd.DataFrame, cn_code: str, *, route: str = "", variant: str = "") -> float:
    """Benchmark of a CN code, or the one that all codes under a heading share.

    Args:
        benchmarks: as from `load_benchmarks`.
        cn_code: 4 to 8 digits.
        route: letter of the production route; blank where the good has one benchmark.
        variant: `1`, `2` or blank.
    Raises:
        DataError: no benchmark, or different ones under the heading.
    """
    rows = benchmarks[(benchmarks["route"] == route) & (benchmarks["variant"] == variant)]
    values = rows.loc[rows["cn_code"].str.startswith(cn_code), "benchmark_t_per_t"].unique()
    if len(values) != 1:
        raise DataError(
            f"cbam/benchmarks.parquet: CN {cn_code}, route {route!r}, variant {variant!r} has {len(values)} benchmarks"
            "; give a code and a route that have one"
        )
    return float(values[0])
