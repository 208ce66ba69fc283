"""Bad input is one line that names what is wrong, exit code 2, and nothing is written."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from carbonray import cli
from carbonray.worlds.cbam import Economy

Run = Callable[..., tuple[int, str, str]]
PARAGRAPH = 400  # characters that one line may have


def assert_refused(shown: tuple[int, str, str], *parts: str) -> None:
    code, out, error = shown
    assert code == 2
    assert out == ""
    error = error.lstrip("\n")  # a progress bar that was begun leaves an empty line where there is no terminal
    assert error.startswith("carbonray: ")
    assert error.count("\n") == 1
    assert len(error) < PARAGRAPH
    for part in parts:
        assert part in error, error


SETTINGS = {
    "unknown key": ("polcy.price=3", ("law.yaml: polcy: unknown key",)),
    "unknown key in a group": ("policy.priec=3", ("law.yaml: policy.priec: unknown key",)),
    "share above one": ("policy.incidence=1.2", ("law.yaml: policy.incidence:", "less than or equal to 1", "1.2")),
    "share below zero": ("policy.coverage.MET=-0.1", ("law.yaml: policy.coverage.MET:", "greater than or equal to 0")),
    "not a number": ("policy.price.2030=.nan", ("law.yaml: policy.price.2030:", "finite number")),
    "infinite price": ("policy.price.2030=.inf", ("law.yaml: policy.price.2030:",)),
    "elasticity not a number": ("market.factor_supply=.nan", ("law.yaml: market.factor_supply:",)),
    "words for a number": ("years=many", ("law.yaml: years:", "integer", "many")),
    "empty path": ("policy.price={}", ("law.yaml: policy.price: a path needs at least one year",)),
    "zero firms": ("firms.number=0", ("law.yaml: firms.number:", "greater than or equal to 1", "0")),
    "too few firms": ("firms.number=959", ("firms.number: 959 firms are too few", "960")),
    "negative years": ("years=-1", ("law.yaml: years:", "greater than or equal to 1", "-1")),
    "unknown region": ("home=[EU27]", ("law: home: unknown region EU27", "EU26")),
    "unknown sector": ("policy.priced_sectors=[STEEL]", ("law: policy.priced_sectors: unknown sector STEEL", "STL")),
    "unknown partner": ("partners.price.MARS=3", ("law: partners.price: unknown region MARS",)),
    "unknown growth": ("growth.MARS=0.1", ("law: growth: unknown region MARS",)),
    "nobody at home": ("home=[]", ("law: home: name at least one region",)),
    "nobody abroad": (
        "home=[EU26,GBR,USA,CHN,IND,RUS,TUR,JPN,KTW,BMX,CAU,ROW]",
        ("law: home: ", "leave at least one outside"),
    ),
    "price and commitment": ("partners.commitment.GBR=0.5", ("law.yaml: partners: GBR has both",)),
    "no equals sign": ("years", ("--set years: write KEY=VALUE",)),
    "no key": ("=3", ("--set =3: write KEY=VALUE",)),
    "not YAML": ("years=[1", ("--set years: [1 is not valid YAML",)),
    "a group is needed": ("years.first=3", ("law.yaml: years:",)),
    "unknown economy": ("economy=atlantis", ("atlantis", "world-2011")),
    "event in an unknown sector": (
        "disruptions.events=[{region: CHN, sector: TEA, year: 2027}]",
        ("law: disruptions.events: unknown sector TEA",),
    ),
}


@pytest.mark.parametrize("kind", sorted(SETTINGS))
def test_an_impossible_setting_is_refused(carbonray: Run, tmp_path: Path, kind: str) -> None:
    setting, parts = SETTINGS[kind]
    assert_refused(carbonray("simulate", "law", "--set", setting), *parts)
    assert leftovers(tmp_path) == []


def leftovers(folder: Path) -> list[str]:
    """Everything but an empty `runs`."""
    return [file.name for file in folder.rglob("*") if file.name != "runs"]


@pytest.mark.parametrize("target", ["lew", "cbam/lew", "no-world/law", "../law"])
def test_an_unknown_scenario_is_refused_with_the_known_ones(carbonray: Run, tmp_path: Path, target: str) -> None:
    assert_refused(carbonray("simulate", target), f"{target}: unknown scenario; choose from aggressive, law")
    assert leftovers(tmp_path) == []


def test_a_missing_file_is_refused(carbonray: Run) -> None:
    assert_refused(carbonray("simulate", "mine.yaml"), "mine.yaml: no such file")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("policy: {price: [1", "mine.yaml: line 1: is not valid YAML"),
        ("- law", "mine.yaml: a scenario is a mapping"),
        ("policy: {price: 3}", "mine.yaml: policy.price:"),
        ("policy: {price: {soon: 3}}", "mine.yaml: policy.price.soon:"),
        ("world: mars", "mine.yaml: world:"),
        ("name: My Scenario", "mine.yaml: name:"),
        ("", "mine.yaml: a scenario is a mapping"),
    ],
)
def test_a_bad_file_is_refused_by_name_and_key(carbonray: Run, tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    assert_refused(carbonray("simulate", "mine.yaml"), part)
    assert leftovers(tmp_path) == ["mine.yaml"]


@pytest.mark.parametrize("flag", [("--firms", "0"), ("--years", "-1"), ("--replicas", "0"), ("--seed", "-1")])
def test_an_impossible_option_is_refused(carbonray: Run, tmp_path: Path, flag: tuple[str, str]) -> None:
    key = {"--firms": "firms.number"}.get(flag[0], flag[0].removeprefix("--"))
    assert_refused(carbonray("simulate", "law", *flag), f"law.yaml: {key}: ", f"(got {flag[1]})")
    assert leftovers(tmp_path) == []


def test_an_existing_folder_is_refused_and_kept(carbonray: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert_refused(carbonray("simulate", "law", "--out", "mine"), "mine: exists already; give a new name with --out")
    assert leftovers(tmp_path) == ["mine"]


def test_an_existing_file_for_the_table_of_cells_is_refused_and_kept(carbonray: Run, tmp_path: Path) -> None:
    (tmp_path / "cells.csv").write_text("mine", encoding="utf-8")
    assert_refused(carbonray("equilibrium", "--out", "cells.csv"), "cells.csv: exists already")
    assert (tmp_path / "cells.csv").read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there_is_refused(carbonray: Run, tmp_path: Path) -> None:
    assert_refused(carbonray("simulate", "law", "--device", "cuda"), "--device cuda: no CUDA device")
    assert_refused(carbonray("simulate", "law", "--device", "tpu"), "--device tpu: choose cpu or cuda")
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("year", ["2025", "2037"])
def test_a_year_outside_the_scenario_is_refused(carbonray: Run, year: str) -> None:
    assert_refused(carbonray("equilibrium", "law", "--year", year), f"law: year: {year} is outside", "2026")


def test_a_table_that_is_not_there_is_refused(carbonray: Run) -> None:
    assert_refused(carbonray("data", "describe", "nothing"), "no table is named 'nothing'")


class TestOwnEconomy:
    @pytest.fixture
    def folder(self, tmp_path: Path, small_economy: Economy) -> Path:
        """The small economy as a user would bring it, and a scenario for it."""
        return write_economy(small_economy, tmp_path / "mine_2011")

    def test_it_can_be_simulated(self, carbonray: Run, folder: Path) -> None:
        code, out, error = carbonray("simulate", str(folder.parent / "mine.yaml"), "--out", "run", "--no-robust")
        assert (code, error.strip()) == (0, "")
        assert "leakage, all sectors" in out
        assert (folder.parent / "run" / "summary.json").is_file()

    def test_a_number_that_is_none_is_refused_by_file_column_and_row(self, carbonray: Run, folder: Path) -> None:
        spoil(folder / "cells.parquet", "mt_co2", 7, float("nan"))
        shown = carbonray("simulate", str(folder.parent / "mine.yaml"), "--out", "run")
        assert_refused(shown, "mine_2011/cells.parquet: row 7 (CHN", "mt_co2")
        assert not (folder.parent / "run").exists()

    def test_a_table_out_of_balance_is_refused_with_the_worst_cell(self, carbonray: Run, folder: Path) -> None:
        cells = pd.read_parquet(folder / "cells.parquet")
        spoil(folder / "cells.parquet", "output_musd", 9, cells["output_musd"][9] * 1.01)
        shown = carbonray("simulate", str(folder.parent / "mine.yaml"), "--out", "run")
        assert_refused(shown, "mine_2011/cells.parquet: row 9 (CHN-MET)", "must balance within 0.001")
        assert not (folder.parent / "run").exists()

    def test_a_table_that_is_missing_is_refused(self, carbonray: Run, folder: Path) -> None:
        (folder / "transactions.parquet").unlink()
        shown = carbonray("simulate", str(folder.parent / "mine.yaml"), "--out", "run")
        assert_refused(shown, "mine_2011/transactions.parquet")


def spoil(path: Path, column: str, row: int, value: float) -> None:
    frame = pd.read_parquet(path)
    frame.loc[row, column] = value
    frame.to_parquet(path, index=False)


def write_economy(economy: Economy, folder: Path) -> Path:
    folder.mkdir()
    names = [cell.split("-") for cell in economy.cells]
    pd.DataFrame(
        {
            "region": [region for region, _ in names],
            "sector": [sector for _, sector in names],
            "output_musd": economy.output,
            "value_added_musd": economy.value_added,
            "mt_co2": economy.emissions,
        }
    ).to_parquet(folder / "cells.parquet", index=False)
    columns = ("from_region", "from_sector", "to_region", "to_sector", "musd")
    flows = [
        (*names[i], *names[j], v) for i, row in enumerate(economy.transactions) for j, v in enumerate(row) if v > 0
    ]
    pd.DataFrame(flows, columns=columns).to_parquet(folder / "transactions.parquet", index=False)
    final = [
        (*names[i], economy.regions[j], v)
        for i, row in enumerate(economy.final_demand)
        for j, v in enumerate(row)
        if v > 0
    ]
    columns = ("from_region", "from_sector", "to_region", "musd")
    pd.DataFrame(final, columns=columns).to_parquet(folder / "final_demand.parquet", index=False)
    (folder.parent / "mine.yaml").write_text(
        "economy: mine_2011\nyears: 1\ngrowth: {}\nfirms: {number: 240}\n"
        "market: {final_demand: {ELE: 0.4}}\npolicy: {price: {2026: 50}, cbam: true}\n",
        encoding="utf-8",
    )
    return folder


class TestRun:
    def test_a_run_is_written_and_reported(self, carbonray: Run, tmp_path: Path) -> None:
        code, out, _ = carbonray("simulate", "law", "--firms", "960", "--years", "1", "--no-robust")
        assert code == 0
        assert "law, 2026-2026, 960 firms" in out
        assert "leakage, all sectors" in out
        assert "leakage, CBAM goods" in out
        assert (tmp_path / "runs" / "cbam-law-1" / "summary.json").is_file()

    def test_undefined_leakage_is_said_in_words(self, carbonray: Run) -> None:
        for words in (
            ("equilibrium", "no-policy"),
            ("simulate", "no-policy", "--firms", "960", "--years", "1", "--no-robust"),
        ):
            code, out, _ = carbonray(*words)
            assert code == 0
            assert "leakage is undefined: emissions at home do not fall" in out

    def test_the_oracle_prints_the_published_rate(self, carbonray: Run, tmp_path: Path) -> None:
        code, out, _ = carbonray("equilibrium", "--out", "cells.csv")
        assert code == 0
        assert "leakage, all sectors          16.49%" in out
        assert len(pd.read_csv(tmp_path / "cells.csv")) == 144

    def test_scenarios_are_listed_and_printed(self, carbonray: Run) -> None:
        listed = [line.split()[0] for line in carbonray("scenarios")[1].splitlines()]
        assert [name for name in listed if "/" not in name] == [
            "aggressive", "law", "moderate", "no-cbam", "no-policy", "test-arm", "variable",
        ]  # fmt: skip
        assert carbonray("scenarios", "law")[1].startswith("# Regulation (EU) 2023/956")


@pytest.mark.slow
def test_the_installed_command_refuses_too(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "carbonray.cli", "simulate", "law", "--set", "policy.incidence=1.2"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert_refused((shown.returncode, shown.stdout, shown.stderr), "law.yaml: policy.incidence:")
    assert leftovers(tmp_path) == []
