"""Simulate as a job that may be tried again: on from its checkpoint, and not at all if its run is there.

python cluster/jobs/simulate.py law --out /data/runs/law --checkpoint /data/checkpoints/law
"""

import sys

from carbonray.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["jobs", "run", "simulate"]
    main()
