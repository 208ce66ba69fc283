"""Sweep over scenarios as a job that may be tried again: runs that are there already are kept.

python cluster/jobs/sweep.py law moderate --seeds 0-9 --out /data/sweeps/first
"""

import sys

from carbonray.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["jobs", "run", "sweep"]
    main()
