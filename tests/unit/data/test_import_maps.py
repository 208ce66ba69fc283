"""The maps of an import: each wrong one is one line that names file, line and code, and nothing is written."""

from typing import Any

import pytest

MAPS = {
    "a region left out": (
        "regions", "code,region\nAUS,PAC\nUSA,PAC\n",
        "{}/regions.csv: region code 'ROU' of raw is left out; every region of the table needs a line",
    ),
    "several regions left out": (
        "regions", "code,region\nUSS,PAC\n",
        "{}/regions.csv: region code 'AUS' and 2 more of raw are left out (is 'USS' meant?); "
        "every region of the table needs a line",
    ),
    "a sector left out": (
        "sectors", "code,sector\nc2,SRV\n",
        "{}/sectors.csv: sector code 'c1' of raw is left out; every sector of the table needs a line",
    ),
    "a code that the table lacks": (
        "regions", "{regions}USB,PAC\n",
        "{}/regions.csv: line 5: code 'USB' is no region of raw (is 'USA' meant?); "
        "take the line out or correct the code",
    ),
    "a code twice": (
        "regions", "{regions}USA,EU26\n",
        "{}/regions.csv: line 5: code 'USA' repeats line 4; every code occurs once",
    ),
    "one code in two spellings": (
        "regions", "{regions}ROU,EU26\n",
        "{}/regions.csv: line 5: code 'ROU' repeats line 3; every code occurs once",
    ),
    "an empty target": (
        "sectors", "code,sector\nc1,MET\nc2,\n",
        "{}/sectors.csv: line 3 (c2): sector is empty; every code needs one",
    ),
    "an empty code": (
        "sectors", "code,sector\n,MET\n",
        "{}/sectors.csv: line 2: code is empty; every line maps one code",
    ),
    "a target that no scenario can name": (
        "sectors", "code,sector\nc1,steel & iron\nc2,SRV\n",
        "{}/sectors.csv: line 2 (c1): sector 'steel & iron' is no usable name; "
        "a letter, then letters, digits or _, as in scenario keys",
    ),
    "the other map": (
        "sectors", "{regions}",
        "{}/sectors.csv: line 1: column sector is missing or doubled; found code, region; "
        "a map has the columns code,sector",
    ),
    "no lines": ("sectors", "# nothing\n\n", "{}/sectors.csv: has no lines; a map has the columns code,sector"),
}  # fmt: skip


@pytest.mark.parametrize("name", MAPS)
def test_a_wrong_map_is_refused_by_line_and_code(case: Any, name: str) -> None:
    kind, text, message = MAPS[name]
    case.write(f"{kind}.csv", text.format(regions=case.regions))
    case.refused(message.format(case.folder.name))


def test_a_map_is_read_with_semicolons_comments_quotes_and_a_mark_of_excel(case: Any) -> None:
    case.write("regions.csv", "\ufeff# mine\ncode;region;note\nAUS; PAC ;\nROU;EU26;x\n\nUSA;PAC;y\n")
    case.write("sectors.csv", 'sector,code,description\nMET,c1,"steel, and more"\nSRV,c2,rest\n')
    assert case.run().economy.regions == ("PAC", "EU26")


def test_a_map_that_is_missing_or_not_utf8_is_refused(case: Any) -> None:
    (case.folder / "sectors.csv").write_bytes("code,sector\nc1,Ä\n".encode("latin-1"))
    case.refused(f"{case.folder.name}/sectors.csv: is not text in UTF-8; save it as CSV UTF-8")
    (case.folder / "sectors.csv").unlink()
    case.refused(f"{case.folder.name}/sectors.csv: file is missing")
