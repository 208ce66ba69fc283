"""Recorded actions of the climate negotiation world: an npz file of levels, checked before anything is stepped.

Axes: step, region, head.
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray import config_climate
from carbonray.data.errors import DataError
from carbonray.worlds.climate_negotiation.heads import Heads, Stage
from carbonray.worlds.climate_negotiation.parameters import ACTIVITY_STEPS

NAME = "actions"
REGIONS = len(config_climate.REGIONS)
ALONE = Heads(regions=REGIONS, negotiates=False).sizes
NEGOTIATING = Heads(regions=REGIONS, negotiates=True).sizes


def read_actions(path: Path) -> NDArray[np.int64]:
    """The array `actions` of an npz file; further arrays are ignored, so that a trajectory can be replayed.

    Args:
        path: file whose `actions` are whole numbers of any type: levels 0 to 9, of answers to proposals 0 or 1.
    Returns:
        [step, 27, 57] with at most 20 steps, or [step, 27, 138] with at most 60, three to a round of negotiation.
    Raises:
        DataError: the file is missing or no npz, or the array is missing, of another shape, or holds something else;
            indices in the message count from 0.
    """
    actions = stored(path)
    if actions.dtype.kind not in "iuf":
        raise DataError(f"{path.name or path}: {NAME}: must hold whole numbers (got {actions.dtype})")
    check_shape(path, actions.shape)
    check_levels(path, actions)
    return actions.astype(np.int64)


def stored(path: Path) -> NDArray[Any]:
    """The array as it is in the file; pickled objects are refused unread."""
    rule = f"{path.name or path}: {NAME}: must lie in an npz file without pickled objects"
    if not path.is_file():
        got = "a folder" if path.is_dir() else "no file"
        raise DataError(f"{path.name or path}: {NAME}: the file must exist (got {got})")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{rule} (got a file that is no zip archive, or a part of one)")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            names = list(arrays)
            found = arrays[NAME] if NAME in names else None
    except Exception as error:  # what spoilt bytes make the parsers of zip, zlib and numpy raise is anybody's guess
        words = str(error).splitlines() or [type(error).__name__]
        raise DataError(f"{rule} (got {words[0]})") from None
    if found is None:
        raise DataError(
            f"{path.name or path}: {NAME}: the file must hold an array of this name (got {', '.join(names) or '-'})"
        )
    if not isinstance(found, np.ndarray):
        raise DataError(f"{rule} (got a member that is no array)")
    return found


def check_shape(path: Path, shape: tuple[int, ...]) -> None:
    """Raise DataError unless there are all regions, the heads of one layout, and no more steps than a run has."""
    label = f"{path.name or path}: {NAME}"
    if len(shape) != 3:
        raise DataError(f"{label}: must have the axes step, region, head (got shape {shape})")
    steps, regions, heads = shape
    if regions != REGIONS:
        raise DataError(f"{label}: must have {REGIONS} regions (got {regions})")
    if heads not in (len(ALONE), len(NEGOTIATING)):
        raise DataError(f"{label}: must have {len(ALONE)} heads, or {len(NEGOTIATING)} with a protocol (got {heads})")
    stages = 1 if heads == len(ALONE) else len(Stage)
    if not 1 <= steps <= stages * ACTIVITY_STEPS:
        raise DataError(f"{label}: must have 1 to {stages * ACTIVITY_STEPS} steps with {heads} heads (got {steps})")
    if steps % stages:
        raise DataError(f"{label}: steps must be a multiple of {stages} with {heads} heads (got {steps})")


def check_levels(path: Path, actions: NDArray[Any]) -> None:
    """Raise DataError at the first entry, [step, region, head], that is no level of its head."""
    highest = np.array(ALONE if actions.shape[2] == len(ALONE) else NEGOTIATING) - 1
    whole = np.isfinite(actions) & (np.trunc(actions) == actions)
    bad = ~whole | (actions < 0) | (actions > highest)
    if bad.any():
        step, region, head = (int(place) for place in np.argwhere(bad)[0])
        got = actions[step, region, head]
        rule = f"a level 0 to {highest[head]}" if whole[step, region, head] else "a whole number"
        raise DataError(f"{path.name or path}: {NAME}: entry [{step}, {region}, {head}] must be {rule} (got {got})")
