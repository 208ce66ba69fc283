"""Gymnasium's spaces for the agents of a world. Importing this needs the extra `marl`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.worlds.world import Role

MARL_EXTRA = "pip install 'carbonray[marl]', in a checkout pip install -e '.[marl]'"

try:
    from gymnasium import spaces
except ImportError:
    raise ImportError(f"gymnasium is not installed; views of worlds take their spaces from it: {MARL_EXTRA}") from None

Levels = NDArray[np.integer[Any]]
Mask = tuple[NDArray[np.int8], ...]


class LevelSpace(spaces.MultiDiscrete):
    """A level for each head; samples are legal: where no mask is handed in, the one of the moment counts."""

    legal: Mask | None = None

    def sample(self, mask: Any = None, probability: Any = None) -> Levels:
        """[H] a random level for each head, as in `MultiDiscrete`."""
        if probability is not None:
            return super().sample(probability=probability)
        return super().sample(self.legal if mask is None else mask)


def unbounded(shape: tuple[int, ...], dtype: Any = np.float32) -> spaces.Box:
    """A Box without bounds, for worlds declare none."""
    return spaces.Box(-np.inf, np.inf, shape, dtype=dtype)


def observation_space(seen: Mapping[str, NDArray[Any]]) -> spaces.Dict:
    """Box [n, features] by role, of what one replica saw."""
    return spaces.Dict({name: unbounded(values.shape, values.dtype.type) for name, values in seen.items()})


def action_space(roles: Mapping[str, Role]) -> spaces.Dict:
    """MultiDiscrete [n, H] by role."""
    return spaces.Dict(
        {name: spaces.MultiDiscrete(np.tile(role.heads, (role.count, 1))) for name, role in roles.items()}
    )
