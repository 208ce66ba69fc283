"""A trained policy as a folder: policy.npz has the weights, card.json says what it is and how it was made.

Where several roles learned at once, the folder has one such folder for each, with the role's name.

Weights are float32; float16 where only these keep the file within 128 KB, and the card says so.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from carbonray.data.catalogue import sha256
from carbonray.learn.inference import network, sizes
from carbonray.learn.networks import Decider, Shape
from carbonray.learn.policy import PolicyError, Together, Trained

FORMAT = 1
WEIGHTS, CARD = "policy.npz", "card.json"
LARGEST = 128 * 1024
"""Bytes that the weights of a small policy may take."""
BUILT_IN = Path(__file__).parent / "policies"
"""Folder of the policies that come with carbonray."""
STANDARDISING = ("trunk.mean", "trunk.scale")
"""What stays float32 always."""


class Origin(BaseModel):
    """How a policy came about."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    world: str
    """Where it was trained."""
    scenario: str
    """Under which scenario."""
    role: str
    """Whom it decides for."""
    method: Literal["vdn", "actor-critic", "ppo"]
    """The algorithm."""
    acts: Literal["greedy", "sampled"]
    """Whether it takes the best level of each head, or draws one with the network's probabilities."""
    command: str
    """That trains it again."""
    seed: int
    """Of the training."""
    agent_steps: Annotated[int, Field(ge=0)]
    """Decisions of agents met in training."""
    datasets: dict[str, str]
    """Name and SHA-256 of the data of the training's world."""
    measured: dict[str, float] = {}
    """Figures by name, as they were measured after training."""


class Card(Origin):
    """card.json."""

    format: Literal[1] = 1
    """Of the folder."""
    features: Annotated[int, Field(ge=1)]
    """Of an observation."""
    heads: tuple[Annotated[int, Field(ge=1)], ...]
    """Levels of each head."""
    hidden: Annotated[int, Field(ge=1)]
    """Units of each layer."""
    recurrent: bool
    """Whether it remembers, with an LSTM."""
    weights: Literal["float32", "float16"]
    """Type in which the file has them; they are worked with in float64."""
    sha256: str
    """Of policy.npz."""
    carbonray: str
    """Version that wrote it."""
    about: str
    """What it is and is not, in plain words."""

    @property
    def shape(self) -> Shape:
        """Of its network."""
        return Shape(features=self.features, heads=self.heads, hidden=self.hidden, recurrent=self.recurrent)


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A policy that was read from a folder."""

    folder: Path
    card: Card
    trained: Trained

    @property
    def name(self) -> str:
        """WORLD/SCENARIO of one built in; else that of its folder, or of its training's."""
        return _name(self.folder.absolute(), self.card)

    @property
    def parts(self) -> tuple["Saved", ...]:
        """The policy of each role: itself."""
        return (self,)

    @property
    def heads(self) -> Mapping[str, tuple[int, ...]]:
        """Levels of each head, by role."""
        return {self.card.role: self.card.heads}

    @property
    def files(self) -> Mapping[str, Path]:
        """What holds its weights, and what a run calls it."""
        return {WEIGHTS: self.folder / WEIGHTS}

    def told(self) -> dict[str, Any]:
        """What a run's summary says of it."""
        card = self.card
        return {"name": self.name, "sha256": card.sha256, "method": card.method, "acts": card.acts,
                "scenario": f"{card.world}/{card.scenario}", "agent_steps": card.agent_steps,
                "command": card.command, "roles": [card.role]}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SavedTogether:
    """Policies of several roles that were trained together, each in a sub-folder with the role's name."""

    folder: Path
    parts: tuple[Saved, ...]

    @property
    def card(self) -> Card:
        """That of the first, which tells of the training of all."""
        return self.parts[0].card

    @property
    def name(self) -> str:
        """As of a single one."""
        return _name(self.folder.absolute(), self.card)

    @property
    def trained(self) -> Together:
        """How they behave."""
        return Together(parts=tuple(part.trained for part in self.parts))

    @property
    def heads(self) -> Mapping[str, tuple[int, ...]]:
        """Levels of each head, by role."""
        return {part.card.role: part.card.heads for part in self.parts}

    @property
    def files(self) -> Mapping[str, Path]:
        """What holds their weights, and what a run calls it."""
        return {f"{part.card.role}/{WEIGHTS}": part.folder / WEIGHTS for part in self.parts}

    def told(self) -> dict[str, Any]:
        """What a run's summary says of them."""
        sums = "".join(part.card.sha256 for part in self.parts)
        together = {"name": self.name, "sha256": hashlib.sha256(sums.encode()).hexdigest()}
        return self.parts[0].told() | together | {"roles": [part.card.role for part in self.parts]}


AnySaved = Saved | SavedTogether


def save(folder: Path, decider: Decider, origin: Origin) -> Path:
    """Write a policy into a folder, which may exist, and give it back."""
    state = {name: value.detach().cpu().numpy() for name, value in decider.state_dict().items()}
    kind: Literal["float32", "float16"] = "float32"
    content = _packed(state, np.float32)
    if len(content) > LARGEST and len(_packed(state, np.float16)) <= LARGEST:
        kind, content = "float16", _packed(state, np.float16)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(content)
    shape = decider.shape
    card = Card(
        **origin.model_dump(),
        features=shape.features,
        heads=shape.heads,
        hidden=shape.hidden,
        recurrent=shape.recurrent,
        weights=kind,
        sha256=sha256(folder / WEIGHTS),
        carbonray=metadata.version("carbonray"),
        about=about(origin),
    )
    (folder / CARD).write_text(json.dumps(card.model_dump(), indent=2) + "\n", encoding="utf-8")
    return folder


def _name(folder: Path, card: Card) -> str:
    if folder.parent == BUILT_IN:
        return f"{card.world}/{card.scenario}"
    return folder.parent.name if folder.name == "policy" else folder.name


def recorded(saved: Saved, measured: Mapping[str, float], folder: Path) -> Path:
    """Copy a policy into a folder, with figures that were measured of it, and give the folder back."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(saved.folder / WEIGHTS, folder / WEIGHTS)
    card = saved.card.model_copy(update={"measured": dict(measured)})
    (folder / CARD).write_text(json.dumps(card.model_dump(), indent=2) + "\n", encoding="utf-8")
    return folder


def about(origin: Origin) -> str:
    """What a policy is and is not."""
    role = origin.role
    return (
        f"One small network that every {role} consults: it maps what a {role} sees to what it does next. It was "
        f"trained by {origin.method} in simulated {origin.world}/{origin.scenario} and knows nothing else. It is no "
        f"forecast of what a real {role} will do and no proof that nobody could do better; in other scenarios, and "
        "beside others who behave differently from those it met in training, it may do badly."
    )


def built_in() -> list[str]:
    """Policies that come with carbonray, WORLD/SCENARIO as they were trained."""
    folders = sorted(folder for folder in BUILT_IN.glob("*") if folder.is_dir())
    cards = [_card(folder) for folder in folders]
    return [f"{card.world}/{card.scenario}" for card in cards]


def place(folder: str | Path) -> Path:
    """Where a policy is: a folder, that of a training, or one built in that a scenario names.

    Raises:
        PolicyError: if there is none.
    """
    path, name = Path(folder), str(folder)
    if path.exists():
        return path / "policy" if (path / "policy").is_dir() else path
    named = BUILT_IN / (name if "/" in name else f"cbam/{name}").replace("/", "-")
    if named.is_dir():
        return named
    known = ", ".join(built_in()) or "none"
    raise PolicyError(f"policy {folder}: there is no such folder; built in: {known}")


def load(folder: str | Path) -> AnySaved:
    """Read a policy, or those of several roles.

    Args:
        folder: of a policy, of a training, or the name of one built in, see `place`.

    Raises:
        PolicyError: if something is missing, spoilt, or does not fit together.
    """
    folder = place(folder)
    parts = () if (folder / CARD).exists() else sorted(card.parent for card in folder.glob(f"*/{CARD}"))
    if not parts:
        return load_one(folder)
    return SavedTogether(folder=folder, parts=tuple(load_one(part) for part in parts))


def load_one(folder: Path) -> Saved:
    """Read the policy of one role.

    Raises:
        PolicyError: as `load`.
    """
    card = _card(folder)
    weights = _weights(folder, card)
    brain, sampled = network(card.shape, weights), card.acts == "sampled"
    trained = Trained(network=brain, role=card.role, sampled=sampled, name=f"policy {folder}")
    return Saved(folder=folder, card=card, trained=trained)


def _card(folder: Path) -> Card:
    try:
        return Card.model_validate_json((folder / CARD).read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyError(f"policy {folder}: {CARD} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise PolicyError(f"policy {folder}: {CARD} is no text") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise PolicyError(f"policy {folder}: {CARD}: {f'{key}: ' * bool(key)}{first['msg']}") from None


def _weights(folder: Path, card: Card) -> dict[str, torch.Tensor]:
    path = folder / WEIGHTS
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"policy {folder}: {WEIGHTS} cannot be read ({error.strerror})") from None
    if sha256(path) != card.sha256:
        raise PolicyError(f"policy {folder}: {WEIGHTS} is not the file that {CARD} tells of; its bytes have changed")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            found: dict[str, NDArray[Any]] = {name: arrays[name] for name in arrays.files}
    except Exception as error:  # what spoilt bytes make the parsers of zip, zlib and numpy raise is anybody's guess
        raise PolicyError(f"policy {folder}: {WEIGHTS} is no npz file ({_first_line(error)})") from None
    wanted = sizes(card.shape)
    for name, shape in wanted.items():
        _check(folder, card, name, found.get(name), shape)
    if unknown := sorted(set(found) - set(wanted)):
        raise PolicyError(f"policy {folder}: {WEIGHTS} has {unknown[0]}, which no such network has")
    return {name: torch.as_tensor(values.astype(np.float64)) for name, values in found.items()}


def _check(folder: Path, card: Card, name: str, values: NDArray[Any] | None, shape: tuple[int, ...]) -> None:
    if values is None:
        raise PolicyError(f"policy {folder}: {WEIGHTS} lacks {name}")
    kind = "float32" if name in STANDARDISING else card.weights
    if values.shape != shape or values.dtype != kind:
        there = f"{values.dtype} {list(values.shape)}"
        raise PolicyError(f"policy {folder}: {WEIGHTS}: {name} is {there}, but must be {kind} {list(shape)}")
    if not np.isfinite(values).all():
        raise PolicyError(f"policy {folder}: {WEIGHTS}: {name} holds something that is no finite number")


def _packed(state: Mapping[str, NDArray[Any]], kind: type) -> bytes:
    """An npz file; the same weights give the same bytes."""
    file = io.BytesIO()
    kept: dict[str, Any] = {
        name: values.astype(np.float32 if name in STANDARDISING else kind) for name, values in state.items()
    }
    np.savez_compressed(file, allow_pickle=False, **kept)
    return file.getvalue()


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
