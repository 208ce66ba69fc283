"""Key figures of climate negotiation runs: print how they differ from the stored ones, and store them only when told.

    python tests/golden/regenerate_negotiation.py [--write]

Each shipped scenario as it is, and with random behaviour in two replicas, seed 3.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from carbonray.config_climate import NegotiationScenario
from carbonray.data.scenarios import load
from carbonray.runtime.simulate_negotiation import simulate_negotiation

FILE = Path(__file__).with_name("negotiation.json")
SCENARIOS = ("none", "bilateral", "club", "border-club")
BEHAVIOURS: Mapping[str, Sequence[str]] = {
    "as shipped": (),
    "random": ("behaviour.kind=random", "replicas=2", "seed=3"),
}
FIGURES = (
    "temperature_c", "emissions_gtco2", "output_tusd", "consumption_tusd", "imports_tusd", "welfare", "members_last",
    "leakage_rate", "undefined_reason", "climate_index", "economic_index", "switches",
)  # fmt: skip


def figures(scenario: str, behaviour: str, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Run a case and take its key figures."""
    found = load(f"climate-negotiation/{scenario}", (*BEHAVIOURS[behaviour], *settings))
    assert isinstance(found, NegotiationScenario)
    summary = simulate_negotiation(found).summary
    switches = {row["switch"]: {key: row[key] for key in row if key != "switch"} for row in summary["switches"]}
    return {key: summary[key] for key in FIGURES} | {"switches": switches}


def everything() -> dict[str, Any]:
    """All cases."""
    return {
        f"{scenario}, {behaviour}": figures(scenario, behaviour) for scenario in SCENARIOS for behaviour in BEHAVIOURS
    }


def main() -> int:
    """Print the differences, and store the new figures if asked to."""
    from regenerate import differences

    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--write", action="store_true", help="store the new figures")
    write = parser.parse_args().write
    found = everything()
    stored = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    lines = sorted(differences(found, stored, relative=0.0, absolute=0.0))
    print("unchanged" if not lines else f"{len(lines)} figures differ")
    for line in lines:
        print(f"  {line}")
    if lines and write:
        FILE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    elif lines:
        print("nothing was stored; add --write to store these figures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
