"""Negotiation protocols by hand, and protocols of a user's own with their refusals."""

from pathlib import Path

import numpy as np
import pytest
import torch

from carbonray.config import ScenarioError
from carbonray.config_climate import NegotiationScenario
from carbonray.data.negotiation import moved_rates, negotiation_world, protocol_of
from carbonray.data.scenarios import load
from carbonray.runtime.negotiation_run import run
from carbonray.worlds.climate_negotiation.protocols import (
    Commitments,
    Offers,
    ProtocolError,
    Situation,
    bilateral,
    border_club,
    checked,
    club,
    marginal_cost,
)


def pairs(rows: list[list[float]]) -> torch.Tensor:
    return torch.tensor([rows], dtype=torch.float64)


OFFERS = Offers(
    promised=pairs([[0.9, 0.5, 0.2], [0.3, 0.0, 0.7], [0.6, 0.1, 0.0]]),
    requested=pairs([[0.9, 0.4, 0.8], [0.2, 0.0, 0.9], [0.5, 0.6, 0.0]]),
    accepted=pairs([[0, 1, 0], [0, 0, 1], [1, 0, 0]]),
)
PRICE, EXPONENT = torch.full((3,), 0.55, dtype=torch.float64), torch.full((3,), 2.6, dtype=torch.float64)
SITUATION = Situation(
    year=2015,
    output=torch.ones(1, 3, dtype=torch.float64),
    emissions=torch.ones(1, 3, dtype=torch.float64),
    intensity=torch.tensor([[0.2, 0.5, 1.0]], dtype=torch.float64),
    mitigation=torch.tensor([[0.0, 0.0, 0.2]], dtype=torch.float64),
    carbon_price=lambda rate: marginal_cost(PRICE, EXPONENT, rate),
    member=torch.zeros(1, 3, dtype=torch.bool),
)


def test_bilateral_binds_both_sides_of_an_accepted_proposal() -> None:
    # 0 accepts 1, 1 accepts 2, 2 accepts 0.  0: promised 0.2 to 2, asked 0.2 by 1.
    # 1: promised 0.3 to 0, asked 0.6 by 2.  2: promised 0.1 to 1, asked 0.8 by 0.
    assert bilateral(OFFERS, SITUATION).minimum_mitigation.tolist() == [[0.2, 0.6, 0.8]]


def test_a_club_joins_who_agree_at_the_floor() -> None:
    # Accepted pairs (proposer, promised, requested): 1 -> 0 (0.3, 0.2), 2 -> 1 (0.1, 0.6), 0 -> 2 (0.2, 0.8).
    for floor, members in ((0.1, [True, True, True]), (0.2, [True, True, True]), (0.3, [False, False, False])):
        assert club(OFFERS, SITUATION, floor=floor).member.tolist() == [members]
    only = Offers(
        promised=OFFERS.promised, requested=OFFERS.requested, accepted=pairs([[0, 1, 0], [0, 0, 0], [0, 0, 0]])
    )
    made = club(only, SITUATION, floor=0.2, tariff=0.3)
    assert made.member.tolist() == [[True, True, False]]
    assert made.minimum_mitigation.tolist() == [[0.2, 0.2, 0.0]]
    assert made.minimum_tariff.tolist() == [[[0.0, 0.0, 0.3], [0.0, 0.0, 0.3], [0.0, 0.0, 0.0]]]


def test_a_border_club_charges_the_carbon_that_nobody_paid_for() -> None:
    only = Offers(
        promised=OFFERS.promised, requested=OFFERS.requested, accepted=pairs([[0, 1, 0], [0, 0, 0], [0, 0, 0]])
    )
    made = border_club(only, SITUATION, floor=0.2)
    # The outsider already pays what the floor costs: nothing is due.
    assert made.minimum_tariff.abs().max() == 0
    free = Situation(**{**vars(SITUATION), "mitigation": torch.zeros(1, 3, dtype=torch.float64)})
    due = 0.55 * 0.2**1.6 * 1.0
    assert border_club(only, free, floor=0.2).minimum_tariff[0, 0].tolist() == pytest.approx([0.0, 0.0, due])
    part = Situation(**{**vars(SITUATION), "mitigation": torch.tensor([[0.0, 0.0, 0.1]], dtype=torch.float64)})
    due = 0.55 * (0.2**1.6 - 0.1**1.6) * 0.9
    assert border_club(only, part, floor=0.2).minimum_tariff[0, 1].tolist() == pytest.approx([0.0, 0.0, due])


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (None, "mine: returned NoneType; a protocol returns Commitments"),
        (
            Commitments(minimum_mitigation=torch.full((1, 3), 1.5)),
            "mine: minimum_mitigation leaves [0, 1]; a rate is a share",
        ),
        (Commitments(minimum_mitigation=torch.full((1, 3), float("nan"))), "mine: minimum_mitigation is not a number"),
        (Commitments(minimum_mitigation=torch.zeros(1, 3, dtype=torch.cfloat)), "a rate is a real number"),
        (
            Commitments(minimum_mitigation=torch.zeros(3)),
            r"mine: minimum_mitigation is torch.float32 [3]; it must be [1, 3]",
        ),
        (
            Commitments(minimum_tariff=torch.zeros(1, 3)),
            "mine: minimum_tariff is torch.float32 [1, 3]; it must be [1, 3, 3]",
        ),
        (Commitments(minimum_mitigation=0.5), "mine: minimum_mitigation is float; it must be [1, 3]"),
        (Commitments(member=torch.zeros(1, 3)), "mine: member is torch.float32 [1, 3]; it must be bool [1, 3]"),
        (Commitments(member=True), "mine: member is bool; it must be bool [1, 3]"),
    ],
)
def test_what_nobody_can_be_bound_to_is_refused(made: object, told: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        checked("mine", made, torch.zeros(1, 3, dtype=torch.float64))
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def scenario(protocol: object, **options: object) -> NegotiationScenario:
    settings = [f"negotiation.protocol={protocol}", f"negotiation.options={dict(options)}"]
    found = load("climate-negotiation/bilateral", settings)
    assert isinstance(found, NegotiationScenario)
    return found


PACT = '''
from carbonray.worlds.climate_negotiation import Commitments

def pact(offers, situation, *, floor=0.3):
    """Whoever accepts anybody keeps the floor."""
    joins = offers.accepted.sum(2) > 0
    return Commitments(minimum_mitigation=floor * joins)

def broken(offers, situation):
    return offers.promised[7]

def greedy(offers, situation):
    situation.intensity.mul_(0.0)
    offers.accepted.fill_(7.0)
    offers.promised.zero_()
    return Commitments(minimum_mitigation=offers.promised[:, 0])

def leaves(offers, situation):
    raise SystemExit(3)

def held(offers, situation):
    least = offers.promised[:, 0].clone().requires_grad_()
    return Commitments(minimum_mitigation=least)
'''


def test_a_protocol_of_ones_own_is_one_function(tmp_path: Path) -> None:
    path = tmp_path / "pact.py"
    path.write_text(PACT, encoding="utf-8")
    century = run(negotiation_world(scenario(f"{path}:pact", floor=0.3)))
    assert century.member[1:].sum(2).tolist() == [[8]] * 20  # the cooperators of the shipped scenario
    assert century.regions["mitigation"][1:].max() == pytest.approx(0.3)  # 0.3 in single precision is above it


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("pact.py:pact", {"flor": 0.2}, "refuses them (got an unexpected keyword argument 'flor'); it takes floor"),
        ("pact.py:treaty", {}, "pact.py has no function treaty"),
        ("none.py:pact", {}, "none.py cannot be loaded (no such file)"),
        ("syntax.py:pact", {}, "syntax.py cannot be loaded (line 2: SyntaxError"),
        ("raises.py:pact", {}, "raises.py cannot be loaded (line 1: ZeroDivisionError: division by zero)"),
        ("club", {"floor": 1.4}, "negotiation.options.floor: must be a rate in [0, 1] (got 1.4)"),
        ("club", {"floor": "high"}, "negotiation.options.floor: must be a rate in [0, 1] (got 'high')"),
        ("club", {"roof": 0.4}, "it takes floor, tariff"),
        ("leaves.py:pact", {}, "bilateral: negotiation.protocol: "),
        ("leaves.py:pact", {}, "leaves.py cannot be loaded (line 1: SystemExit: 3)"),
        ("builtins:dict", {}, "negotiation.protocol: builtins:dict must take (offers, situation, **options)"),
        ("math:sin", {}, "negotiation.protocol: math:sin must take (offers, situation, **options)"),
        ("no.such.module:pact", {}, "no.such.module cannot be loaded (ModuleNotFoundError"),
    ],
)
def test_a_bad_protocol_is_refused_in_a_line(tmp_path: Path, name: str, options: dict[str, object], told: str) -> None:
    (tmp_path / "pact.py").write_text(PACT, encoding="utf-8")
    (tmp_path / "syntax.py").write_text("x = 1\ny = = 2\n", encoding="utf-8")
    (tmp_path / "raises.py").write_text("x = 1 / 0\n", encoding="utf-8")
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    wanted = f"{tmp_path}/{name}" if ".py:" in name else name
    with pytest.raises(ScenarioError) as refusal:
        protocol_of(scenario(wanted, **options))
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_protocol_that_fails_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "pact.py"
    path.write_text(PACT, encoding="utf-8")
    with pytest.raises(ProtocolError, match=r"pact.py:broken: line 10: IndexError"):
        run(negotiation_world(scenario(f"{path}:broken")))


def test_a_protocol_cannot_change_the_world(tmp_path: Path) -> None:
    path = tmp_path / "pact.py"
    path.write_text(PACT, encoding="utf-8")
    greedy = run(negotiation_world(scenario(f"{path}:greedy")))
    free = run(negotiation_world(scenario("bilateral").reference()))
    assert all(np.array_equal(greedy.regions[name], free.regions[name]) for name in free.regions)


def test_a_protocol_that_leaves_or_learns_is_held(tmp_path: Path) -> None:
    path = tmp_path / "pact.py"
    path.write_text(PACT, encoding="utf-8")
    with pytest.raises(ProtocolError, match=r"pact.py:leaves: line 19: SystemExit: 3"):
        run(negotiation_world(scenario(f"{path}:leaves")))
    century = run(negotiation_world(scenario(f"{path}:held")))
    assert np.isfinite(century.regions["utility"]).all()


def test_a_proposal_keeps_the_floor_that_it_names() -> None:
    for floor in (0.1, 0.3, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9):
        for rates in ("tenths", "full"):
            settings = [
                f"negotiation.options={{floor: {floor}}}", f"behaviour.proposal={floor}", f"switches.rates={rates}",
            ]  # fmt: skip
            found = load("climate-negotiation/border-club", settings)
            assert isinstance(found, NegotiationScenario)
            assert run(negotiation_world(found)).member[-1].sum() == 8, (floor, rates)


def test_rates_that_are_no_level_are_told() -> None:
    found = load("climate-negotiation/club", ["behaviour.savings=0.26", "behaviour.proposal=0.41"])
    assert isinstance(found, NegotiationScenario)
    assert moved_rates(found, negotiation_world(found)) == [
        "behaviour.savings: 0.26 is no level; taken as 0.3",
        "behaviour.proposal: 0.41 is no level; taken as 0.5",
    ]
    shipped = load("climate-negotiation/club")
    assert isinstance(shipped, NegotiationScenario)
    assert moved_rates(shipped, negotiation_world(shipped)) == []
    changed = shipped.behaviour.model_copy(update={"kind": "random"})
    drawn = shipped.model_copy(update={"behaviour": changed})
    (told,) = moved_rates(drawn, negotiation_world(drawn))
    assert told.startswith("behaviour.cooperators: read where behaviour is constant")
