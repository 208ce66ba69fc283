"""Train as a job that may be tried again: on from its last checkpoint, and not at all if it is done.

python cluster/jobs/train.py law --algorithm ppo --budget 10e6 --out /data/runs/law-ppo
"""

import sys

from carbonray.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["jobs", "run", "train"]
    main()
