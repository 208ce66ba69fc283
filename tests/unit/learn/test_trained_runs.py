"""Runs of every world with a trained policy instead of rules."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from policies import always, lively, saved, shape_of

from carbonray.config import ScenarioError
from carbonray.data.load_world import load_world
from carbonray.data.scenarios import load
from carbonray.learn.networks import Shape
from carbonray.learn.policy_folder import WEIGHTS
from carbonray.runtime import checkpoint
from carbonray.runtime.checkpoint import CheckpointError, Commit, Place
from carbonray.runtime.on_ray import resumed, runtime_of
from carbonray.runtime.simulate import simulate
from carbonray.worlds.cbam.act import GROWTHS
from carbonray.worlds.cbam.observe import FEATURES

pytestmark = pytest.mark.slow  # left out of `make check`, which must stay under a minute

SIZE: dict[str, Any] = {"firms": 1000, "years": 1, "robust": False}
TWO_HEADS = Shape(features=len(FEATURES), heads=(5, 4), hidden=16)
LEARNED = load("law", **{"firms.learned": True, "firms.number": 1000})


def firm_shape() -> Shape:
    return shape_of(load_world(LEARNED).roles["firm"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Firms that always shrink, cut nothing and move nowhere."""
    return saved(tmp_path_factory.mktemp("policies") / "shrink", always(firm_shape(), (0, 0, 0)))


@pytest.mark.slow
class TestFirms:
    def test_they_do_as_it_prefers_in_the_run_and_its_reference(self, folder: Path, tmp_path: Path) -> None:
        trained, rules = simulate("law", policy=folder, **SIZE), simulate("law", **SIZE)
        for side in ("policy", "reference"):
            planned, before = (getattr(found.pair, side).accounts["planned"] for found in (trained, rules))
            left = planned.sum((1, 2)) / planned[:1].sum() * (1 + GROWTHS[0])
            assert (abs(left - [(1 + GROWTHS[0]) ** step for step in range(1, 5)]) < 1e-12).all()
            assert planned[-1].sum() < 0.8 * before[-1].sum()
        assert trained.summary["policy"]["name"] == "shrink"
        assert "policy" not in rules.summary
        assert trained.notices == ["firms.learned=true: this policy re-sources and relocates"]
        out = trained.write(tmp_path / "run")
        config = yaml.safe_load((out / "config.yaml").read_text(encoding="utf-8"))
        assert config["datasets"][WEIGHTS] == trained.summary["policy"]["sha256"]
        assert config["scenario"]["firms"]["learned"] is True

    def test_with_two_heads_they_re_source_nothing_and_hear_nobody(self, tmp_path: Path) -> None:
        found = simulate("law", policy=saved(tmp_path / "two", lively(TWO_HEADS)), **SIZE)
        assert found.pair.scenario.firms.learned is False
        assert found.notices == []


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (
            {"target": LEARNED, "policy": "two"},
            f"made for {len(FEATURES)} features and heads (5, 4), but cbam/law has {len(FEATURES)} features and",
        ),
        (
            {"target": "climate-negotiation/none", "policy": "two"},
            "decides for each firm, but climate-negotiation/none",
        ),
        ({"target": "law", "policy": "absent"}, "there is no such folder; built in: "),
    ],
)
def test_a_policy_of_something_else_is_one_line(options: dict[str, str], rule: str, tmp_path: Path) -> None:
    saved(tmp_path / "two", lively(TWO_HEADS))
    with pytest.raises(ScenarioError) as refused:
        simulate(**{**options, "policy": tmp_path / options["policy"]}, robust=False)
    assert str(refused.value).startswith(f"policy {tmp_path / options['policy']}: {rule}")


def test_what_does_not_go_with_a_policy_is_refused(folder: Path) -> None:
    with pytest.raises(ScenarioError, match=r"^--uncertainty 3: not with --policy"):
        simulate("law", policy=folder, uncertainty=3)
    with pytest.raises(ScenarioError, match=r"^--policy: not with --actions"):
        simulate("climate-negotiation/none", policy=folder, actions="recorded.npz")


def test_regions_follow_a_policy_in_the_run_and_in_its_arrays(tmp_path: Path) -> None:
    shape = shape_of(load_world("climate-negotiation/none").roles["region"])
    mine = saved(tmp_path / "calm", always(shape, (3, 9) + (0,) * 55), role="region", acts="greedy")
    found = simulate("climate-negotiation/none", policy=mine, robust=False)
    assert (found.trajectory["actions"][:, :, :2] == [3, 9]).all()
    assert found.regions["savings"].iloc[-1] == pytest.approx(0.3)
    assert (found.summary["behaviour"], found.summary["policy"]["name"]) == ("trained", "calm")


def test_a_checkpoint_knows_its_policy(folder: Path, tmp_path: Path) -> None:
    own = saved(tmp_path / "own", always(firm_shape(), (0, 0, 0)))
    told = {"robust": False, "uncertainty": None, "actions": None, "policy": str(own)}
    place = Place(str(tmp_path / "place"))
    run = {**runtime_of(load("law"), {"checkpoint": place.url}, told).run, "shards": 2, "digest": "0"}
    checkpoint.commit(
        place, Commit(step=3, folder="step-000003-00000000", digests=("1", "2")), checkpoint.take(place, run)
    )
    assert resumed(place.url).options["policy"] == str(own)
    saved(own, always(firm_shape(), (4, 0, 0)))
    with pytest.raises(CheckpointError, match="policy has changed since the checkpoint was written"):
        resumed(place.url)
