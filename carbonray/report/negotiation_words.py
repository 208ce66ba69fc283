"""Figures, regions, protocols and switches of a negotiation as a reader meets them."""

import inspect
from collections.abc import Mapping, Sequence

from carbonray.config_climate import Negotiation
from carbonray.report.wording import listed, number, percent
from carbonray.worlds.climate_negotiation import protocols

PROTOCOLS: Mapping[str, str] = {
    "none": "Nothing is negotiated.",
    "bilateral": "Each region makes every other one an offer: a mitigation rate it promises and one it asks for. "
    "Who accepts, and whose offer is accepted, is bound by the strictest of these rates. Whoever is bound counts as a "
    "member.",
    "club": "Members keep a mitigation floor and put one tariff on the goods of all who are not members.",
    "border-club": "Members keep a mitigation floor and charge imports of others for their carbon, at the price that "
    "the floor implies, less what the origin already bears.",
}
"""What each built-in protocol binds its members to."""

SWITCHES: Mapping[tuple[str, str], str] = {
    ("tariff_revenue", "returned"): "Tariff revenue reaches consumers instead of being lost",
    ("tariff_revenue", "lost"): "Tariff revenue is lost, as published",
    ("mitigation_floor", "step"): "The floor holds whatever is chosen, not by the action mask alone",
    ("mitigation_floor", "mask"): "The floor holds by the action mask alone, as published",
    ("interest", "per-year"): "Balances bear 10 % interest a year instead of per five years",
    ("interest", "per-step"): "Balances bear 10 % interest per five years, as published",
    ("rates", "full"): "Rates are ninths up to 1 instead of tenths up to 0.9",
    ("rates", "tenths"): "Rates are tenths up to 0.9, as published",
}
"""What setting each switch changes: the correction of an oddity, or the way back."""


def degrees(value: float, *, signed: bool = False) -> str:
    """Degrees C; two decimals, for a tenth matters."""
    return f"{number(value, 2, signed=signed)}\u00a0°C"


def gigatonnes(value: float, *, signed: bool = False) -> str:
    """Gt CO2."""
    return f"{number(value, _decimals(value), signed=signed)}\u00a0Gt\u00a0CO2"


def trillions(value: float, *, signed: bool = False) -> str:
    """Trillion USD."""
    return f"{number(value, _decimals(value), signed=signed)}\u00a0tn\u00a0USD"


def _decimals(value: float) -> int:
    size = abs(value)
    return 0 if size >= 99.5 else 1 if size >= 9.95 else 2


def rate(value: float) -> str:
    """A rate that may be nothing at all."""
    return "0\u00a0%" if value == 0 else percent(value)


def count_of(value: float) -> str:
    """A mean number of regions."""
    return number(value, 0 if abs(value - round(value)) < 1e-9 else 1)


def regions_named(some: Sequence[str], rest: Sequence[str]) -> str:
    """Regions by name, or those left out where they are few."""
    if not some:
        return "none"
    if not rest:
        return f"all {len(some)} regions"
    return f"all but {listed(rest)}" if 3 * len(rest) <= len(some) else listed(some)


def protocol_name(protocol: str) -> str:
    """A protocol by name; of a user's own file only its last part, for the rest is a place on one machine."""
    return protocol.replace("\\", "/").rpartition("/")[2]


def protocol_sentence(protocol: str) -> str:
    """What a protocol binds its members to."""
    return PROTOCOLS.get(protocol, "The rules are the user's own function.")


def agreement(negotiation: Negotiation) -> str:
    """What is negotiated in one sentence, from the protocol and the options that the run had."""
    name = negotiation.protocol
    if name == "none":
        return "No negotiation: every region for itself."
    floor = f"A club with a mitigation floor of {_option(negotiation, 'floor')}"
    said = {
        "bilateral": "Regions bind each other pair by pair to a mitigation rate",
        "club": f"{floor} and a tariff of {_option(negotiation, 'tariff')} on everybody outside",
        "border-club": f"{floor} and a carbon charge at its border",
    }.get(name) or _own(negotiation)
    return f"{said}." if negotiation.binding else f"{said}; here it binds nobody."


def _option(negotiation: Negotiation, option: str) -> str:
    """A rate that a built-in protocol was given, or its default."""
    defaults = inspect.signature(protocols.PROTOCOLS.get(negotiation.protocol, protocols.club)).parameters
    default = defaults[option].default if option in defaults else ""
    value = negotiation.options.get(option, default)
    if not isinstance(value, int | float):
        return str(value)
    return f"{number(100 * value, 0 if abs(100 * value - round(100 * value)) < 1e-9 else 1)}\u00a0%"


def _own(negotiation: Negotiation) -> str:
    given = ", ".join(
        f"{option}: {', '.join(map(str, value)) if isinstance(value, tuple) else value}"
        for option, value in negotiation.options.items()
    )
    return f"A protocol of the user's own, {protocol_name(negotiation.protocol)}" + f" ({given})" * bool(given)


def switch_label(switch: str, value: str) -> str:
    """A correction in words."""
    return SWITCHES.get((switch, value), f"{switch}: {value}")
