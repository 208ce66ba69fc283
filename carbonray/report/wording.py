"""Numbers and codes as a reader meets them: `1.4 %`, `12,624 Mt`, `metals`.

U+2212 is the minus; U+00A0 joins number and unit.
"""

from collections.abc import Sequence

REGIONS = {
    "EU26": "the EU-26", "GBR": "the United Kingdom", "USA": "the United States", "CHN": "China", "IND": "India",
    "RUS": "Russia", "TUR": "Türkiye", "JPN": "Japan", "KTW": "Korea and Taiwan", "BMX": "Brazil and Mexico",
    "CAU": "Canada and Australia", "ROW": "the rest of the world",
}  # fmt: skip
SECTORS = {
    "AGR": "farming and forestry", "MIN": "mining", "REF": "refining", "CHE": "chemicals",
    "NMM": "minerals (cement, glass)", "MET": "metals", "ELE": "electricity and gas", "CON": "construction",
    "EQP": "machinery and vehicles",
    "FER": "fertilisers and hydrogen", "OCH": "other chemicals", "CEM": "cement", "ONM": "glass and other minerals",
    "STL": "iron and steel", "ALU": "aluminium", "OMT": "other metals",
    "OMF": "other manufacturing", "TRA": "transport", "SRV": "services",
}  # fmt: skip
"""Short names of the codes of the built-in table; a code without a name stands for itself."""


def region_name(code: str) -> str:
    """A region in a sentence."""
    return REGIONS.get(code, code)


def region_label(code: str) -> str:
    """A region on an axis or in a table."""
    name = region_name(code).removeprefix("the ")
    return name[:1].upper() + name[1:]


def sector_name(code: str) -> str:
    """A sector in a sentence."""
    return SECTORS.get(code, code)


def sector_label(code: str) -> str:
    """A sector on an axis or in a table."""
    name = sector_name(code)
    return name[:1].upper() + name[1:]


def in_sentence(label: str) -> str:
    """The name of a label inside a sentence."""
    names = {region_label(code): name for code, name in REGIONS.items()}
    return (names | {sector_label(code): name for code, name in SECTORS.items()}).get(label, label)


def percent(share: float | None, *, signed: bool = False) -> str:
    """A fraction as per cent; two decimals below one tenth of a per cent."""
    if share is None:
        return "undefined"
    value = 100 * share
    decimals = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 0.0995 else 2
    return f"{number(value, decimals, signed=signed)}\u00a0%"


def megatonnes(value: float | None, *, signed: bool = False) -> str:
    """Mt CO2."""
    return "undefined" if value is None else f"{number(value, _decimals(value), signed=signed)}\u00a0Mt"


def billions(million: float | None, *, signed: bool = False) -> str:
    """Million USD of 2011 as billion."""
    if million is None:
        return "undefined"
    return f"{number(million / 1000, _decimals(million / 1000), signed=signed)}\u00a0bn\u00a0USD"


def number(value: float, decimals: int = 0, *, signed: bool = False) -> str:
    """Thousands with commas, a true minus, never a minus zero."""
    text = f"{abs(value):,.{decimals}f}"
    zero = not text.strip("0.,")
    sign = "" if zero else "\u2212" if value < 0 else "+" if signed else ""
    return sign + text


def spread(bounds: tuple[float, float] | None) -> str:
    """An interval of a fraction, one decimal finer than the fraction itself: `1.35 to 1.50 %`."""
    return "" if bounds is None else f"{number(100 * bounds[0], 2)} to {number(100 * bounds[1], 2)}\u00a0%"


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def _decimals(value: float) -> int:
    size = abs(value)
    return 0 if size >= 99.5 else 1 if size >= 0.95 else 2
