"""Which firms a predictor stands for: those that follow rules, or a trained policy, which its folder has then.

policy/         of the predictor's folder: the policy's own card.json and policy.npz
"""

import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from carbonray.config import ScenarioError
from carbonray.data.worlds import build_world
from carbonray.learn.policy import PolicyError
from carbonray.learn.policy_folder import CARD, WEIGHTS, Saved, load
from carbonray.predict.gather import Ground
from carbonray.predict.space import firms_of
from carbonray.runtime.shard import RULES, Policy

POLICY, ROLE = "policy", "firm"


class Followed(BaseModel):
    """The trained policy that all firms follow, in runs and in their references."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str
    """WORLD/SCENARIO of one that comes with carbonray, else that of its folder."""
    sha256: str
    """Of its weights."""

    @property
    def words(self) -> str:
        """For a sentence about firms that ..."""
        return f"follow the trained policy {self.name} ({self.sha256[:12]})"


RULE_WORDS = "follow rules"


def words_of(followed: Followed | None) -> str:
    """What firms do, for a sentence."""
    return RULE_WORDS if followed is None else followed.words


def followed_by(saved: Saved | None) -> Followed | None:
    """What a card says of a policy."""
    return None if saved is None else Followed(name=saved.name, sha256=saved.card.sha256)


def read(name: str | Path | None) -> Saved | None:
    """The policy that firms are to follow; none where they follow rules.

    Raises:
        ScenarioError: if it cannot be read, or decides for others than firms.
    """
    if name is None:
        return None
    found = load(name)
    if not isinstance(found, Saved) or found.card.role != ROLE:
        raise ScenarioError(
            f"--policy {name}: decides for each {', '.join(found.heads)}; a predictor learns laws that stand, so give "
            f"a policy of the {ROLE} alone"
        )
    return found


def check_fits(ground: Ground) -> None:
    """Refuse a policy whose firms see or decide something else, before anything is simulated.

    Raises:
        PolicyError: if so.
    """
    if ground.behaviour is not RULES:
        world = build_world(firms_of(ground.base, ground.firms), ground.economy)
        ground.behaviour.check(world, f"{ground.base.world}/{ground.base.name} on {ground.base.economy}")


def write(saved: Saved | None, folder: Path) -> None:
    """Write a policy into the folder of a predictor."""
    if saved is not None:
        (folder / POLICY).mkdir()
        for name in (CARD, WEIGHTS):
            shutil.copyfile(saved.folder / name, folder / POLICY / name)


def behaviour_of(followed: Followed | None, folder: Path) -> Policy:
    """How the firms of a predictor's runs behave, from its folder.

    Raises:
        ScenarioError: if the policy is not there or is another.
    """
    if followed is None:
        return RULES
    place = folder / POLICY
    try:
        if not place.is_dir():
            raise PolicyError(f"{place} is missing")
        found = load(place)
    except PolicyError as error:
        raise ScenarioError(f"{folder}: its firms {followed.words}, which cannot be read: {error}") from None
    if not isinstance(found, Saved) or found.card.sha256 != followed.sha256:
        raise ScenarioError(f"{folder}: its firms {followed.words}, and {place} holds another")
    return found.trained
