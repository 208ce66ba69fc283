"""`carbonray data import` and `carbonray data template` as a user types them."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from carbonray import cli
from carbonray.data import DataError, load_economy, template
from carbonray.data.import_maps import read_map
from carbonray.data.plants import load_plants
from carbonray.data.scenarios import load
from carbonray.worlds.cbam.names import check_names

pytestmark = pytest.mark.slow  # the whole suite runs them; `make check` has a minute

Run = Callable[..., tuple[int, str, str]]
COUNTRIES, INDUSTRIES = ("DEU", "CHN"), ("c12", "c17")
CELLS = [(country, industry) for country in COUNTRIES for industry in INDUSTRIES]


@pytest.fixture
def carbonray(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run the command line in a folder with a small table: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    flows, demand = rng.uniform(1, 9, (4, 4)), rng.uniform(20, 60, (4, 2))
    (tmp_path / "raw").mkdir()
    np.savez(tmp_path / "raw" / "wiot2013_2005.npz", Z=flows, F=demand, x=flows.sum(1) + demand.sum(1))
    labels = pd.DataFrame(CELLS, columns=["country", "industry"])
    labels.to_csv(tmp_path / "raw" / "wiot2013_labels.csv.gz", index=False)
    pd.DataFrame({"country": COUNTRIES}).to_csv(tmp_path / "raw" / "wiot2013_final_demand_labels.csv", index=False)
    labels.set_axis(["region", "sector"], axis=1).assign(mt_co2=1.0).to_csv(tmp_path / "co2.csv", index=False)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["carbonray", "data", *words])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        shown = capsys.readouterr()
        return int(stopped.value.code or 0), shown.out, shown.err

    return run


WIOD = ("raw", "--format", "wiod")
MAPS = ("--regions", "regions.csv", "--sectors", "sectors.csv", "--emissions", "co2.csv")


def write_maps(carbonray: Run, kinds: tuple[str, ...] = ("regions", "sectors")) -> None:
    for kind in kinds:
        assert carbonray("template", kind, "--format", "wiod", "--path", "raw", "--out", f"{kind}.csv")[0] == 0


def test_templates_of_the_own_table_lead_to_an_import_and_its_next_command_fits(carbonray: Run) -> None:
    write_maps(carbonray)
    code, out, _ = carbonray("import", *WIOD, *MAPS)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "imported: economies/wiod_2005, base year 2005"
    assert lines[1].split() == ["regions", "2", "of", "2", "codes:", "EU26", "CHN"]
    assert lines[2].split() == ["sectors", "2", "of", "2", "codes:", "MET", "ELE"]
    assert "4.0 Mt of production, from co2.csv" in out
    words = shlex.split(lines[-1].removeprefix("next: "))
    assert words[:3] == ["carbonray", "simulate", "law"]
    settings = [word for word in words[3:] if word != "--set"]
    assert settings == ["economy=economies/wiod_2005", "partners.price={CHN: 10}"]
    check_names(load_economy(Path("economies/wiod_2005")), load("law", settings))


def test_the_next_command_names_a_home_where_the_laws_is_not_there(carbonray: Run) -> None:
    write_maps(carbonray, ("sectors",))
    Path("regions.csv").write_text("code,region\nDEU,DE\nCHN,CN\n", encoding="utf-8")
    out = carbonray("import", *WIOD, *MAPS)[1]
    assert out.splitlines()[-1].endswith("--set 'home=[DE]' --set 'partners.price={}'")


def test_the_next_step_is_to_edit_the_law_where_its_sectors_are_not_there(carbonray: Run) -> None:
    write_maps(carbonray, ("regions",))
    Path("sectors.csv").write_text("code,sector\nc12,X\nc17,Y\n", encoding="utf-8")
    out = carbonray("import", *WIOD, *MAPS)[1]
    assert out.splitlines()[-1].startswith(
        "next: carbonray scenarios law > mine.yaml, and fit its codes to the economy ("
    )


REFUSED = {
    "no format": (("raw",), "--format: is missing; choose from pymrio, wiod, exiobase3, oecd, eora26"),
    "no maps": (
        WIOD,
        "--regions: the table needs a map; write one to fill in with "
        "`carbonray data template regions --format wiod --path raw --out regions.csv`",
    ),
    "a file and an account": (
        (*WIOD, *MAPS, "--emissions", "CO2"),
        "--emissions co2.csv: a file holds all emissions; give no other file or account",
    ),
    "a file for a folder": (
        (*WIOD, *MAPS, "--out", "co2.csv/own_2005"),
        "co2.csv/own_2005: cannot be written; co2.csv is no folder that may be written",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_words_are_refused_on_one_line(carbonray: Run, name: str) -> None:
    write_maps(carbonray)
    words, message = REFUSED[name]
    code, out, error = carbonray("import", *words)
    assert (code, out) == (2, "")
    assert error.lstrip("\n") == f"carbonray: {message}\n"
    assert not Path("economies").exists()


def test_the_example_maps_hold_every_code_of_wiod_2013(tmp_path: Path) -> None:
    for kind, column, codes, targets in (("regions", "region", 41, 12), ("sectors", "sector", 35, 12)):
        (tmp_path / f"{kind}.csv").write_text(template(kind), encoding="utf-8")
        found = read_map(tmp_path / f"{kind}.csv", column)
        assert (len(found.target), len(found.targets)) == (codes, targets)


def test_the_example_list_of_plants_is_in_order(carbonray: Run) -> None:
    assert carbonray("template", "plants", "--out", "plants.csv")[1] == "written: plants.csv\n"
    load_plants(Path("plants.csv"))


def test_a_template_is_printed_or_written_to_a_new_file_only(carbonray: Run) -> None:
    assert carbonray("template", "regions")[1] == template("regions")
    Path("regions.csv").write_text("mine", encoding="utf-8")
    code, out, error = carbonray("template", "regions", "--out", "regions.csv")
    assert (code, out, error) == (2, "", "carbonray: regions.csv: exists already; give a new name with --out\n")
    assert Path("regions.csv").read_text(encoding="utf-8") == "mine"


def test_unknown_templates_and_half_named_tables_are_refused(carbonray: Run) -> None:
    with pytest.raises(DataError, match=r"^countries: unknown template; choose from regions, sectors, plants$"):
        template("countries")
    assert carbonray("template", "regions", "--path", "raw")[2] == (
        "carbonray: a table of your own needs both --format and --path\n"
    )
    assert carbonray("template", "plants", "--format", "wiod", "--path", "raw")[2] == (
        "carbonray: plants: lists no codes of a table; leave --format and --path out\n"
    )
