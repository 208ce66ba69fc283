"""A century beside its reference: figures, tables, replays and the run directory."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from carbonray import simulate
from carbonray.config import ScenarioError
from carbonray.config_climate import NegotiationScenario
from carbonray.data.arrow import parquet
from carbonray.data.scenarios import load
from carbonray.runtime import negotiation_run
from carbonray.runtime import simulate_negotiation as simulate_negotiation_module
from carbonray.runtime.negotiation_summary import index_bounds
from carbonray.runtime.simulate_negotiation import NegotiationResult, simulate_negotiation

TIGHT = 1e-12


def result(
    protocol: str = "club", *settings: str, actions: Path | None = None, robust: bool = False
) -> NegotiationResult:
    scenario = load(f"climate-negotiation/{protocol}", settings)
    assert isinstance(scenario, NegotiationScenario)
    return simulate_negotiation(scenario, actions=actions, robust=robust)


@pytest.fixture(scope="module")
def club() -> NegotiationResult:
    return result("club", "behaviour.kind=random", "replicas=3", "behaviour.cooperators=none", robust=True)


@pytest.fixture(scope="module")
def shipped() -> NegotiationResult:
    return result("club", robust=True)


def recorded(path: Path, heads: int, steps: int) -> Path:
    levels = np.random.default_rng(0).integers(0, 10, size=(steps, 27, heads))
    levels[..., 111:] %= 2
    np.savez(path, actions=levels)
    return path


def test_the_summary_is_what_the_tables_say(club: NegotiationResult) -> None:
    years, regions, summary = club.years, club.regions, club.summary
    for run, ending in (("policy", ""), ("reference", "_reference")):
        mine = years[years["run"] == run]
        by_replica = mine.groupby("replica")
        last = mine[mine["year"] == 2115]
        assert last["temperature_c"].mean() == pytest.approx(summary[f"temperature{ending}_c"], rel=TIGHT)
        for name in ("output", "consumption", "imports"):
            assert by_replica[f"{name}_tusd"].sum().mean() == pytest.approx(summary[f"{name}{ending}_tusd"], rel=TIGHT)
        assert 5 * by_replica["emissions_gtco2"].sum().mean() == pytest.approx(summary[f"emissions{ending}_gtco2"])
        assert by_replica["welfare"].sum().mean() == pytest.approx(summary[f"welfare{ending}"])
        theirs = regions[regions["run"] == run].groupby(["replica", "year"])["output_tusd"].sum()
        np.testing.assert_allclose(theirs, mine.set_index(["replica", "year"])["output_tusd"], rtol=TIGHT)
    low, high = summary["intervals"]["temperature_c"]
    assert low < summary["temperature_c"] < high
    assert summary["intervals"]["welfare"][0] < summary["intervals"]["welfare"][1]


def test_tables_know_their_units_and_their_order(club: NegotiationResult, tmp_path: Path) -> None:
    folder = club.write(tmp_path / "run")
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.yaml", "regions.parquet", "summary.json", "trade.parquet", "trajectory.npz", "years.parquet",
    ]  # fmt: skip
    for name in ("years", "regions", "trade"):
        schema = parquet.read_schema(folder / f"{name}.parquet")
        bare = [field.name for field in schema if not (field.metadata or {}).get(b"unit")]
        assert set(bare) <= {"run", "replica", "region", "importer", "exporter", "member"}
    trade = pd.read_parquet(folder / "trade.parquet")
    assert len(trade) == 2 * 20 * 27 * 26
    assert (trade["importer"] != trade["exporter"]).all()
    regions = pd.read_parquet(folder / "regions.parquet")
    bought = trade[trade["run"] == "policy"].groupby(["year", "importer"], observed=True)["imports_tusd"].sum()
    one = regions[(regions["run"] == "policy") & (regions["replica"] == 0) & (regions["year"] > 2015)]
    np.testing.assert_allclose(bought, one.set_index(["year", "region"])["imports_tusd"], rtol=1e-9, atol=TIGHT)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    settings = ("behaviour.kind=random", "seed=5", "replicas=2")
    folders = [result("border-club", *settings).write(tmp_path / str(number)) for number in range(2)]
    for name in ("config.yaml", "regions.parquet", "trade.parquet", "trajectory.npz", "years.parquet"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    other = result("border-club", "behaviour.kind=random", "seed=6").trajectory
    with np.load(folders[0] / "trajectory.npz") as first:
        assert not np.array_equal(first["actions"], other["actions"])


def test_the_trajectory_is_the_first_replica_of_the_tables(club: NegotiationResult) -> None:
    one = club.regions[(club.regions["run"] == "policy") & (club.regions["replica"] == 0)]
    consumed = one.pivot_table(index="year", columns="region", values="consumption_tusd", observed=True, sort=False)
    np.testing.assert_array_equal(club.trajectory["consumption_all_regions"][::3], consumed.to_numpy())
    assert club.trajectory["actions"].shape == (60, 27, 138)


def test_a_trajectory_replays_to_itself(club: NegotiationResult, tmp_path: Path) -> None:
    folder = club.write(tmp_path / "run")
    again = result("club", actions=folder / "trajectory.npz")
    assert again.notices == []
    assert all(np.array_equal(again.trajectory[name], values) for name, values in club.trajectory.items())


def test_the_width_of_recorded_actions_says_whether_they_negotiate(tmp_path: Path) -> None:
    alone, treated = recorded(tmp_path / "alone.npz", 57, 20), recorded(tmp_path / "treated.npz", 138, 60)
    for protocol, path, taken in (("none", treated, "bilateral"), ("club", alone, "none")):
        found = result(protocol, actions=path)
        assert found.summary["protocol"] == taken
        heads = 138 if path is treated else 57
        assert found.notices == [f"{heads} heads of recorded actions: protocol {taken} instead of {protocol}"]
        assert found.summary["actions_file"] == path.name
    assert result("club", actions=treated).notices == []
    full = result("none", "switches.rates=full", actions=alone)
    assert full.notices == ["levels are read as ninths (switches.rates=full)"]
    assert full.trajectory["savings_all_regions"].max() == 1.0


def test_half_a_century_of_recorded_actions_is_enough(tmp_path: Path) -> None:
    found = result("none", actions=recorded(tmp_path / "short.npz", 57, 8), robust=True)
    assert found.summary["years"] == [2015, 2055]
    assert [row["switch"] for row in found.summary["switches"]] == ["tariff_revenue", "mitigation_floor", "interest"]


def test_each_correction_is_measured_alone(shipped: NegotiationResult) -> None:
    effects = {row["switch"]: row for row in shipped.summary["switches"]}
    assert [row["value"] for row in effects.values()] == ["returned", "step", "per-year"]
    returned = result("club", "switches.tariff_revenue=returned", robust=True)
    change = returned.summary["welfare"] - shipped.summary["welfare"]
    assert effects["tariff_revenue"]["welfare_change"] == pytest.approx(change)
    assert change > 0.01
    back = {row["switch"]: row for row in returned.summary["switches"]}["tariff_revenue"]
    assert back["value"] == "lost"
    assert back["welfare_change"] == pytest.approx(-change)
    # Scripts obey the mask, so that enforcing the floor in the step changes nothing.
    assert effects["mitigation_floor"]["welfare_change"] == 0


def test_leakage_is_the_others_rise_over_the_members_fall(shipped: NegotiationResult) -> None:
    regions = shipped.regions.set_index(["run", "year", "region"])[["emissions_gtco2", "member"]]
    change = regions.loc["policy", "emissions_gtco2"] - regions.loc["reference", "emissions_gtco2"]
    inside = regions.loc["policy", "member"]
    fall, rise = -5 * change[inside].sum(), 5 * change[~inside].sum()
    assert shipped.summary["leakage_rate"] == pytest.approx(rise / fall)
    assert shipped.summary["abatement_members_gtco2"] == pytest.approx(fall)
    assert shipped.summary["members_last"] == 8
    assert result("none").summary["undefined_reason"].startswith("no region is ever a member")


def test_index_bounds_are_the_published_ones(shipped: NegotiationResult) -> None:
    # Table of an entry to the competition: rise 2.39 has a climate index of 0.80, 3.89 one of 0.54;
    # output 8642 has an economic index of 0.89, 3610 one of 0.33.
    bounds = index_bounds(shipped.world)
    span = bounds.temperature_rise_worst - bounds.temperature_rise_best
    assert [(bounds.temperature_rise_worst - rise) / span for rise in (2.39, 3.89)] == pytest.approx(
        [0.80, 0.54], abs=0.006
    )
    span = bounds.output_best - bounds.output_worst
    economic = [(output - bounds.output_worst) / span for output in (8642, 3610)]
    assert economic == pytest.approx([0.89, 0.33], abs=0.006)


def test_an_interrupted_run_keeps_whole_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    real = negotiation_run._regions

    def stop(rows: Any) -> Any:
        if len(told) == 9:  # the fifth of the policy run is kept, that of the reference run is not
            monkeypatch.setattr(negotiation_run, "_regions", real)
            raise KeyboardInterrupt
        told.append(1)
        return real(rows)

    monkeypatch.setattr(negotiation_run, "_regions", stop)
    found = result("club")
    assert found.summary["temperature_c"] < found.summary["temperature_reference_c"]
    assert found.summary["interrupted"]
    assert found.summary["years"] == [2015, 2035]
    assert found.years["year"].max() == 2035
    assert len(found.trajectory["timestep"]) == 1 + 3 * 4
    assert "interrupted" in found.lines()[0]


@pytest.mark.parametrize("part", ["index_bounds", "switch_effects"])
def test_an_interruption_beside_the_run_leaves_its_part_out(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    def stop(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(simulate_negotiation_module, part, stop)
    found = result("club", robust=True)
    assert found.summary["interrupted"]
    assert found.summary["switches"] == []
    assert found.summary["years"] == [2015, 2115]
    if part == "index_bounds":
        assert found.summary["climate_index"] is found.summary["index_bounds"] is None
        assert "climate index" not in " ".join(found.lines())
    else:
        assert found.summary["climate_index"] == pytest.approx(result("club").summary["climate_index"])


def test_only_the_run_and_its_reference_keep_what_was_done_before_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []
    real = negotiation_run._regions

    def stop(rows: Any) -> Any:
        kept.append(1)
        if len(kept) == 45:  # 21 states of the run, 21 of its reference, then the runs of the bounds
            raise KeyboardInterrupt
        return real(rows)

    monkeypatch.setattr(negotiation_run, "_regions", stop)
    found = result("club", robust=True)
    assert found.summary["interrupted"]
    assert found.summary["climate_index"] is None


def test_a_short_run_is_measured_against_short_extremes(tmp_path: Path) -> None:
    levels = np.zeros((8, 27, 57), dtype=np.int64)
    levels[..., 0], levels[..., 1] = 2, 9
    np.savez(tmp_path / "clean.npz", actions=levels)
    np.savez(tmp_path / "dirty.npz", actions=np.where(np.arange(57) == 1, 0, levels))
    clean, dirty = (result("none", actions=tmp_path / f"{name}.npz").summary for name in ("clean", "dirty"))
    assert 0 < dirty["climate_index"] < 0.5 < clean["climate_index"] < 1
    assert 0 < clean["economic_index"] < dirty["economic_index"] < 1
    np.savez(tmp_path / "one.npz", actions=levels[:1])
    only = result("none", actions=tmp_path / "one.npz")
    assert only.summary["climate_index"] is None
    assert only.trajectory["global_temperature"].shape == (2, 2)


def test_more_replicas_than_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate_negotiation_module, "MIB_A_REPLICA", 1e9)
    with pytest.raises(ScenarioError, match=r"^club: replicas: 2 need about [\d.]+ GiB of memory, [\d.]+ are free$"):
        result("club", "replicas=2")


def test_rates_to_one_are_measured_where_levels_are_drawn(club: NegotiationResult) -> None:
    rates = {row["switch"]: row for row in club.summary["switches"]}["rates"]
    assert rates["value"] == "full"
    assert rates["temperature_change_c"] < -0.1


def test_the_change_is_told_with_its_interval(club: NegotiationResult) -> None:
    table = club.years.set_index(["run", "replica", "year"])
    change = table.loc["policy"] - table.loc["reference"]
    last = change.xs(2115, level="year")["temperature_c"]
    assert club.summary["temperature_change_c"] == pytest.approx(last.mean())
    assert club.summary["intervals"]["temperature_change_c"] == pytest.approx(list(last.quantile([0.05, 0.95])))
    assert club.summary["welfare_change"] == pytest.approx(change["welfare"].groupby("replica").sum().mean())


def test_a_user_is_told_why_nobody_is_bound() -> None:
    high = result("club", "negotiation.options.floor=0.6")
    told = "no region is ever a member under club: behaviour.proposal 0.4 is below negotiation.options.floor 0.6"
    assert high.notices == [told]
    assert high.summary["members_last"] == 0
    assert result("none").notices == result("club").notices == []
    assert result("bilateral", "behaviour.cooperators=none").notices == ["no region is ever a member under bilateral"]


def test_recorded_actions_are_named_in_the_config(tmp_path: Path) -> None:
    found = result("none", actions=recorded(tmp_path / "treated.npz", 138, 6))
    folder = found.write(str(tmp_path / "run"))
    config = (folder / "config.yaml").read_text(encoding="utf-8")
    assert "treated.npz: " in config
    assert "Recorded actions of treated.npz under protocol bilateral." in config
    assert found.summary["behaviour"] == "recorded"


def test_from_python_by_name() -> None:
    found = simulate("climate-negotiation/bilateral", replicas=2, settings=["behaviour.kind=random"], robust=False)
    assert isinstance(found, NegotiationResult)
    assert "2115" in repr(found)
    assert found.summary["replicas"] == 2
