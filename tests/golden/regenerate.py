"""Key figures of small runs: print how they differ from the stored ones, and store them only when told.

    python tests/golden/regenerate.py [--write]

Each scenario runs on its own table with 1,300 firms, 3 years, seed 0; the law also on the 12 sectors of 2011 and with
named plants.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from carbonray.data.scenarios import names
from carbonray.runtime.simulate import simulate

FOLDER = Path(__file__).parent
FIRMS, YEARS, SEED = 1300, 3, 0
FIGURES = (
    "leakage_rate",
    "leakage_rate_cbam_goods",
    "leakage_rate_final_year",
    "leakage_rate_cbam_goods_final_year",
    "home_reduction_mt",
    "foreign_increase_mt",
    "home_reduction_cbam_goods_mt",
    "foreign_increase_cbam_goods_mt",
    "output_change_share",
    "plan_shortfall_share",
    "abatement_cost_musd",
    "undefined_reason",
    "leakage_rate_by_sector",
    "foreign_increase_by_partner_mt",
    "exports_change_by_sector",
    "imports_change_by_sector",
    "revenue_musd",
    "channels",
)


VARIANTS = {
    "law-world-2011": ("law", ("economy=world-2011",)),
    "law-plants": ("law", ("firms.plants=eu",)),
}
"""Runs of a scenario with something changed."""


def cases() -> list[str]:
    """Names of everything that is run."""
    return [*names(), *VARIANTS]


def file_of(name: str) -> Path:
    """Where the figures of a case are stored."""
    return FOLDER / f"run_{name.replace('-', '_')}.json"


def figures(name: str, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Run a case and take its key figures."""
    scenario, changed = VARIANTS.get(name, (name, ()))
    settings = (*changed, *settings)
    summary = simulate(scenario, firms=FIRMS, years=YEARS, seed=SEED, settings=settings, robust=False).summary
    return {key: summary[key] for key in FIGURES}


def stored(name: str) -> dict[str, Any]:
    """The stored figures of a scenario; none if there are none."""
    path = file_of(name)
    return dict(json.loads(path.read_text(encoding="utf-8"))["figures"]) if path.is_file() else {}


def differences(found: Any, expected: Any, *, relative: float, absolute: float, at: str = "") -> Iterator[str]:
    """One line for each figure that is not the stored one."""
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        for key in found.keys() | expected.keys():
            below = f"{at}.{key}" if at else str(key)
            yield from differences(
                found.get(key, "nothing"), expected.get(key, "nothing"), relative=relative, absolute=absolute, at=below
            )
    elif isinstance(found, float) and isinstance(expected, float):
        if abs(found - expected) > relative * abs(expected) + absolute:
            yield f"{at}: {expected!r} -> {found!r}"
    elif found != expected:
        yield f"{at}: {expected!r} -> {found!r}"


def main() -> int:
    """Print the differences, and store the new figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--write", action="store_true", help="store the new figures")
    write = parser.parse_args().write
    changed = 0
    for name in cases():
        found = figures(name)
        lines = sorted(differences(found, stored(name), relative=0.0, absolute=0.0))
        changed += len(lines)
        print(f"{name}: " + ("unchanged" if not lines else f"{len(lines)} figures differ"))
        for line in lines:
            print(f"  {line}")
        if write and lines:
            content = {"scenario": name, "firms": FIRMS, "years": YEARS, "seed": SEED, "figures": found}
            file_of(name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    if changed and not write:
        print("nothing was stored; add --write to store these figures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
