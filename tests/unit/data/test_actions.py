"""Recorded actions: what is read, and that everything else is refused in one line naming file, entry and rule."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from carbonray.data import DataError
from carbonray.data.actions import read_actions

RAW = Path(__file__).resolve().parents[3] / ".." / "shared" / "data" / "rice_n"


def levels(steps: int = 20, heads: int = 57, *, regions: int = 27) -> np.ndarray:
    """Legal levels, no two neighbours alike."""
    drawn = np.random.default_rng(3).integers(0, 10, (steps, regions, heads))
    drawn[:, :, 111:] %= 2
    return drawn


def saved(folder: Path, actions: Any, **others: Any) -> Path:
    path = folder / "mine.npz"
    np.savez_compressed(path, actions=actions, **others)
    return path


def changed(entry: tuple[int, int, int], value: float, steps: int = 20, heads: int = 57) -> np.ndarray:
    actions = levels(steps, heads).astype(np.float64)
    actions[entry] = value
    return actions


def refused(path: Path) -> str:
    with pytest.raises(DataError) as error:
        read_actions(path)
    message = str(error.value)
    assert "\n" not in message
    assert re.fullmatch(re.escape(path.name) + r": actions: .* \(got .+\)", message), message
    return message.removeprefix(f"{path.name}: actions: ")


@pytest.mark.parametrize(("steps", "heads"), [(1, 57), (20, 57), (3, 138), (60, 138)])
@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int64, np.float32, np.float64])
def test_levels_of_any_number_type_are_read(tmp_path: Path, steps: int, heads: int, kind: Any) -> None:
    found = read_actions(saved(tmp_path, levels(steps, heads).astype(kind)))
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, levels(steps, heads))


def test_other_arrays_of_a_trajectory_are_ignored(tmp_path: Path) -> None:
    path = saved(tmp_path, levels(), global_temperature=np.ones((21, 2)), notes=np.array([{}], dtype=object))
    np.testing.assert_array_equal(read_actions(path), levels())


@pytest.mark.raw
@pytest.mark.skipif(not RAW.is_dir(), reason="raw tables (../shared/data) are absent")
def test_recorded_trajectories_are_read() -> None:
    for path in sorted(RAW.glob("*.npz")):
        np.testing.assert_array_equal(read_actions(path), np.load(path)["actions"])


SHAPES = {
    "no steps": (levels(0), "must have 1 to 20 steps with 57 heads (got 0)"),
    "no rounds": (levels(0, 138), "must have 1 to 60 steps with 138 heads (got 0)"),
    "too many steps": (levels(21), "must have 1 to 20 steps with 57 heads (got 21)"),
    "too many rounds": (levels(63, 138), "must have 1 to 60 steps with 138 heads (got 63)"),
    "a broken round": (levels(20, 138), "steps must be a multiple of 3 with 138 heads (got 20)"),
    "one step alone": (levels()[0], "must have the axes step, region, head (got shape (27, 57))"),
    "replicas": (levels()[None], "must have the axes step, region, head (got shape (1, 20, 27, 57))"),
    "a scalar": (np.array(3), "must have the axes step, region, head (got shape ())"),
    "a region short": (levels(regions=26), "must have 27 regions (got 26)"),
    "a head short": (levels(heads=56), "must have 57 heads, or 138 with a protocol (got 56)"),
    "no heads": (levels(heads=0), "must have 57 heads, or 138 with a protocol (got 0)"),
}
ENTRIES = {
    "level ten": (changed((4, 3, 7), 10), "entry [4, 3, 7] must be a level 0 to 9 (got 10.0)"),
    "below zero": (changed((19, 26, 56), -1), "entry [19, 26, 56] must be a level 0 to 9 (got -1.0)"),
    "an answer of two": (changed((2, 0, 111), 2, 6, 138), "entry [2, 0, 111] must be a level 0 to 1 (got 2.0)"),
    "a request of ten": (changed((2, 0, 110), 10, 6, 138), "entry [2, 0, 110] must be a level 0 to 9 (got 10.0)"),
    "a half": (changed((0, 0, 0), 0.5), "entry [0, 0, 0] must be a whole number (got 0.5)"),
    "a rate near a level": (changed((1, 2, 3), 3 + 1e-9), "entry [1, 2, 3] must be a whole number (got 3.000000001)"),
    "NaN": (changed((1, 1, 1), np.nan), "entry [1, 1, 1] must be a whole number (got nan)"),
    "infinite": (changed((1, 1, 1), np.inf), "entry [1, 1, 1] must be a whole number (got inf)"),
    "too large for an integer": (changed((1, 1, 1), 1e300), "entry [1, 1, 1] must be a level 0 to 9 (got 1e+300)"),
    "wraps round": (
        np.where(levels() > 8, np.uint64(2**64 - 1), levels().astype(np.uint64)),
        f"entry {[int(place) for place in np.argwhere(levels() > 8)[0]]} must be a level 0 to 9 (got {2**64 - 1})",
    ),
}
TYPES = {
    "truth values": (levels() > 4, "must hold whole numbers (got bool)"),
    "words": (levels().astype("U1"), "must hold whole numbers (got <U1)"),
    "complex": (levels().astype(complex), "must hold whole numbers (got complex128)"),
    "dates": (levels().astype("M8[D]"), "must hold whole numbers (got datetime64[D])"),
    "records": (np.zeros((20, 27, 57), dtype=[("level", "i4")]), "must hold whole numbers (got [('level', '<i4')])"),
}


@pytest.mark.parametrize("kind", sorted(SHAPES | ENTRIES | TYPES))
def test_a_bad_array_is_refused_by_entry_and_rule(tmp_path: Path, kind: str) -> None:
    actions, words = (SHAPES | ENTRIES | TYPES)[kind]
    assert refused(saved(tmp_path, actions)) == words


def test_the_first_bad_entry_is_named(tmp_path: Path) -> None:
    actions = levels(6, 138)
    actions[5, 0, 0], actions[4, 20, 137], actions[4, 21, 0] = 11, 3, 12
    assert refused(saved(tmp_path, actions)) == "entry [4, 20, 137] must be a level 0 to 1 (got 3)"


def test_a_missing_array_is_refused_with_the_names_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, moves=levels(), Actions=levels())
    assert refused(path) == "the file must hold an array of this name (got moves, Actions)"
    np.savez(path)
    assert refused(path) == "the file must hold an array of this name (got -)"


def no_file(path: Path) -> None:
    """Leave the path empty."""


def truncated(path: Path) -> None:
    np.savez(path, actions=levels())
    path.write_bytes(path.read_bytes()[:-200])


def pickled(path: Path) -> None:
    np.savez(path, actions=levels().astype(object))


def bare_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, levels())


def pickle_file(path: Path) -> None:
    path.write_bytes(b"\x80\x04K\x01.")


def other_member(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("actions", "0 1 2")


def header(path: Path, text: bytes) -> None:
    """An archive that is whole, with an array that is not."""
    text = text.ljust(117) + b"\n"
    content = io.BytesIO()
    content.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("actions.npy", content.getvalue())


def promises_more_than_it_holds(path: Path) -> None:
    header(path, b"{'descr': '<i8', 'fortran_order': False, 'shape': (10, 27, 57)}")


def absurd_header(path: Path) -> None:
    header(path, b"{'descr': '<i8', 'fortran_order': (((")


def spoilt(path: Path) -> None:
    """Flip one byte of the compressed figures."""
    np.savez_compressed(path, actions=levels())
    content = bytearray(path.read_bytes())
    content[300] ^= 255
    path.write_bytes(bytes(content))


FILES: dict[Callable[[Path], Any], str] = {
    no_file: r"the file must exist \(got no file\)",
    Path.mkdir: r"the file must exist \(got a folder\)",
    Path.touch: r".* \(got a file that is no zip archive, or a part of one\)",
    truncated: r".* \(got a file that is no zip archive, or a part of one\)",
    bare_array: r".* \(got a file that is no zip archive, or a part of one\)",
    pickle_file: r".* \(got a file that is no zip archive, or a part of one\)",
    pickled: r".* without pickled objects \(got Object arrays cannot be loaded .*\)",
    other_member: r".* \(got a member that is no array\)",
    promises_more_than_it_holds: r".* \(got .+\)",
    absurd_header: r".* \(got .+\)",
    spoilt: r".* \(got .+\)",
}


@pytest.mark.parametrize("spoil", FILES, ids=lambda spoil: spoil.__name__)
def test_a_file_that_is_no_npz_is_refused(tmp_path: Path, spoil: Callable[[Path], Any]) -> None:
    path = tmp_path / "mine.npz"
    spoil(path)
    message = refused(path)
    assert re.fullmatch(FILES[spoil], message), message


@given(place=st.floats(0.0, 1.0, exclude_max=True), byte=st.integers(1, 255))
@example(place=0.9706, byte=1)  # in the zip's directory: numpy left the file open
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_byte_gives_the_same_levels_or_a_refusal(tmp_path: Path, place: float, byte: int) -> None:
    path = saved(tmp_path, levels(2))
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= byte
    path.write_bytes(bytes(content))
    try:
        found = read_actions(path)
    except DataError:
        refused(path)
    else:
        np.testing.assert_array_equal(found, levels(2))
