"""Scenarios of the climate negotiation world: their rules, and the one line that refuses each breach."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from carbonray.config import ScenarioError
from carbonray.config_climate import REGIONS, Behaviour, Negotiation, NegotiationScenario, Switches
from carbonray.data.scenarios import parse

FILES = (*range(2, 8), 9, *range(11, 31))  # numbers of the reference's region files: no 1, 8 and 10


def scenario(**keys: Any) -> NegotiationScenario:
    return parse({"name": "mine", **keys}, origin="mine.yaml", kind=NegotiationScenario)


def test_regions_are_the_files_sorted_as_text() -> None:
    assert tuple(f"R{number}" for number in sorted(map(str, FILES))) == REGIONS
    assert (REGIONS[0], REGIONS[26]) == ("R11", "R9")


def test_the_first_value_of_each_switch_is_the_default() -> None:
    for name, info in Switches.model_fields.items():
        assert getattr(Switches(), name) == info.annotation.__args__[0]


@pytest.mark.parametrize("kind", [NegotiationScenario, Negotiation, Behaviour, Switches])
def test_every_key_says_what_it_means(kind: type[BaseModel]) -> None:
    for name, info in kind.model_fields.items():
        assert info.description, name


class TestReference:
    def test_it_binds_nobody_and_differs_in_nothing_else(self) -> None:
        run = scenario(negotiation={"protocol": "club", "options": {"floor": 0.4}}, seed=3, replicas=2)
        reference = run.reference()
        assert run.negotiation.binding
        assert not reference.negotiation.binding
        unbound = run.model_dump()
        unbound["negotiation"]["binding"] = False
        assert reference.model_dump() == unbound

    def test_of_a_reference_it_is_itself(self) -> None:
        reference = scenario().reference()
        assert reference.reference() == reference


class TestAccepted:
    @pytest.mark.parametrize(
        "protocol", ["none", "bilateral", "club", "border-club", "mine.py:club", "/a/b.py:my_club", "mine.rules:treaty"]
    )
    def test_protocols(self, protocol: str) -> None:
        assert scenario(negotiation={"protocol": protocol}).negotiation.protocol == protocol

    @pytest.mark.parametrize("value", [0.4, 1, "strict", [0.1, 0.2], ["R11", "R9"], []])
    def test_options_keep_their_kind(self, value: object) -> None:
        found = scenario(negotiation={"protocol": "club", "options": {"floor": value}}).negotiation.options["floor"]
        wanted = tuple(value) if isinstance(value, list) else value
        assert found == wanted
        assert type(found) is type(wanted)

    @pytest.mark.parametrize("who", ["all", "none", ["R11"], ["R9", "R11"], list(REGIONS)])
    def test_cooperators(self, who: str | list[str]) -> None:
        found = scenario(behaviour={"cooperators": who}).behaviour.cooperators
        assert found == (tuple(who) if isinstance(who, list) else who)

    def test_a_scenario_is_its_own_dump(self) -> None:
        run = scenario(
            negotiation={"protocol": "mine.py:club", "options": {"floor": 0.4, "who": ["R11", "R2"]}},
            behaviour={"cooperators": ["R11", "R22"]},
            switches={"interest": "per-year"},
        )
        assert NegotiationScenario.model_validate(run.model_dump(mode="json")) == run

    def test_it_is_frozen(self) -> None:
        with pytest.raises(ValidationError, match="frozen"):
            scenario().behaviour.savings = 0.3  # type: ignore[misc]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown protocol": (
        {"negotiation": {"protocol": "klub"}},
        "negotiation.protocol: choose from none, bilateral, club, border-club, or name your own as FILE.py:function or "
        "package.module:function (got 'klub')",
    ),
    "no function": ({"negotiation": {"protocol": "mine.py:"}}, "negotiation.protocol: choose from none, bilateral"),
    "no file": ({"negotiation": {"protocol": ":club"}}, "negotiation.protocol: choose from none, bilateral"),
    "not a function": ({"negotiation": {"protocol": "mine.py:a-b"}}, "negotiation.protocol: choose from none"),
    "a number as protocol": ({"negotiation": {"protocol": 3}}, "negotiation.protocol: Input should be a valid string"),
    "options of none": (
        {"negotiation": {"options": {"floor": 0.4}}},
        "negotiation: protocol none takes no options; leave floor out",
    ),
    "a truth as option": (
        {"negotiation": {"protocol": "club", "options": {"strict": True}}},
        "negotiation.options.strict: an option is a number, a text or a list of these (got True)",
    ),
    "nothing as option": (
        {"negotiation": {"protocol": "club", "options": {"floor": None}}},
        "negotiation.options.floor: an option is a number, a text or a list of these (got None)",
    ),
    "a list of lists": (
        {"negotiation": {"protocol": "club", "options": {"floor": [[0.1]]}}},
        "negotiation.options.floor: an option is a number, a text or a list of these (got [[0.1]])",
    ),
    "an infinite option": (
        {"negotiation": {"protocol": "club", "options": {"floor": float("inf")}}},
        "negotiation.options.floor: an option must be a finite number (got inf)",
    ),
    "a group of options": (
        {"negotiation": {"protocol": "club", "options": {"floor": {"R11": 0.1}}}},
        "negotiation.options.floor: an option is a number, a text or a list of these",
    ),
    "a rate above one": (
        {"behaviour": {"savings": 1.1}},
        "behaviour.savings: Input should be less than or equal to 1 (got 1.1)",
    ),
    "a rate that is none": ({"behaviour": {"imports": float("nan")}}, "behaviour.imports: "),
    "unknown behaviour": ({"behaviour": {"kind": "greedy"}}, "behaviour.kind: Input should be 'business-as-usual'"),
    "nobody named": (
        {"behaviour": {"cooperators": []}},
        "behaviour.cooperators: name at least one region, or write none",
    ),
    "unknown region": (
        {"behaviour": {"cooperators": ["R11", "R8"]}},
        "behaviour.cooperators: unknown region R8; there are R2 to R7, R9 and R11 to R30 (got ['R11', 'R8'])",
    ),
    "a region by its number": ({"behaviour": {"cooperators": [11]}}, "behaviour.cooperators: unknown region 11; there"),
    "a region twice": (
        {"behaviour": {"cooperators": ["R11", "R9", "R11"]}},
        "behaviour.cooperators: R11 is named twice (got ['R11', 'R9', 'R11'])",
    ),
    "one region as text": (
        {"behaviour": {"cooperators": "R11"}},
        "behaviour.cooperators: give all, none or a list of regions (got 'R11')",
    ),
    "unknown switch": (
        {"switches": {"interest": "yearly"}},
        "switches.interest: Input should be 'per-step' or 'per-year'",
    ),
    "unknown key": ({"firms": {"number": 3}}, "firms: unknown key"),
    "another world": ({"world": "cbam"}, "world: Input should be 'climate-negotiation' (got 'cbam')"),
    "no replica": ({"replicas": 0}, "replicas: Input should be greater than or equal to 1 (got 0)"),
}


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_a_breach_is_one_line_with_file_key_and_rule(kind: str) -> None:
    keys, words = REFUSED[kind]
    with pytest.raises(ScenarioError) as refused:
        scenario(**keys)
    assert str(refused.value).startswith(f"mine.yaml: {words}")
    assert "\n" not in str(refused.value)
