"""What a trained network makes of observations: the same bytes for any batch, order of rows and number of threads.

Matrix products of floats depend on all of these: with torch's library a row of a tile of 256 has other last digits at
another place in the tile.  So what is multiplied is rounded to grids on which every sum is exact, and exact sums do not
depend on their order:

    |sum of products| <= largest input x row sum of |weights| <= 2^53 x grain of inputs x grain of weights

Inputs, which are standardised features within +-10 or what layers made of them within 0 and 6, have the grain 2^-20;
weights get the finest for which the bound holds, about 2^-25: that moves them by less than a float32 near one can tell.

Axes: R row (an agent of a replica), F feature, L level.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from carbonray.learn.networks import MADE, SEEN, Shape

GRAIN = 2.0**-20
"""Of what is multiplied with weights."""
EXACT_BITS = 53
"""Within which sums of float64 are exact."""
ROWS = 2048
"""Rows that are worked on at once, so that they stay in the cache; the bytes do not depend on it."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """An affine map in float64, its numbers on a grid."""

    weight: Tensor  # [out, in]
    bias: Tensor  # [out]

    def __call__(self, inputs: Tensor) -> Tensor:
        """[R, out] of inputs [R, in] that are on their grid."""
        return linear(inputs, self.weight, self.bias)


def layer(weight: Tensor, bias: Tensor, largest: float) -> Layer:
    """A layer whose sums are exact for inputs up to a size."""
    weight, bias = weight.to(torch.float64), bias.to(torch.float64)
    bound = float((weight.abs().sum(1) * largest + bias.abs()).max())
    grain = 2.0 ** (math.ceil(math.log2(max(bound, 1e-9))) + 1 - EXACT_BITS) / GRAIN  # one bit for what rounding adds
    return Layer(weight=_on_grid(weight, grain), bias=_on_grid(bias, grain * GRAIN))


def _on_grid(values: Tensor, grain: float) -> Tensor:
    return (values / grain).round() * grain


@dataclass(frozen=True, kw_only=True)
class Network:
    """A `Decider` that is trained, laid out for exact sums."""

    shape: Shape
    mean: Tensor  # [F]
    scale: Tensor  # [F]
    first: Layer
    second: Layer
    lstm: Layer | None  # of what came in and the short memory, to four gates
    head: Layer

    def to(self, device: torch.device) -> "Network":
        """The same on another device; itself where it is there."""
        return self if self.mean.device == device else _moved(self, device)

    def values(self, seen: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Of every level.

        Args:
            seen: [R, F].
            memory: [R, 2 hidden], if the shape is recurrent.
        Returns:
            [R, L] values or logits, and the memory after that.
        """
        memories = [None] * -(-len(seen) // ROWS) if memory is None else torch.split(memory, ROWS)
        parts = [self._part(*each) for each in zip(torch.split(seen, ROWS), memories, strict=False)]
        if not parts:
            return seen.new_zeros(0, sum(self.shape.heads)), memory
        kept = [after for _, after in parts if after is not None]
        return torch.cat([values for values, _ in parts]), torch.cat(kept) if kept else None

    def _part(self, seen: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor | None]:
        made = _rounded(((seen - self.mean) * self.scale).clamp(-SEEN, SEEN))
        made = _rounded(self.second(_rounded(self.first(made).clamp(0, MADE))).clamp(0, MADE))
        if self.lstm is not None and memory is not None:
            memory = self._remembered(self.lstm, made, memory)
            made = memory[:, : self.shape.hidden]
        return self.head(made), memory

    def _remembered(self, lstm: Layer, made: Tensor, memory: Tensor) -> Tensor:
        """c' = s(f) c + s(i) tanh(g),  h' = s(o) tanh(c')   with the gates from made and h, as in torch.nn.LSTM."""
        short, cell = memory.chunk(2, 1)
        into, forget, candidate, out = lstm(torch.cat([made, short], 1)).chunk(4, 1)
        cell = _share(forget) * cell + _share(into) * candidate.tanh()
        return torch.cat([_rounded(_share(out) * cell.tanh()), cell], 1)


def network(shape: Shape, weights: Mapping[str, Tensor]) -> Network:
    """From the weights of a `Decider`, as its `state_dict` names them."""
    w, lstm = weights, None
    if shape.recurrent:
        both = torch.cat([w["trunk.lstm.weight_ih_l0"], w["trunk.lstm.weight_hh_l0"]], 1)
        lstm = layer(both, w["trunk.lstm.bias_ih_l0"].double() + w["trunk.lstm.bias_hh_l0"].double(), MADE)
    return Network(
        shape=shape,
        mean=w["trunk.mean"].to(torch.float64),
        scale=w["trunk.scale"].to(torch.float64),
        first=layer(w["trunk.layers.0.weight"], w["trunk.layers.0.bias"], SEEN),
        second=layer(w["trunk.layers.2.weight"], w["trunk.layers.2.bias"], MADE),
        lstm=lstm,
        head=layer(w["head.weight"], w["head.bias"], MADE),
    )


def weights(network: Network) -> dict[str, Tensor]:
    """Of a `Decider` that does what a network does, as its `state_dict` names them; the reverse of `network`.

    Raises:
        ValueError: if the network has a memory, whose two biases were added up.
    """
    if network.shape.recurrent:
        raise ValueError("a network with a memory cannot be laid out for training again")
    found = {"trunk.mean": network.mean, "trunk.scale": network.scale}
    layers = {"trunk.layers.0": network.first, "trunk.layers.2": network.second, "head": network.head}
    for name, each in layers.items():
        found |= {f"{name}.weight": each.weight, f"{name}.bias": each.bias}
    return {name: values.to(torch.float32) for name, values in found.items()}


def sizes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Of the weights that `network` takes, by name."""
    hidden, levels = shape.hidden, sum(shape.heads)
    found: dict[str, tuple[int, ...]] = {"trunk.mean": (shape.features,), "trunk.scale": (shape.features,)}
    layers = {"trunk.layers.0": (hidden, shape.features), "trunk.layers.2": (hidden, hidden), "head": (levels, hidden)}
    for name, size in layers.items():
        found |= {f"{name}.weight": size, f"{name}.bias": size[:1]}
    for part in ("ih", "hh") if shape.recurrent else ():
        found |= {f"trunk.lstm.weight_{part}_l0": (4 * hidden, hidden), f"trunk.lstm.bias_{part}_l0": (4 * hidden,)}
    return found


def _rounded(values: Tensor) -> Tensor:
    return values.mul(1 / GRAIN).round_().mul_(GRAIN)


def _share(values: Tensor) -> Tensor:
    """The logistic function by way of exp: torch's own differs between layouts."""
    return (-values).exp().add(1.0).reciprocal()


def _moved(part: Any, device: torch.device) -> Any:
    """Nested dataclasses of tensors on another device."""
    inside = {item.name: getattr(part, item.name) for item in fields(part)}
    moved = {name: value.to(device) for name, value in inside.items() if isinstance(value, Tensor)}
    deeper = {name: _moved(value, device) for name, value in inside.items() if isinstance(value, Layer)}
    return replace(part, **moved, **deeper)
