"""The catalogue: where tables are found, what is said of them, and that a changed byte is noticed."""

import json
import re
import shutil
from pathlib import Path

import pytest

from carbonray.data import DataError, catalogue, check, datasets_folder, describe, list_datasets, load_schedule, verify
from carbonray.data.resources import RESOURCES

SMALL = 2_000_000  # bytes


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(datasets_folder(), tmp_path / "datasets"))


def test_built_in_tables_pass_every_check() -> None:
    check()


def test_every_table_states_licence_source_method_and_units() -> None:
    package = catalogue.package_in(datasets_folder())
    assert [entry["name"] for entry in package["resources"]] == [resource.name for resource in RESOURCES]
    for entry in package["resources"]:
        assert entry["licenses"]
        assert all(source["licence"] and source["publisher"] for source in entry["sources"])
        assert len(entry["method"]) > 30
        assert "{" not in entry["method"]
        numbers = [field for field in entry["schema"]["fields"] if field["type"] != "string"]
        assert all(field["unit"] for field in numbers)
    assert list_datasets()["bytes"].sum() < SMALL


def test_only_listed_files_are_shipped() -> None:
    root = datasets_folder()
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert files == {"datapackage.json", *list_datasets()["path"]}


def test_description_is_complete_in_words() -> None:
    text = describe("installations-2019")
    for words in ("European Union Transaction Log", "CC BY 4.0", "upper bound", "pareto_exponent", "[t CO2e / year]"):
        assert words in text
    with pytest.raises(DataError, match="no table is named 'x'; there are: world-2011-transactions, "):
        describe("x")


def test_a_changed_byte_is_noticed(copied: Path) -> None:
    path = copied / "cbam" / "schedule.parquet"
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(bytes(content))
    message = re.compile(
        r"^cbam/schedule\.parquet: hash is sha256:\w{12}\.\.\., datapackage\.json says sha256:\w{12}\.\.\.; "
        r"the file was changed$"
    )
    with pytest.raises(DataError, match=message):
        load_schedule(copied)
    with pytest.raises(DataError, match=message):
        check(copied)


def test_a_missing_table_is_named(copied: Path) -> None:
    (copied / "carbon_price" / "eu.parquet").unlink()
    with pytest.raises(DataError, match=r"^carbon_price/eu.parquet: file is missing; datapackage.json lists it$"):
        verify("carbon-price-eu", copied)


def test_a_broken_data_package_is_named(copied: Path) -> None:
    package = copied / "datapackage.json"
    package.write_text("{")
    with pytest.raises(DataError, match=r"^datasets/datapackage.json: is not JSON"):
        check(copied)
    package.write_text(json.dumps({"resources": [{"name": "a"}]}))
    with pytest.raises(DataError, match=r"^datasets/datapackage.json: is not a data package"):
        list_datasets(copied)


def test_tables_are_found_inside_a_wheel_and_beside_a_checkout(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "carbonray" / "data" / "catalogue.py"
    monkeypatch.setattr(catalogue, "__file__", str(module))
    assert datasets_folder() == copied
    installed = copied.rename(tmp_path / "moved")
    with pytest.raises(DataError, match=r"^datasets/datapackage.json: file is missing; reinstall"):
        datasets_folder()
    module.parent.mkdir(parents=True)
    inside = installed.rename(tmp_path / "carbonray" / "datasets")
    assert datasets_folder() == inside
