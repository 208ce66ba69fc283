"""A predictor made by hand, for tests that ask one."""

from pathlib import Path

import predictors
import pytest

from carbonray.predict.predictor import Predictor, predictor


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder."""
    return predictors.saved(tmp_path_factory.mktemp("built") / "predictor")


@pytest.fixture(scope="session")
def asked(built: Path) -> Predictor:
    return predictor(built)
