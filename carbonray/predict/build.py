"""Build a predictor: simulate laws in many economies, fit, calibrate, judge, and write a folder.

>>> import carbonray
>>> built = carbonray.build_predictor("runs/predictor", size="small")

The folder has the dataset (manifest.json, runs/), and once finished judged.parquet, leakage of the runs for testing as
predicted and simulated, and `predictor/`.  A build that is cut short goes on where it stopped.
"""

import json
import shlex
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from carbonray.config import ScenarioError
from carbonray.predict import dataset, followed, judge
from carbonray.predict import folder as folders
from carbonray.predict.dataset import Cases
from carbonray.predict.domain import Domain, domain_of
from carbonray.predict.folder import Card
from carbonray.predict.followed import Followed
from carbonray.predict.gather import LAWS, SIZES, Ground, Size, gather
from carbonray.predict.ground import ground_of, place_of
from carbonray.predict.model import KEPT, Model, calibration_of, floors, trained
from carbonray.predict.network import Settings
from carbonray.predict.quantities import quantities
from carbonray.predict.space import STREAMS
from carbonray.runtime.inprocess import threads
from carbonray.runtime.outputs import HASHES, OutputError, whole_folder
from carbonray.runtime.place import Place as Folder
from carbonray.runtime.simulate import Progress, silent
from carbonray.runtime.work import place_for

PREDICTOR, JUDGED = "predictor", "judged.parquet"
HEADLINES = ("leakage_rate_10_years", "leakage_rate_10_years_cbam_goods", "leaked_mt_10_years",
             "home_reduction_mt_10_years")  # fmt: skip
"""Of runs.parquet."""
ABOUT = (
    "Predicts what carbonray's simulation of firms that {firms} would say of a law of the European Union (26 "
    "members of 2011) in 2026-2035: it is as good as the simulation, no better. Intervals hold the simulation, not the "
    "world: elasticities, growth and costs are inputs, and what they are nobody knows. Firms are thousands, drawn anew "
    "for every run; single plants and sudden events are not in it. Outside the ranges that were simulated it says so."
)


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a build left."""

    folder: Path  # of the predictor
    card: Card

    def lines(self) -> list[str]:
        """What the command line prints."""
        from carbonray.predict.card_text import card_lines

        return [*card_lines(self.card), f"predictor  {self.folder}"]


def build_predictor(
    out: str | Path,
    *,
    size: str = "small",
    economy: str = "goods-2026",
    seed: int = 0,
    policy: str | Path | None = None,
    on: str | None = None,
    address: str | None = None,
    jobs: int | None = None,
    progress: Progress = silent,
) -> Built:
    """Build a predictor, or go on with one.

    Args:
        out: a new folder, or that of the same build.
        size: `small`, some minutes on two cores, `full`, what comes with carbonray, or `trial`, which only shows that
            everything runs.
        economy: a table of 16 sectors; its laws are those of the EU.
        seed: of draws and networks.
        policy: trained policy that all firms follow, or its folder; they follow rules if left out.
        on: `process` or `ray`; Ray where an address is given, else processes, if left out.
        address: of a Ray cluster.
        jobs: economies under way at once; the cores of machine or cluster if left out.
        progress: told the task, and how much of it is done.

    Raises:
        ScenarioError: if what is asked makes no sense, the policy does not fit, or scikit-learn is missing.
        OutputError: if the folder holds anything else or cannot be written.
    """
    place = place_for(on, address=address, jobs=jobs)
    wanted = _size(size)
    _check_libraries()
    folder = Path(out)
    trained = followed.read(policy)
    told_of = followed.followed_by(trained)
    ground = ground_of(firms=wanted.firms, seed=seed, economy=economy, policy=trained)
    followed.check_fits(ground)
    _open(folder, ground, wanted, size, told_of)
    if (folder / PREDICTOR).exists():
        return Built(folder=folder / PREDICTOR, card=folders.load(folder / PREDICTOR).card)
    gather(ground, wanted, folder, place, progress)
    with threads(1):
        model, domain, cases = _fitted(ground, wanted, folder, progress)
        progress("judging", 0, 1)
        measured = _judged(ground, model, domain, cases, seed)
        Folder(str(folder)).write(JUDGED, folders.table_bytes(judge.judged(model, cases["test"])))
        progress("judging", 1, 1)
    told: dict[str, Any] = {
        "about": ABOUT.format(firms=followed.words_of(told_of)),
        "command": shlex.join(_command(size, economy, seed, policy)),
        "size": size,
        "seed": seed,
        "firms": wanted.firms,
        "policy": told_of,
        "economy": economy,
        "datasets": HASHES["cbam"](ground.base),
        "base": ground.base.model_dump(mode="json"),
        "runs": {stream: len(each) for stream, each in cases.items()},
        "failed": LAWS * sum(wanted.economies.values()) - sum(map(len, cases.values())),
        "measured": measured,
    }
    with whole_folder(folder / PREDICTOR) as draft:
        card = folders.write(draft, model, domain, runs_table(model, cases["train"]), told)
        followed.write(trained, draft)
    return Built(folder=folder / PREDICTOR, card=card)


def _size(size: str) -> Size:
    if size not in SIZES:
        raise ScenarioError(f"--size {size}: choose {' or '.join(SIZES)}")
    return SIZES[size]


def _check_libraries() -> None:
    """Refuse before anything is simulated.

    Raises:
        ScenarioError: naming what to install.
    """
    try:
        metadata("scikit-learn")
    except PackageNotFoundError:
        raise ScenarioError(
            "predictor build: compares itself with models of scikit-learn: pip install 'carbonray[predict]'"
        ) from None


def _command(size: str, economy: str, seed: int, policy: str | Path | None) -> list[str]:
    words = ["carbonray", "predictor", "build", "--size", size]
    words += ["--economy", economy] if economy != "goods-2026" else []
    words += ["--policy", str(policy)] if policy is not None else []
    return [*words, *(["--seed", str(seed)] if seed else [])]


def _open(folder: Path, ground: Ground, size: Size, name: str, told_of: Followed | None) -> None:
    """Make the folder of a build, or find the same build in it.

    Raises:
        OutputError: if it holds anything else.
    """
    asked = {
        "size": name,
        "economies": size.economies,
        "laws": LAWS,
        "firms": size.firms,
        "seed": ground.seed,
        "economy": ground.base.economy,
        "datasets": HASHES["cbam"](ground.base),
        "inputs": list(ground.layout.names),
        **({"policy": told_of.sha256} if told_of else {}),
    }
    manifest = folder / dataset.MANIFEST
    if folder.exists() and any(folder.iterdir()):
        there = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else None
        if there != asked:
            differs = "no build" if there is None else f"another build ({_first_difference(there, asked)})"
            raise OutputError(f"{folder}: holds {differs}; give a new name with --out")
        return
    try:
        (folder / dataset.RUNS).mkdir(parents=True, exist_ok=True)
        dataset.write_manifest(folder, asked)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from None


def _first_difference(there: dict[str, Any], asked: dict[str, Any]) -> str:
    name = next(key for key in (*asked, *there) if there.get(key) != asked.get(key))
    return f"its {name} is not that asked for"


def _fitted(ground: Ground, size: Size, folder: Path, progress: Progress) -> tuple[Model, Domain, dict[str, Cases]]:
    place = place_of(ground.base, ground.economy)
    cases = {stream: _read(folder, stream, ground, place, size) for stream in STREAMS}
    train = cases["train"]
    groups = np.unique(train.group)
    kept = np.isin(train.group, groups[-max(1, round(KEPT * len(groups))) :])
    fitted, aside = train.some(~kept), train.some(kept)
    model = trained(
        ground.layout,
        place,
        fitted.rows,
        fitted.figures,
        Settings(epochs=size.epochs),
        seed=ground.seed,
        tell=lambda done, of: progress("fitting networks", done, of),
    )
    floor = floors(model, aside.rows, aside.figures)
    calibrate = cases["calibrate"]
    calibration = calibration_of(model, floor, calibrate.rows, calibrate.figures)
    domain = domain_of(ground.layout, fitted.rows, calibrate.rows)
    return replace(model, calibration=calibration), domain, cases | {"train": fitted, "floor": aside}


def _read(folder: Path, stream: str, ground: Ground, place: Any, size: Size) -> Cases:
    there = [n for n in range(size.economies[stream]) if (folder / dataset.RUNS / dataset.file_of(stream, n)).exists()]
    return dataset.read(folder, stream, there, ground.layout, place)


def _judged(ground: Ground, model: Model, domain: Domain, cases: dict[str, Cases], seed: int) -> dict[str, Any]:
    test = cases["test"]
    return {
        "accuracy": judge.accuracy(model, test),
        "r2": judge.fits(model, test),
        "coverage": judge.coverages(model, test),
        "corner": judge.corner(domain, ground.layout.names, cases["corner"], model),
        "within": judge.within(domain, ground.layout, test),
        "monotone": judge.monotone(model, test),
        "baselines": judge.baselines(ground.layout, model, cases["train"], test, seed),
    }


def runs_table(model: Model, cases: Cases) -> pd.DataFrame:
    """Inputs and headline figures of runs."""
    found = quantities(cases.figures, model.place)
    columns = {name: cases.rows[:, place] for place, name in enumerate(model.layout.names)}
    return pd.DataFrame({"economy": cases.group, **columns, **{name: found[name] for name in HEADLINES}})
