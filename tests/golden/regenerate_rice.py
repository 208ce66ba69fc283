"""Figures of the reference's recorded trajectories: print how they differ from the stored ones, store them when told.

    python tests/golden/regenerate_rice.py --raw ../shared/data [--write]

Of the two constant policies every float array after four steps; of the random ones single steps, with all that they
start from.  In the file a list is a vector; a number alone is every entry of its array; `rows`, `columns` and `entries`
are the sums and some entries of a matrix; and `0.2 gross_output_all_regions 10 off_const_bau` is a multiple of an array
stored before, of the same step and trajectory where none is named.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from regenerate import differences

FILE = Path(__file__).parent / "rice_n.json"
SOURCE = (
    "RICE-N reference (Zhang et al. 2022, arXiv 2208.07004), commit 148ed8576e77a0f5ece6cdcd6016a25e54a73332, run with "
    "64-bit floats; BSD-3-Clause, Copyright (c) 2022, Salesforce.com, Inc and MILA; derived figures"
)
CONSTANT, STEPS = ("off_const_bau", "off_const_trade"), (1, 2, 10, 20)
RANDOM = {"off_random_s0": (7, 19), "on_random_masked_s0": (3, 15)}  # activity steps
BEFORE = {
    "capital": "capital_all_regions",
    "population": "labor_all_regions",
    "productivity": "production_factor_all_regions",
    "intensity": "intensity_all_regions",
    "balance": "current_balance_all_regions",
    "temperature": "global_temperature",
    "carbon": "global_carbon_mass",
}
AFTER = (
    "global_temperature",
    "global_carbon_mass",
    "capital_all_regions",
    "current_balance_all_regions",
    "gross_output_all_regions",
    "consumption_all_regions",
    "utility_all_regions",
    "scaled_imports",
)
ENTRIES = ((0, 1), (5, 7), (26, 0))
DIGITS, SAME = 12, 1e-13
Arrays = Mapping[str, NDArray[Any]]
Place = tuple[str, int, str]  # name of an array, step, trajectory
Seen = dict[Place, NDArray[Any]]


def figures(raw: Path) -> dict[str, Any]:
    """All that is stored, from the folder of raw tables."""
    arrays = {name: dict(np.load(raw / "rice_n" / f"{name}_f64.npz")) for name in (*CONSTANT, *RANDOM)}
    seen: Seen = {}
    return {
        "source": SOURCE,
        "trajectories": {name: trajectory(name, arrays[name], seen) for name in CONSTANT},
        "transitions": [transition(name, arrays[name], k) for name, steps in RANDOM.items() for k in steps],
    }


def trajectory(name: str, arrays: Arrays, seen: Seen) -> dict[str, Any]:
    """A constant policy: the levels of every region in every step, and the arrays after some steps."""
    levels = arrays["actions"]
    assert (levels == levels[0, 0]).all()
    floats = [key for key, values in arrays.items() if values.dtype == np.float64 and key != "returned_reward"]
    return {
        "levels": digits(levels[0, 0]),
        "steps": list(STEPS),
        "after": {key: [repeated(arrays[key][step], (key, step, name), seen) for step in STEPS] for key in floats},
    }


def transition(name: str, arrays: Arrays, activity: int) -> dict[str, Any]:
    """An activity step alone, with the two of negotiation that come before it."""
    stages = 3 if arrays["actions"].shape[2] > 57 else 1
    start, end = stages * (activity - 1), stages * activity
    levels, after = arrays["actions"][start:end], {key: brief(arrays[key][end]) for key in AFTER}
    found = {
        "trajectory": name,
        "activity": activity,
        "before": {key: [float(value) for value in arrays[stored][start]] for key, stored in BEFORE.items()},
        "tariffs": [digits(tenths(row)) for row in arrays["tariffs"][start]],
        "levels": [digits(row) for row in levels[-1, :, :57]],
        "after": after,
    }
    if stages > 1:
        masks, least = arrays["mitigation_mask_after_step"], arrays["minimum_mitigation_rate_all_regions"]
        lowest = masks.argmax(2)
        assert (masks == (np.arange(10) >= lowest[:, :, None])).all()
        found["proposals"] = [digits(row) for row in levels[0, :, 57:111]]
        found["answers"] = [digits(row) for row in levels[1, :, 111:]]
        found["minimum_mitigation"] = digits(tenths(least[end]))
        found["lowest_legal_mitigation"] = {
            stage: digits(lowest[start + number])
            for number, stage in enumerate(("before", "proposed", "answered", "after"))
        }
    return found


def digits(levels: NDArray[Any]) -> str:
    """Levels 0 to 9, one digit each."""
    return "".join(str(int(level)) for level in levels)


def tenths(rates: NDArray[Any]) -> NDArray[np.int64]:
    """The levels of some rates."""
    levels = np.rint(10 * rates).astype(np.int64)
    assert (levels / 10 == rates).all()
    return levels


def repeated(values: NDArray[Any], place: Place, seen: Seen) -> Any:
    """An array as it is stored; one that is a multiple of an earlier one is that."""
    if (values == values.flat[0]).all():
        return brief(values)
    for earlier, other in seen.items():
        if other.shape == values.shape:
            top = np.unravel_index(np.abs(other).argmax(), other.shape)
            times = float(f"{values[top] / other[top]:.15g}")
            if np.allclose(values, times * other, rtol=SAME, atol=0.0):
                where = "" if earlier[1:] == place[1:] else f" {earlier[1]} {earlier[2]}"
                return f"{times} {earlier[0]}{where}"
    seen[place] = values
    return brief(values)


def brief(values: NDArray[Any]) -> Any:
    """An array as it is stored."""
    if (values == values.flat[0]).all():
        return rounded(values.flat[0])
    values = values[:, 0] if values.shape[1:] == (1,) else values
    if values.ndim == 1:
        return [rounded(value) for value in values]
    return {
        "rows": [rounded(value) for value in values.sum(1)],
        "columns": [rounded(value) for value in values.sum(0)],
        "entries": {f"{row},{column}": rounded(values[row, column]) for row, column in ENTRIES},
    }


def rounded(value: float) -> float:
    """A figure with as many digits as are stored."""
    return float(f"{value:.{DIGITS}g}")


def stored() -> dict[str, Any]:
    """The stored figures; none if there are none."""
    return dict(json.loads(FILE.read_text(encoding="utf-8"))) if FILE.is_file() else {}


def main() -> int:
    """Print the differences, and store the new figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--raw", type=Path, required=True, help="folder of raw tables")
    parser.add_argument("--write", action="store_true", help="store the new figures")
    given = parser.parse_args()
    found = figures(given.raw)
    changed = sorted(differences(found, stored(), relative=0.0, absolute=0.0))
    print("\n".join(changed) or "unchanged")
    if changed and given.write:
        text = json.dumps(found, separators=(",", ":")).replace('],"', '],\n"').replace('},"', '},\n"')
        FILE.write_text(text + "\n", encoding="utf-8")
    elif changed:
        print("nothing was stored; add --write to store these figures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
