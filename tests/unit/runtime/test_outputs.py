"""The run directory: whole or not at all, with units, and a configuration that gives the run again."""

import errno
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from pyarrow import parquet

from carbonray.config import Scenario, ScenarioError
from carbonray.data.scenarios import load
from carbonray.runtime import outputs, pair
from carbonray.runtime.cbam_result import Result
from carbonray.runtime.simulate import simulate
from carbonray.runtime.simulate_cbam import TIMINGS
from carbonray.worlds.cbam import Economy

FILES = {
    "config.yaml",
    "summary.json",
    "steps.parquet",
    "cells.parquet",
    "flows.parquet",
    "charges.parquet",
    "firms.parquet",
    "hotspots.parquet",
    "network.parquet",
}
UNITS = {"_mt": "Mt CO2", "_musd": "million USD of 2011", "_rate": "fraction", "_share": "fraction"}
SMALLEST = {"firms": 960, "years": 1, "robust": False}


@pytest.fixture(scope="module")
def result() -> Result:
    return simulate("law", **SMALLEST)


@pytest.fixture(scope="module")
def folder(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return result.write(tmp_path_factory.mktemp("runs") / "law")


def untimed(summary: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in summary.items() if key not in TIMINGS}


class TestWhatIsWritten:
    def test_a_run_has_all_its_files_and_no_others(self, folder: Path) -> None:
        assert {file.name for file in folder.iterdir()} == FILES
        assert [file.name for file in folder.parent.iterdir()] == ["law"]

    def test_every_column_that_has_a_unit_carries_it(self, folder: Path) -> None:
        for file in sorted(folder.glob("*.parquet")):
            for field in parquet.read_schema(file):
                unit = (field.metadata or {}).get(b"unit", b"").decode()
                for ending, expected in UNITS.items():
                    if field.name.endswith(ending):
                        assert unit.startswith(expected), f"{file.name}: {field.name}"
                if file.name == "steps.parquet" and field.name.endswith("_mt"):
                    assert unit == "Mt CO2 a quarter"

    def test_the_summary_is_what_the_run_showed(self, folder: Path, result: Result) -> None:
        assert json.loads((folder / "summary.json").read_text(encoding="utf-8")) == result.summary

    def test_cells_add_up_to_the_summary(self, folder: Path, result: Result) -> None:
        cells = pd.read_parquet(folder / "cells.parquet")
        home = cells[cells["region"] == "EU26"].groupby("run", observed=True)["emissions_mt"].sum()
        assert home["reference"] - home["policy"] == pytest.approx(result.summary["home_reduction_mt"], rel=1e-9)

    def test_firms_add_up_to_their_cells(self, folder: Path) -> None:
        keys = ["run", "region", "sector"]
        cells, firms = (pd.read_parquet(folder / f"{name}.parquet") for name in ("cells", "firms"))
        for figure in ("output_musd", "emissions_mt", "border_charge_musd"):
            by_cell = cells.groupby(keys, observed=True)[figure].sum()
            by_firm = firms.groupby(keys, observed=True)[figure].sum()
            pd.testing.assert_series_equal(by_cell, by_firm, rtol=1e-9, atol=1e-6)

    def test_flows_add_up_to_what_cells_made(self, folder: Path) -> None:
        cells, flows = (pd.read_parquet(folder / f"{name}.parquet") for name in ("cells", "flows"))
        made = cells.groupby(["run", "region", "sector"], observed=True)["output_musd"].sum()
        sold = flows.groupby(["run", "from_region", "from_sector"], observed=True)["volume_musd"].sum()
        pd.testing.assert_series_equal(made, sold, rtol=1e-9, check_names=False, check_index=False)


class TestRoundTrip:
    @pytest.mark.parametrize("setting", ["seed=5", "market.factor_supply=.inf", "policy.price={2026: 10, 2030: 99}"])
    def test_the_configuration_of_a_run_gives_the_same_scenario(self, tmp_path: Path, setting: str) -> None:
        scenario = load("variable", (setting,))
        outputs.write_config(scenario, tmp_path / "config.yaml")
        content = yaml.safe_load((tmp_path / "config.yaml").read_text(encoding="utf-8"))
        again = tmp_path / "again.yaml"
        again.write_text(yaml.safe_dump(content["scenario"]), encoding="utf-8")
        assert load(str(again)) == scenario

    def test_the_configuration_of_a_run_gives_the_same_summary(
        self, folder: Path, result: Result, tmp_path: Path
    ) -> None:
        content = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        again = tmp_path / "again.yaml"
        again.write_text(yaml.safe_dump(content["scenario"]), encoding="utf-8")
        assert untimed(simulate(str(again), robust=False).summary) == untimed(result.summary)

    def test_the_configuration_names_versions_and_data(self, folder: Path) -> None:
        content = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        assert set(content) == {"scenario", "carbonray", "versions", "datasets"}
        assert {"torch", "numpy", "python"} <= set(content["versions"])
        assert {"goods-2026-cells", "goods-2026-transactions"} <= set(content["datasets"])
        assert all(len(value) == 64 for value in content["datasets"].values())


class TestNothingHalfWritten:
    def test_an_existing_folder_is_refused_and_kept(self, result: Result, tmp_path: Path) -> None:
        (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
        with pytest.raises(outputs.OutputError, match="exists already; give a new name with --out"):
            result.write(tmp_path)
        assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]

    def test_a_full_disk_leaves_nothing(self, result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(frame: pd.DataFrame, path: Path, *period: str) -> None:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(outputs, "write_table", full)
        with pytest.raises(outputs.OutputError, match=r"law: cannot be written \(No space left on device\)$"):
            result.write(tmp_path / "law")
        assert list(tmp_path.iterdir()) == []

    def test_any_failure_leaves_nothing(self, result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(value: object, path: Path) -> None:
            raise RuntimeError

        monkeypatch.setattr(outputs, "write_json", broken)
        with pytest.raises(RuntimeError):
            result.write(tmp_path / "law")
        assert list(tmp_path.iterdir()) == []

    def test_a_parent_that_cannot_be_written_is_refused(self, result: Result, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.touch()
        with pytest.raises(outputs.OutputError, match="cannot be written"):
            result.write(file / "law")

    def test_nan_is_refused_in_json(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="not JSON compliant"):
            outputs.write_json({"rate": float("nan")}, tmp_path / "summary.json")

    def test_a_disk_that_is_really_full_leaves_nothing(self, result: Result, tiny_disk: Path) -> None:
        with pytest.raises(outputs.OutputError, match=r"cannot be written \([^\n]*\)$"):
            result.write(tiny_disk / "law")
        assert list(tiny_disk.iterdir()) == []


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip("mounting a small file system needs to be allowed")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


class TestInterruption:
    @staticmethod
    def stop_at(step: int) -> Callable[[int, int, object], None]:
        def progress(done: int, of: int, so_far: object) -> None:
            if done == step:
                raise KeyboardInterrupt

        return progress

    def test_whole_years_are_kept(self, small_economy: Economy, small_scenario: Callable[..., Scenario]) -> None:
        scenario = small_scenario("law", years=3)
        whole = pair.run(scenario, economy=small_economy)
        run = pair.run(scenario, economy=small_economy, progress=self.stop_at(10))
        assert run.interrupted
        assert len(run.policy.volume) == len(run.reference.volume) == 2
        assert run.policy.emissions.tolist() == whole.policy.emissions[:8].tolist()
        assert not whole.interrupted

    def test_nothing_is_kept_of_a_first_year(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        with pytest.raises(KeyboardInterrupt):
            pair.run(small_scenario("law", years=2), economy=small_economy, progress=self.stop_at(3))


def test_a_fresh_folder_is_the_first_free_number(tmp_path: Path) -> None:
    scenario = load("law")
    assert outputs.fresh_folder(scenario, tmp_path) == tmp_path / "cbam-law-1"
    (tmp_path / "cbam-law-1").mkdir()
    assert outputs.fresh_folder(scenario, tmp_path) == tmp_path / "cbam-law-2"


def test_a_scenario_object_takes_no_settings_beside_it() -> None:
    with pytest.raises(ScenarioError, match="law: change a Scenario with model_copy"):
        simulate(load("law"), years=1)
