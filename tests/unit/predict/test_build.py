"""A build: the same bytes again and after a kill, and what it refuses."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from carbonray.config import ScenarioError
from carbonray.data.arrow import parquet
from carbonray.predict import build, dataset, gather, prediction
from carbonray.predict import folder as folders
from carbonray.predict.build import PREDICTOR, Built, build_predictor
from carbonray.predict.gather import SIZES, Ground, Size
from carbonray.predict.gather import gather as gather_runs
from carbonray.predict.ground import ground_of
from carbonray.predict.predictor import predictor
from carbonray.runtime.outputs import OutputError
from carbonray.runtime.work import place_for

TINY = Size(economies={"train": 3, "calibrate": 2, "test": 1, "corner": 1}, firms=960, epochs=2)
FILES = (folders.MODEL, folders.RUNS, folders.CARD)


@pytest.fixture(scope="module")
def tiny() -> Any:
    """`--size tiny` for as long as the tests of this file run."""
    SIZES["tiny"] = TINY
    yield TINY
    del SIZES["tiny"]


@pytest.fixture(scope="module")
def built(tiny: Size, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_predictor(tmp_path_factory.mktemp("build") / "first", size="tiny", jobs=1)


@pytest.fixture(scope="module")
def followers(tiny: Size, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Of firms that follow the policy that ships for the law."""
    return build_predictor(tmp_path_factory.mktemp("followers") / "first", size="tiny", policy="law", jobs=1)


@pytest.mark.slow
class TestBuild:
    def test_it_can_be_asked(self, built: Built) -> None:
        saved = predictor(built.folder).saved
        assert saved.card.runs == {"train": 16, "calibrate": 16, "test": 8, "corner": 8, "floor": 8}
        assert saved.card.failed == 0
        assert len(saved.runs) == 16
        assert saved.card.measured["corner"]["flagged"] == 1.0
        assert saved.card.command == "carbonray predictor build --size tiny"
        assert any(line.startswith("gradient boosting") for line in built.lines())

    def test_it_is_one_dataset_with_units(self, built: Built) -> None:
        runs = built.folder.parent / dataset.RUNS
        whole = pd.read_parquet(runs)
        assert len(whole) == 56
        assert set(whole["stream"]) == {"train", "calibrate", "test", "corner"}
        meta = parquet.read_schema(next(runs.glob("train-*"))).metadata
        assert meta[b"foreign_mt"].startswith(b"Mt CO2 a year")

    def test_one_that_was_cut_short_gives_the_same_bytes(self, built: Built, tmp_path: Path) -> None:
        cut = tmp_path / "cut"
        shutil.copytree(built.folder.parent, cut)
        shutil.rmtree(cut / PREDICTOR)
        for name in ("train-000002.parquet", "test-000000.parquet"):
            (cut / dataset.RUNS / name).unlink()
        (cut / dataset.RUNS / ".train-000002.parquet.0a1b2c3d").write_bytes(b"half")  # what a kill leaves
        again = build_predictor(cut, size="tiny", jobs=1)
        for name in FILES:
            assert (again.folder / name).read_bytes() == (built.folder / name).read_bytes(), name

    def test_a_finished_one_is_not_built_again(self, built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(build, "gather", lambda *given: pytest.fail("simulated again"))
        assert build_predictor(built.folder.parent, size="tiny").card == built.card

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({"size": "small"}, "holds another build (its size is not that asked for); give a new name with --out"),
            ({"size": "tiny", "seed": 3}, "holds another build (its seed is not that asked for)"),
        ],
    )
    def test_another_builds_folder_is_refused(self, built: Built, asked: dict[str, Any], said: str) -> None:
        with pytest.raises(OutputError) as error:
            build_predictor(built.folder.parent, **asked)
        assert said in str(error.value)


@pytest.mark.slow
class TestTrainedFirms:
    def test_the_card_names_the_policy(self, followers: Built, built: Built) -> None:
        card = followers.card
        assert card.policy is not None
        assert card.policy.name == "cbam/law"
        assert card.command == "carbonray predictor build --size tiny --policy law"
        assert "firms that follow the trained policy cbam/law" in card.about
        assert card.base["firms"]["learned"]
        assert built.card.policy is None
        assert card.runs_sha256 != built.card.runs_sha256

    def test_one_that_was_cut_short_gives_the_same_bytes(self, followers: Built, tmp_path: Path) -> None:
        cut = tmp_path / "cut"
        shutil.copytree(followers.folder.parent, cut)
        shutil.rmtree(cut / PREDICTOR)
        (cut / dataset.RUNS / "train-000002.parquet").unlink()
        again = build_predictor(cut, size="tiny", policy="law", jobs=2)
        for name in (*FILES, "policy/card.json", "policy/policy.npz"):
            assert (again.folder / name).read_bytes() == (followers.folder / name).read_bytes(), name

    @pytest.mark.parametrize("policy", [None, "no-cbam"])
    def test_other_firms_are_another_build(self, followers: Built, policy: str | None) -> None:
        with pytest.raises(OutputError, match=r"holds another build \(its policy is not that asked for\)"):
            build_predictor(followers.folder.parent, size="tiny", policy=policy)

    def test_a_check_simulates_firms_that_follow_it(self, followers: Built, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(prediction, "CHECKED_FIRMS", TINY.firms)
        found = prediction.predict_leakage(
            "law", built=followers.folder, check=True, settings=["policy.coverage.OMT=1"]
        )
        rules = prediction.simulate_case(found.scenario, predictor(None))
        assert found.simulated is not None
        assert np.isfinite(found.simulated["foreign_increase_mt"]).all()
        assert not np.allclose(found.simulated["foreign_increase_mt"], rules.foreign.sum((2, 3)), rtol=0.01)


def test_a_folder_that_holds_anything_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(OutputError, match="holds no build; give a new name with --out"):
        build_predictor(tmp_path, size="small")
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


def test_a_size_that_there_is_not() -> None:
    with pytest.raises(ScenarioError, match="--size huge: choose trial or small or full"):
        build_predictor("nowhere", size="huge")


def test_without_scikit_learn_nothing_is_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise build.PackageNotFoundError(name)

    monkeypatch.setattr(build, "metadata", missing)
    with pytest.raises(ScenarioError, match=r"scikit-learn: pip install 'carbonray\[predict\]'"):
        build_predictor(tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_economies_that_are_lost_are_told_and_the_others_kept(tmp_path: Path) -> None:
    class Lossy:
        def answers(self, work: Any, numbers: list[int]) -> Any:
            yield work.function(work.shared, work.task(numbers[0]))
            yield from (work.lost(number, "its process was killed") for number in numbers[1:])

    ground: Ground = ground_of(firms=960, seed=0)
    one = gather.try_economy
    with pytest.raises(OutputError, match=r"6 economies were lost \(its process was killed\); the same command"):
        gather_runs(ground, TINY, tmp_path, Lossy())  # type: ignore[arg-type]
    assert [path.name for path in (tmp_path / dataset.RUNS).iterdir()] == ["train-000000.parquet"]
    assert one is gather.try_economy
    assert place_for(None).on == "process"
