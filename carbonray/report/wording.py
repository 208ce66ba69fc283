"""Numbers and codes as a reader meets them: `1.4 %`, `12,624 Mt`, `metals`.

U+2212 is the minus; U+00A0 joins number and unit.
"""

from collections.abc import Sequence

from carbonray.data.names import REGIONS, SECTORS
from carbonray.data.names import region_name as region_name
from carbonray.data.names import sector_name as sector_name


def region_label(code: str) -> str:
    """A region on an axis or in a table."""
    name = region_name(code).removeprefix("the ")
    return name[:1].upper() + name[1:]


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
