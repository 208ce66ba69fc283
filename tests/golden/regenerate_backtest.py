"""Scores of the backtest with fixed parameters: print how they differ from the stored ones, store them when told.

    python tests/golden/regenerate_backtest.py [--write]

720 firms, seed 0, the parameters that the calibration found with 2,000 firms.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from regenerate import differences

from carbonray.backtest.drivers import Parameters
from carbonray.backtest.evaluate import lines
from carbonray.backtest.hindcast import history, told
from carbonray.backtest.leakage import DETECTION_YEARS, leaked
from carbonray.backtest.record import LAST, SPLIT, load_record
from carbonray.data import load_economy
from carbonray.runtime.pair import run

FILE = Path(__file__).parent / "backtest.json"
FIRMS = 720
PARAMETERS = Parameters(size=1.4375, price_level=0.5625)
TRENDS = {"production cement": -0.0213, "production aluminium": -0.0168}
LOOSE, TINY = 1e-6, 1e-9


def figures() -> dict[str, Any]:
    """Error, correlation and bias of every headline row, and the predicted leak."""
    record, economy = load_record(), load_economy(f"history-{SPLIT}")
    pair = run(history(record, economy, PARAMETERS, last=LAST, firms=FIRMS), economy=economy, record_firms=False)
    rows = {
        line.key: {"mape": line.scores.mape, "r": line.scores.r, "bias": line.scores.bias, "passed": line.passed}
        for line in lines(record, told(economy, pair.policy, SPLIT), TRENDS)
        if not line.detail
    }
    found = leaked(pair, SPLIT + 1)
    return {"rows": rows, "leakage_rate": found.over(DETECTION_YEARS)}


def stored() -> dict[str, Any]:
    """The stored figures; none if there are none."""
    return dict(json.loads(FILE.read_text(encoding="utf-8"))) if FILE.is_file() else {}


def differing(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """One line for each figure that is not the stored one."""
    return sorted(differences(found, expected, relative=LOOSE, absolute=TINY))


def main() -> int:
    """Print the differences, and store the new figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--write", action="store_true", help="store the new figures")
    write = parser.parse_args().write
    found = figures()
    changed = sorted(differences(found, stored(), relative=0.0, absolute=0.0))
    print("\n".join(changed) or "unchanged")
    if changed and write:
        FILE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    elif changed:
        print("nothing was stored; add --write to store these figures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
