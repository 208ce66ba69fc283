"""Predictors of firms that follow a trained policy: which one, where it is, and what is said of it."""

import json
import shutil
from pathlib import Path

import policies
import pytest

from carbonray.config import ScenarioError
from carbonray.data.scenarios import load as load_scenario
from carbonray.data.worlds import build_world
from carbonray.learn.policy import PolicyError, Trained
from carbonray.learn.policy_folder import Saved
from carbonray.predict import followed
from carbonray.predict.card_text import card_lines
from carbonray.predict.folder import CARD
from carbonray.predict.followed import Followed, behaviour_of, check_fits
from carbonray.predict.ground import ground_of
from carbonray.predict.prediction import predict_leakage
from carbonray.predict.predictor import predictor
from carbonray.runtime.shard import RULES


@pytest.fixture(scope="module")
def law() -> Saved:
    """The policy that ships for the law."""
    found = followed.read("law")
    assert found is not None
    return found


@pytest.fixture
def trained(built: Path, law: Saved, tmp_path: Path) -> Path:
    """A predictor made by hand as if its firms followed the policy."""
    folder = tmp_path / "predictor"
    shutil.copytree(built, folder)
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(card | {"policy": followed.followed_by(law).model_dump()}))  # type: ignore[union-attr]
    followed.write(law, folder)
    return folder


class TestWhich:
    def test_rules_where_none_is_named(self) -> None:
        assert followed.read(None) is None
        assert ground_of(firms=1000, seed=0).behaviour is RULES

    def test_firms_of_a_policy_that_moves_can_move(self, law: Saved) -> None:
        ground = ground_of(firms=1000, seed=0, policy=law)
        assert isinstance(ground.behaviour, Trained)
        assert ground.base.firms.learned
        check_fits(ground)

    def test_one_that_turns_the_law_is_refused(self, tmp_path: Path) -> None:
        scenario = load_scenario("law", ["regulator.acts=true", "firms.number=960"])
        role = build_world(scenario).roles["regulator"]  # type: ignore[arg-type]
        folder = policies.saved(
            tmp_path / "decrees", policies.lively(policies.shape_of(role, hidden=8)), role="regulator"
        )
        with pytest.raises(ScenarioError, match="decides for each regulator; a predictor learns laws that stand"):
            followed.read(folder)

    def test_one_of_other_firms_is_refused(self, law: Saved) -> None:
        with pytest.raises(PolicyError, match="but cbam/law on world-2011 has"):
            check_fits(ground_of(firms=1000, seed=0, economy="world-2011", policy=law))

    def test_one_that_is_not_there_is_refused(self) -> None:
        with pytest.raises(PolicyError, match="policy nobody: there is no such folder"):
            followed.read("nobody")


class TestWhere:
    def test_it_is_in_the_predictors_folder(self, trained: Path, law: Saved) -> None:
        saved = predictor(trained).saved
        found = behaviour_of(saved.card.policy, saved.folder)
        assert isinstance(found, Trained)
        assert found.sampled == law.trained.sampled
        assert (trained / "policy" / "policy.npz").read_bytes() == (law.folder / "policy.npz").read_bytes()

    def test_a_check_without_it_is_refused(self, trained: Path) -> None:
        shutil.rmtree(trained / "policy")
        assert predict_leakage("law", built=trained).firms.startswith("follow the trained policy cbam/law")
        with pytest.raises(ScenarioError, match=r"firms follow the trained policy cbam/law \(.*policy is missing"):
            predict_leakage("law", built=trained, check=True)

    def test_a_check_with_another_is_refused(self, trained: Path, tmp_path: Path) -> None:
        other = followed.read("no-cbam")
        shutil.rmtree(trained / "policy")
        followed.write(other, trained)
        with pytest.raises(ScenarioError, match="holds another"):
            behaviour_of(predictor(trained).saved.card.policy, trained)


class TestSaid:
    def test_an_answer_says_whom_it_stands_for(self, built: Path, trained: Path, law: Saved) -> None:
        rules, other = (predict_leakage("law", built=folder) for folder in (built, trained))
        assert rules.to_dict()["predictor"]["firms"] == "follow rules"
        assert rules.to_dict()["predictor"]["policy"] is None
        assert other.to_dict()["predictor"]["policy"] == {"name": "cbam/law", "sha256": law.card.sha256}
        assert rules.lines()[0].endswith("of what the simulation of firms that follow rules would say")
        assert f"firms that follow the trained policy cbam/law ({law.card.sha256[:12]})" in other.lines()[0]

    def test_a_flagged_answer_says_it_too(self, trained: Path) -> None:
        lines = predict_leakage("law", built=trained, settings=["policy.price.2035=500"]).lines()
        assert "NOT SIMULATED LIKE THIS" in lines[0]
        assert lines[1].startswith("  it stands for firms that follow the trained policy cbam/law")

    def test_a_card_says_it(self, built: Path, trained: Path) -> None:
        assert card_lines(predictor(built).saved.card)[1] == "firms follow rules"
        assert card_lines(predictor(trained).saved.card)[1].startswith("firms follow the trained policy cbam/law")

    def test_words(self) -> None:
        one = Followed(name="mine", sha256="0123456789abcdef")
        assert followed.words_of(one) == "follow the trained policy mine (0123456789ab)"
