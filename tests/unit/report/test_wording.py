"""Numbers as a reader meets them."""

import pytest

from carbonray.report.wording import billions, in_sentence, listed, megatonnes, number, percent


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0143, "1.4 %"),
        (-0.0143, "−1.4 %"),
        (0.0004, "0.04 %"),
        (-0.00001, "0.00 %"),
        (1.05, "105 %"),
        (None, "undefined"),
    ],
)
def test_percent(share: float | None, text: str) -> None:
    assert percent(share).replace("\u00a0", " ") == text


def test_signs_and_units() -> None:
    assert megatonnes(12624.3) == "12,624\u00a0Mt"
    assert megatonnes(35.5, signed=True) == "+35.5\u00a0Mt"
    assert billions(-7540) == "−7.5\u00a0bn\u00a0USD"
    assert number(-0.04, 1, signed=True) == "0.0"


def test_names_in_a_sentence() -> None:
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert in_sentence("Rest of the world") == "the rest of the world"
    assert in_sentence("Minerals (cement, glass)") == "minerals (cement, glass)"
    assert in_sentence("XYZ") == "XYZ"
