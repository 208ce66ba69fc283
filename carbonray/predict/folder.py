"""A predictor as a folder: what it weighs, the runs it has seen, and a card that says what it is and is not.

model.npz       networks, calibration and domain
runs.parquet    inputs and headline figures of the runs that it learned from, for the nearest ones
card.json       how it was built, its accuracy, and the hashes of both
policy/         that its firms follow, if they follow one; see `followed`
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from carbonray.config import Scenario, ScenarioError
from carbonray.data.arrow import arrow, parquet
from carbonray.predict.conformal import Calibration
from carbonray.predict.domain import Domain
from carbonray.predict.followed import Followed
from carbonray.predict.ground import layout_of, place_of
from carbonray.predict.model import Model
from carbonray.predict.network import Network
from carbonray.worlds.cbam import Economy

Array = NDArray[np.float64]

MODEL, RUNS, CARD = "model.npz", "runs.parquet", "card.json"
BUILT_IN = Path(__file__).parent / "built"
"""Folder of the predictor that comes with carbonray."""


class PredictError(ScenarioError):
    """A predictor that cannot be read or asked; one line."""


class Card(BaseModel):
    """card.json."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    format: Literal[1] = 1
    """Of the folder."""
    about: str
    """What it is and is not, in plain words."""
    command: str
    """That builds it again, to the same bytes on the same versions and kind of CPU."""
    size: str
    """small or full."""
    seed: int
    """Of draws and networks."""
    firms: int
    """In every run."""
    policy: Followed | None = None
    """That all firms follow; they follow rules if there is none."""
    economy: str
    """The table whose runs it learned from."""
    datasets: dict[str, str]
    """SHA-256 of its tables; another economy is refused."""
    base: dict[str, Any]
    """The scenario that all runs share but for what is drawn."""
    runs: dict[str, int]
    """Runs by use: train, calibrate, test, corner."""
    failed: int
    """Laws that were drawn and have no run, for no prices cleared their market."""
    networks: int
    """Whose mean it gives."""
    hidden: int
    """Units of a layer."""
    rank: int
    """Shapes from which figures are made."""
    features: int
    """Of a year."""
    model_sha256: str
    """Of model.npz."""
    runs_sha256: str
    """Of runs.parquet."""
    versions: dict[str, str]
    """It was built with."""
    measured: dict[str, Any]
    """Accuracy, coverage, baselines and monotonicity on runs that it never saw."""


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A predictor that was read."""

    folder: Path
    card: Card
    base: Scenario
    economy: Economy
    model: Model
    domain: Domain
    runs: pd.DataFrame


def packed(model: Model, domain: Domain) -> bytes:
    """The bytes of model.npz: float32 networks, all else as it is; no dates, so that a build gives the same bytes."""
    arrays: dict[str, NDArray[Any]] = {"center": model.center, "width": model.width, "unit": model.unit}
    for number, network in enumerate(model.networks):
        arrays |= {f"network.{number}.{name}": values.numpy() for name, values in network.state_dict().items()}
    assert model.calibration is not None
    for part in ("floor", "score"):
        arrays |= {f"{part}.{name}": values for name, values in getattr(model.calibration, part).items()}
    arrays |= {f"domain.{item.name}": np.asarray(getattr(domain, item.name)) for item in fields(Domain)}
    file = io.BytesIO()
    whole: dict[str, Any] = {name: np.asarray(values, order="C") for name, values in arrays.items()}
    np.savez(file, **whole)  # files in it are dated 1980, whenever it is written
    return file.getvalue()


def table_bytes(table: pd.DataFrame) -> bytes:
    """The bytes of runs.parquet."""
    file = io.BytesIO()
    small = {name: np.float32 for name in table.columns if table[name].dtype == np.float64}
    parquet.write_table(arrow.Table.from_pandas(table.astype(small), preserve_index=False), file, compression="zstd")
    return file.getvalue()


def write(folder: Path, model: Model, domain: Domain, runs: pd.DataFrame, told: Mapping[str, Any]) -> Card:
    """Write a predictor into a folder that exists."""
    contents = {MODEL: packed(model, domain), RUNS: table_bytes(runs)}
    first = model.networks[0]
    card = Card(
        **told,
        networks=len(model.networks),
        hidden=first.first.out_features,
        rank=first.third.out_features,
        features=first.first.in_features,
        model_sha256=hashlib.sha256(contents[MODEL]).hexdigest(),
        runs_sha256=hashlib.sha256(contents[RUNS]).hexdigest(),
        versions={name: metadata.version(name) for name in ("carbonray", "torch", "numpy", "pyarrow")},
    )
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / CARD).write_text(json.dumps(card.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    return card


def load(folder: str | Path | None = None) -> Saved:
    """Read a predictor; the one that comes with carbonray if left out.

    Raises:
        PredictError: if it is not there, is not whole, or its economy's tables have changed.
    """
    from carbonray.data.worlds import economy_of

    place = BUILT_IN if folder is None else Path(folder)
    card = _card(place)
    contents = {name: _bytes(place / name, wanted) for name, wanted in
                ((MODEL, card.model_sha256), (RUNS, card.runs_sha256))}  # fmt: skip
    base = Scenario.model_validate(card.base)
    check_tables(card, base, f"{place / CARD}: economy")
    economy = economy_of(base)
    with np.load(io.BytesIO(contents[MODEL]), allow_pickle=False) as arrays:
        model, domain = _unpacked(dict(arrays), card, base, economy)
    runs = parquet.read_table(io.BytesIO(contents[RUNS])).to_pandas()
    return Saved(folder=place, card=card, base=base, economy=economy, model=model, domain=domain, runs=runs)


def check_tables(card: Card, scenario: Scenario, name: str) -> None:
    """Refuse a scenario of another economy than the predictor's.

    Raises:
        PredictError: naming both.
    """
    from carbonray.runtime.outputs import HASHES

    found = HASHES["cbam"](scenario)
    if {key: found.get(key) for key in card.datasets} != card.datasets:
        raise PredictError(
            f"{name}: this predictor was built for {card.economy}, and {scenario.economy} is not that table; "
            f"build one for it with `carbonray predictor build --economy {scenario.economy}`"
        )


def _card(place: Path) -> Card:
    try:
        return Card.model_validate_json((place / CARD).read_text(encoding="utf-8"))
    except OSError as error:
        raise PredictError(f"{place}: is no folder of a predictor ({CARD}: {error.strerror})") from None
    except (ValidationError, UnicodeDecodeError) as error:
        raise PredictError(f"{place / CARD}: is spoilt ({str(error).splitlines()[0]})") from None


def _bytes(path: Path, wanted: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PredictError(f"{path}: cannot be read ({error.strerror})") from None
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        raise PredictError(f"{path}: is not the file that {CARD} names (sha256 {found[:12]}, wanted {wanted[:12]})")
    return content


def _unpacked(arrays: Mapping[str, NDArray[Any]], card: Card, base: Scenario, economy: Economy) -> tuple[Model, Domain]:
    def under(name: str) -> dict[str, NDArray[Any]]:
        return {key.removeprefix(f"{name}."): values for key, values in arrays.items() if key.startswith(f"{name}.")}

    unit = arrays["unit"]
    networks = []
    for number in range(card.networks):
        network = Network(card.features, len(unit), hidden=card.hidden, rank=card.rank)
        network.load_state_dict({key: torch.as_tensor(values) for key, values in under(f"network.{number}").items()})
        networks.append(network.eval())
    model = Model(
        layout=layout_of(base, economy),
        place=place_of(base, economy),
        networks=tuple(networks),
        center=arrays["center"],
        width=arrays["width"],
        unit=unit,
        calibration=Calibration(floor=under("floor"), score=under("score")),
    )
    return model, Domain(**under("domain"))
