"""A climate negotiation world from its scenario: the built-in figures, and a protocol by name or of the user's own."""

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial, wraps
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import torch

from carbonray.config import ScenarioError
from carbonray.config_climate import NegotiationScenario
from carbonray.data.rice import load_parameters
from carbonray.worlds.climate_negotiation.activity import Rules
from carbonray.worlds.climate_negotiation.behaviour import Behaviour, levels_of
from carbonray.worlds.climate_negotiation.protocols import (
    PROTOCOLS,
    Commitments,
    Offers,
    Protocol,
    ProtocolError,
    Situation,
)
from carbonray.worlds.climate_negotiation.world import NegotiationWorld


def negotiation_world(
    scenario: NegotiationScenario, *, device: str = "cpu", dtype: torch.dtype = torch.float64
) -> NegotiationWorld:
    """The world that a scenario describes.

    Raises:
        ScenarioError: if its protocol cannot be found or does not take its options.
    """
    parameters = load_parameters(device, dtype)
    place = {name: number for number, name in enumerate(parameters.names)}
    wanted, switches = scenario.behaviour, scenario.switches
    cooperators = {"all": None, "none": frozenset[int]()}.get(str(wanted.cooperators))
    if isinstance(wanted.cooperators, tuple):
        cooperators = frozenset(place[name] for name in wanted.cooperators)
    return NegotiationWorld(
        parameters=parameters,
        protocol=protocol_of(scenario),
        protocol_name=scenario.negotiation.protocol,
        binding=scenario.negotiation.binding,
        behaviour=Behaviour(**wanted.model_dump(exclude={"cooperators"}), cooperators=cooperators),
        rules=Rules(
            revenue_returned=switches.tariff_revenue == "returned",
            floor_in_step=switches.mitigation_floor == "step",
            interest_per_year=switches.interest == "per-year",
            full_rates=switches.rates == "full",
        ),
        normalised=scenario.observations == "normalised",
    )


def moved_rates(scenario: NegotiationScenario, world: NegotiationWorld) -> list[str]:
    """What a user should know of scripted behaviour: rates that are no level, and keys that are not read."""
    wanted, heads = scenario.behaviour, world.heads
    if wanted.kind != "constant":
        unread = wanted.cooperators != "all" and world.negotiates
        told = f"behaviour.cooperators: read where behaviour is constant; {wanted.kind} regions are all alike"
        return [told] if unread else []
    taken = {name: level / heads.steps_per_rate for name, level in levels_of(world.behaviour, heads).items()}
    return [
        f"behaviour.{name}: {getattr(wanted, name):g} is no level; taken as {rate:.3g}"
        for name, rate in taken.items()
        if abs(rate - getattr(wanted, name)) > 1e-9
    ]


def protocol_of(scenario: NegotiationScenario) -> Protocol | None:
    """The protocol of a scenario with its options; None where regions do not negotiate.

    Raises:
        ScenarioError: naming the protocol and what is wrong with it.
    """
    name, options = scenario.negotiation.protocol, dict(scenario.negotiation.options)
    if name == "none":
        return None
    own = name not in PROTOCOLS
    function = _own(scenario.name, name) if own else PROTOCOLS[name]
    key = f"{scenario.name}: negotiation.options"
    _check_takes_two(scenario.name, name, function)
    try:
        inspect.signature(function).bind(None, None, **options)
    except TypeError as error:
        raise ScenarioError(f"{key}: {name} refuses them ({error}); it takes {_options(function)}") from None
    for option, value in {} if own else options.items():
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ScenarioError(f"{key}.{option}: must be a rate in [0, 1] (got {value!r})")
    bound: Protocol = partial(function, **options)
    return _guarded(name, bound) if own else bound


def _check_takes_two(scenario: str, name: str, function: Callable[..., Any]) -> None:
    rule = f"{scenario}: negotiation.protocol: {name} must take (offers, situation, **options)"
    try:
        positional = [
            each for each in inspect.signature(function).parameters.values()
            if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD, each.VAR_POSITIONAL)
        ]  # fmt: skip
    except ValueError:
        raise ScenarioError(rule) from None
    if len(positional) < 2 and not any(each.kind is each.VAR_POSITIONAL for each in positional):
        raise ScenarioError(rule)


def _options(function: Callable[..., Any]) -> str:
    return ", ".join(list(inspect.signature(function).parameters)[2:]) or "none"


def _own(scenario: str, name: str) -> Callable[..., Commitments]:
    where, _, wanted = name.rpartition(":")
    try:
        module = _file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except (Exception, SystemExit) as error:
        raise ScenarioError(
            f"{scenario}: negotiation.protocol: {where} cannot be loaded ({_reason(error, where)})"
        ) from None
    function = getattr(module, wanted, None)
    if not callable(function):
        raise ScenarioError(f"{scenario}: negotiation.protocol: {where} has no function {wanted}")
    return function  # type: ignore[no-any-return]


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError("no such file")
    spec = importlib.util.spec_from_file_location(f"carbonray_protocol_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _guarded(name: str, protocol: Protocol) -> Protocol:
    """A user's protocol: it gets copies, so that it cannot change the world, and its errors are one line."""

    @wraps(protocol)
    def called(offers: Offers, situation: Situation) -> Commitments:
        try:
            return protocol(_copied(offers), _copied(situation))
        except (Exception, SystemExit) as error:
            raise ProtocolError(f"{name}: {_reason(error, name.rpartition(':')[0])}") from error

    return called


T = TypeVar("T", Offers, Situation)


def _copied(given: T) -> T:
    held = {field.name: getattr(given, field.name) for field in fields(given)}
    copies: dict[str, Any] = {name: each.clone() for name, each in held.items() if isinstance(each, torch.Tensor)}
    return replace(given, **copies)


def _reason(error: BaseException, where: str) -> str:
    """What went wrong, and in which line of the user's file."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(where)]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    message = str(error).splitlines()[0] if str(error) else ""
    told = message if isinstance(error, FileNotFoundError) else f"{type(error).__name__}: {message}"
    return f"line {line}: {told}" if line else told
