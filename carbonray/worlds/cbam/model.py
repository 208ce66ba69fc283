"""The frozen parameters of a CBAM world: calibrated tensors, graph and switches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Self, TypeVar

import torch
from torch import Tensor

from carbonray.config import Disruptions, Fuel
from carbonray.worlds.cbam.deliveries import Slots
from carbonray.worlds.cbam.parameters import FirmParams, MarketParams, ObjectiveParams, PolicyParams, TechnologyParams


@dataclass(frozen=True, kw_only=True)
class Model:
    """What a run reads and never changes."""

    regions: tuple[str, ...]
    sectors: tuple[str, ...]
    steps: int  # quarters
    start_year: int
    technology: TechnologyParams
    market: MarketParams
    policy: PolicyParams
    objective: ObjectiveParams
    firms: FirmParams
    disruptions: Disruptions
    fuel: Fuel
    slots: Slots  # what each cell buys through its supplier slots
    supplier: Tensor  # [E, N] int64 supplier named in each slot
    bounds: Mapping[str, float]  # largest magnitude of each pooled total

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return self.firms.size.device

    def draws(self, replicas: int) -> Sequence[int]:
        """The draw that each replica has: the laws that are run together meet the same."""
        return [replica // self.policy.law.count for replica in range(replicas)]

    def to(self, device: str | torch.device) -> Self:
        """The same with its tensors on a device."""
        return _moved(self, torch.device(device))


T = TypeVar("T")


def _moved(part: T, device: torch.device) -> T:
    """A frozen dataclass with every tensor in it on the device."""
    changes: dict[str, Any] = {}
    for item in fields(part):  # type: ignore[arg-type]
        value = getattr(part, item.name)
        if isinstance(value, Tensor):
            changes[item.name] = value.to(device)
        elif is_dataclass(value):
            changes[item.name] = _moved(value, device)
    return replace(part, **changes)  # type: ignore[type-var]
