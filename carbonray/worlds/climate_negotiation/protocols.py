"""Negotiation protocols: plain functions from what regions offered each other to what binds them.

A protocol is called once in every round of negotiation, after proposals were made and answered.  It takes
`(offers, situation, **options)` and returns `Commitments`; options are the scenario's `negotiation.options`.  A user's
own is one such function, named in the scenario as FILE.py:function.  It must be pure: what it gives depends on nothing
but what it is given.

Commitments hold until the next round.  A tariff acts one activity step after it is set, in the reference too, so that
of a round acts in the step after next.  In the first round nothing was produced yet: output, emissions and mitigation
of the situation are zero.

Axes: B replica, R region; in [B, R, R] the second axis is who speaks (or imports), the third to whom (or from whom).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from carbonray.worlds import exact


class ProtocolError(ValueError):
    """A protocol that gave what no region can be bound to; one line naming it and the rule."""


@dataclass(frozen=True, kw_only=True)
class Offers:
    """What regions said to each other."""

    promised: Tensor  # [B, R, R] mitigation rate that I keep if you accept
    requested: Tensor  # [B, R, R] mitigation rate that I ask you to keep
    accepted: Tensor  # [B, R, R] 1 where I accept your proposal, else 0; own entries 0


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What a protocol may look at besides: the regions' last published figures."""

    year: int
    output: Tensor  # [B, R] gross output, trillion USD a year
    emissions: Tensor  # [B, R] Gt CO2 a year
    intensity: Tensor  # [B, R] Gt CO2 per trillion USD before mitigation
    mitigation: Tensor  # [B, R] rate
    carbon_price: Callable[[Tensor | float], Tensor]
    """Marginal cost of abatement at mitigation rates [B, R] or one rate for all: [B, R] trillion USD per Gt CO2."""
    member: Tensor  # [B, R] bool, before this round


@dataclass(frozen=True, kw_only=True)
class Commitments:
    """What binds the regions until the next round."""

    minimum_mitigation: Tensor | None = None  # [B, R] rate; none where left out
    minimum_tariff: Tensor | None = None  # [B, R, R] importer, exporter: ad valorem rate; collected by customs
    member: Tensor | None = None  # [B, R] bool; whoever has a minimum mitigation, where left out


@dataclass(frozen=True, kw_only=True)
class Treaty:
    """Commitments in full, as they stand in the commons."""

    minimum_mitigation: Tensor  # [B, R] rate
    minimum_tariff: Tensor  # [B, R, R] rate
    member: Tensor  # [B, R] bool


Protocol = Callable[[Offers, Situation], Commitments]

CLUB_FLOOR = 0.4
"""Mitigation rate that members of a club keep, unless its scenario says otherwise."""


def bilateral(offers: Offers, situation: Situation) -> Commitments:
    """The reference's: a pair that agrees is bound both ways, each region by the strictest of its agreements.

    mu_i >= max_j max(promised_ij accepted_ji, requested_ji accepted_ij)     (Zhang et al. 2022)
    """
    kept = offers.promised * offers.accepted.transpose(1, 2)
    granted = offers.requested.transpose(1, 2) * offers.accepted
    return Commitments(minimum_mitigation=torch.maximum(kept, granted).amax(2))


def joined(offers: Offers, floor: float) -> Tensor:
    """[B, R] bool: who has an agreement in which both sides keep at least the floor."""
    willing = (offers.promised >= floor) & (offers.requested >= floor)
    agreed = willing & (offers.accepted.transpose(1, 2) > 0)
    return (agreed | agreed.transpose(1, 2)).any(2)


def club(offers: Offers, situation: Situation, *, floor: float = CLUB_FLOOR, tariff: float = 0.2) -> Commitments:
    """A climate club (Nordhaus 2015): members keep a mitigation floor and put one tariff on all who are not members.

    Args:
        offers: whoever has an agreement in which both sides keep at least the floor is a member.
        situation: not looked at.
        floor: mitigation rate that members keep.
        tariff: their least ad valorem rate on imports from others.
    """
    member = joined(offers, floor)
    return Commitments(
        minimum_mitigation=floor * member.to(offers.promised.dtype),
        minimum_tariff=tariff * _outward(member).to(offers.promised.dtype),
        member=member,
    )


def border_club(offers: Offers, situation: Situation, *, floor: float = CLUB_FLOOR) -> Commitments:
    """A club with a border adjustment: members charge the carbon in imports at the price that their floor implies.

    tariff_ij = max(0, p_i(floor) - p_j(mu_j)) (1 - mu_j) sigma_j     p(mu): marginal cost of abatement

    The price already paid at the origin is deducted, as CBAM does.  Members are those of `club`.
    """
    member = joined(offers, floor)
    due = situation.carbon_price(floor)[:, :, None] - situation.carbon_price(situation.mitigation)[:, None, :]
    carbon = (1.0 - situation.mitigation) * situation.intensity
    charge = (due.clamp(min=0.0) * carbon[:, None, :]).clamp(max=1.0)
    return Commitments(
        minimum_mitigation=floor * member.to(offers.promised.dtype),
        minimum_tariff=charge * _outward(member).to(offers.promised.dtype),
        member=member,
    )


def _outward(member: Tensor) -> Tensor:
    """[B, R, R] bool: a member imports from one who is not."""
    return member[:, :, None] & ~member[:, None, :]


PROTOCOLS: dict[str, Callable[..., Commitments]] = {
    "bilateral": bilateral,
    "club": club,
    "border-club": border_club,
}
"""The built-in protocols; `none` has no negotiation at all."""


def nobody_bound(like: Tensor) -> Treaty:
    """No commitments, in the shape of `like`, [B, R]."""
    everyone = like.shape[-1]
    return Treaty(
        minimum_mitigation=torch.zeros_like(like),
        minimum_tariff=like.new_zeros(1, 1, 1).expand(len(like), everyone, everyone),
        member=torch.zeros_like(like, dtype=torch.bool),
    )


def checked(name: str, made: Any, like: Tensor) -> Treaty:
    """Commitments in full, as a protocol made them.

    Args:
        name: of the protocol, for the refusal.
        made: what it returned.
        like: [B, R] in the type of the world.

    Raises:
        ProtocolError: if they are not `Commitments`, or not rates in the shape of the world.
    """
    if not isinstance(made, Commitments):
        raise ProtocolError(f"{name}: returned {type(made).__name__}; a protocol returns Commitments")
    replicas, everyone = like.shape
    least = _rates(name, "minimum_mitigation", made.minimum_mitigation, (replicas, everyone), like)
    tariff = _rates(name, "minimum_tariff", made.minimum_tariff, (replicas, everyone, everyone), like)
    member = least > 0 if made.member is None else made.member
    if not isinstance(member, Tensor) or member.shape != like.shape or member.dtype != torch.bool:
        raise ProtocolError(f"{name}: member is {_shown(member)}; it must be bool [{replicas}, {everyone}]")
    member = member.to(device=like.device, copy=True)
    own = torch.eye(everyone, dtype=torch.bool, device=like.device)
    return Treaty(minimum_mitigation=least, minimum_tariff=tariff.masked_fill(own, 0.0), member=member)


def _rates(name: str, field: str, values: Tensor | None, shape: tuple[int, ...], like: Tensor) -> Tensor:
    if values is None:
        return like.new_zeros(shape)
    if not isinstance(values, Tensor) or values.shape != shape:
        raise ProtocolError(f"{name}: {field} is {_shown(values)}; it must be {list(shape)}")
    if values.dtype.is_complex:
        raise ProtocolError(f"{name}: {field} is {_shown(values)}; a rate is a real number")
    rates = values.detach().to(device=like.device, dtype=like.dtype, copy=True)
    if bool(rates.isnan().any()):
        raise ProtocolError(f"{name}: {field} is not a number somewhere; a rate is a share in [0, 1]")
    if not bool(((rates >= 0) & (rates <= 1)).all()):
        raise ProtocolError(f"{name}: {field} leaves [0, 1]; a rate is a share")
    return rates


def _shown(values: Any) -> str:
    return f"{values.dtype} {list(values.shape)}" if isinstance(values, Tensor) else type(values).__name__


def marginal_cost(price: Tensor, exponent: Tensor, mitigation: Tensor | float) -> Tensor:
    """Marginal cost of abatement: `p_b mu^(theta_2 - 1)`, [B, R] trillion USD per Gt CO2.

    Args:
        price: [R] p_b now, trillion USD per Gt CO2 (a thousand USD per t).
        exponent: [R] theta_2.
        mitigation: [B, R] rate, or one for all.
    """
    rate = mitigation if isinstance(mitigation, Tensor) else price.new_full((1, len(price)), mitigation)
    return price * exact.power(rate, exponent - 1.0)
