"""A comparison of runs: its table by hand, what it refuses, what its page says, and equal bytes for equal runs."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects
import pyarrow.parquet as pq
import pytest
import yaml

from carbonray.kpi.negotiation import hypervolume
from carbonray.report import compare_page
from carbonray.report.charts import Chart, LeftOut
from carbonray.report.compare_figures import changes, plane, temperature
from carbonray.report.compare_page import Comparison, compare
from carbonray.report.compare_plane import plane_spec, staircase, views
from carbonray.report.compare_runs import beside_protocol, read_runs, table_of
from carbonray.report.compare_words import decimals, dominated, headline, places
from carbonray.report.run_directory import ReportError
from carbonray.runtime.outputs import OutputError

YEARS = list(range(2015, 2120, 5))
HOSTILE = "<script>alert('1')</script> & $a$"
WriteRun = Callable[..., Path]


def summary(**changes: Any) -> dict[str, Any]:
    """A run that ends at 4 degrees, with nobody bound at 6."""
    found = {
        "scenario": "club", "world": "climate-negotiation", "protocol": "club", "behaviour": "constant",
        "years": [2015, 2115], "n_regions": 27, "replicas": 1, "seed": 0, "interrupted": False,
        "temperature_c": 4.0, "temperature_reference_c": 6.0, "temperature_rise_c": 3.15,
        "emissions_gtco2": 5000.0, "emissions_reference_gtco2": 13000.0, "output_tusd": 5000.0,
        "output_reference_tusd": 5200.0, "consumption_tusd": 3960.0, "consumption_reference_tusd": 4000.0,
        "imports_tusd": 100.0, "imports_reference_tusd": 110.0, "welfare": 110.0, "welfare_reference": 100.0,
        "members_last": 20.0, "abatement_members_gtco2": 100.0, "rise_others_gtco2": 5.0, "leakage_rate": 0.05,
        "undefined_reason": None, "climate_index": 0.6, "economic_index": 0.5, "climate_index_reference": 0.3,
        "economic_index_reference": 0.52, "intervals": {}, "switches": [], "actions_file": None,
        "index_bounds": {"temperature_best_c": 2.1, "temperature_worst_c": 7.9, "output_worst_tusd": 600.0,
                         "output_best_tusd": 9700.0},
    }  # fmt: skip
    return found | changes


def years(last: float = 4.0, *, replicas: int = 1) -> pd.DataFrame:
    """Warming in a straight line from 0.85; replica r ends r tenths of a degree higher."""
    return pd.DataFrame(
        {"run": run, "replica": replica, "year": year,
         "temperature_c": 0.85 + (last + 0.1 * replica - 0.85) * (year - 2015) / 100}
        for run in ("policy", "reference") for replica in range(replicas) for year in YEARS
    )  # fmt: skip


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Write a run directory whose summary or table of years is changed."""

    def write(
        name: str = "climate-negotiation-club-1", table: pd.DataFrame | None = None, *,
        scenario: dict[str, Any] | None = None, **changes: Any,
    ) -> Path:  # fmt: skip
        folder = tmp_path / name
        folder.mkdir(parents=True)
        told = summary(**changes)
        (folder / "summary.json").write_text(json.dumps(told), encoding="utf-8")
        (years(told["temperature_c"]) if table is None else table).to_parquet(folder / "years.parquet", index=False)
        if scenario is not None:
            (folder / "config.yaml").write_text(yaml.safe_dump({"scenario": scenario}), encoding="utf-8")
        return folder

    return write


@pytest.fixture
def three(write_run: WriteRun) -> list[Path]:
    """A club, a cooler and poorer border club, and nobody bound: warmest, richest in output, less consumption."""
    return [
        write_run(),
        write_run("climate-negotiation-border-club-1", protocol="border-club", temperature_c=3.0, climate_index=0.8,
                  economic_index=0.4, output_tusd=4200.0, consumption_tusd=4200.0, welfare=99.0),
        write_run("climate-negotiation-none-1", protocol="none", temperature_c=6.0, climate_index=0.3,
                  economic_index=0.52, output_tusd=5200.0, consumption_tusd=4000.0, welfare=100.0, members_last=0.0,
                  leakage_rate=None),
    ]  # fmt: skip


@pytest.fixture
def unpictured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the drawing of the PNGs, where only the page's text matters."""
    for name in ("png", "plane_png"):
        monkeypatch.setattr(compare_page, name, lambda chart: chart.key.encode())


def read(path: Path) -> str:
    """The text of the page outside scripts and tags."""
    body = re.sub(r"<(script|style).*?</\1>", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body).replace("\u00a0", " "))


def test_table_by_hand(three: list[Path]) -> None:
    table = table_of(read_runs(three)).set_index("run")
    assert list(table.index) == ["club-1", "border-club-1", "none-1"]
    assert table["on_front"].all()
    # By hand: steps at 0.52, 0.5 and 0.4 of heights 0.3, 0.6 and 0.8.
    assert table["hypervolume_contribution"].tolist() == pytest.approx([0.1 * 0.3, 0.4 * 0.2, 0.02 * 0.3])
    assert table["consumption_change_share"].tolist() == pytest.approx([-0.01, 0.05, 0.0])
    assert table["welfare_change_share"].tolist() == pytest.approx([0.1, -0.01, 0.0])
    assert table["leakage_rate"].isna().tolist() == [False, False, True]
    assert table.loc["club-1", ["protocol", "behaviour", "seed", "replicas", "members_last"]].tolist() == [
        "club", "constant", 0, 1, 20.0,
    ]  # fmt: skip


def test_change_against_a_reference_of_zero_has_no_value(write_run: WriteRun) -> None:
    table = table_of(read_runs([write_run(consumption_reference_tusd=0.0)]))
    assert table["consumption_change_share"].isna().all()
    bars = changes(table)
    assert isinstance(bars, Chart)
    assert bars.series == ["Welfare"]


@pytest.mark.usefixtures("unpictured")
def test_figure_without_data_says_why(write_run: WriteRun, tmp_path: Path) -> None:
    starving = write_run(consumption_reference_tusd=0.0, welfare_reference=0.0)
    found = compare([starving], tmp_path / "out")
    assert "is left out: nothing is consumed in any reference" in read(found.report)
    assert not (found.out / "figures" / "changes.png").exists()


@pytest.mark.usefixtures("unpictured")
def test_folder_holds_the_table_the_page_and_the_figures(three: list[Path], tmp_path: Path) -> None:
    found = compare(three, tmp_path / "out")
    assert found.hypervolume == pytest.approx(0.52 * 0.3 + 0.5 * 0.3 + 0.4 * 0.2)
    assert found.report == tmp_path / "out" / "report.html"
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out" / "comparison.parquet"), found.table)
    assert sorted(path.name for path in (tmp_path / "out" / "figures").iterdir()) == [
        "changes.png", "indices.png", "temperature.png",
    ]  # fmt: skip
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.usefixtures("unpictured")
def test_page_says_in_plain_words_which_run_is_what(three: list[Path], tmp_path: Path) -> None:
    text = read(compare(three, tmp_path / "out").report)
    assert "3 runs compared" in text
    assert "border-club-1 is coolest: 3.00 °C above 1900 in 2115, 3.00 °C less than none-1." in text
    assert "none-1 is richest: 5,200 trillion USD of output" in text
    assert "border-club-1 consumes most, 4,200 trillion USD." in text
    assert "No run is dominated" in text
    assert "The hypervolume is 0.386" in text
    assert "ends 2.10 °C above 1900 and 0 where it ends 7.90 °C above" in text
    assert "600 trillion USD and 1 at 9,700" in text
    assert "no basis for actual policy" in text


def test_a_dominated_run_is_named_with_those_that_beat_it(three: list[Path], write_run: WriteRun) -> None:
    beaten = write_run("beaten", climate_index=0.3, economic_index=0.4)
    assert dominated(table_of(read_runs([*three, beaten]))) == [
        "beaten is dominated: club-1, border-club-1 and none-1 are at least as cool and as rich."
    ]
    twin = write_run("twin", climate_index=0.3, economic_index=0.4)
    worst = write_run("worst", climate_index=0.1, economic_index=0.1)
    assert dominated(table_of(read_runs([*three, beaten, twin, worst]))) == [
        "beaten and twin are dominated: club-1, border-club-1 and none-1 are at least as cool and as rich.",
        "worst is dominated: 5 runs are at least as cool and as rich.",
    ]


def test_twins_are_even_and_neither_is_dominated(write_run: WriteRun) -> None:
    said = headline(table_of(read_runs([write_run("a"), write_run("b")])), 0.3, 2115)
    assert [sentence.replace("\u00a0", " ") for sentence in said[:-1]] == [
        "All runs are equally warm in 2115, 4.00 °C.",
        "All runs make the same, 5,000 trillion USD.",
        "No run is dominated: each is cooler or richer than every other, or even with it.",
        "a and b share both indices.",
    ]
    apart = headline(table_of(read_runs([write_run("c"), write_run("d", consumption_tusd=3000.0)])), 0.3, 2115)
    assert "c and d share both indices; consumption tells them apart." in apart


def test_runs_on_one_point_are_one_point_of_the_front(three: list[Path], write_run: WriteRun, tmp_path: Path) -> None:
    found = compare([*three, write_run("twin", welfare=110.004)], tmp_path / "out")
    text = read(found.report)
    assert "3 of 3 points club-1 and twin on one point; border-club-1; none-1" in text
    assert "On the Pareto front: club-1 and twin on one point; border-club-1; none-1. The hypervolume" in text
    assert places(found.table) == [["club-1", "twin"], ["border-club-1"], ["none-1"]]
    assert "yes 0.0000 twin" in text
    assert "110.004" in text  # a third decimal tells the twins' welfare apart


@pytest.mark.parametrize(
    ("values", "digits"), [([66.43, 66.45], 2), ([66.4312, 66.4341], 3), ([1.0, 1.0], 2), ([1.0, 1.000011], 4)]
)
def test_decimals_are_as_many_as_tell_runs_apart(values: list[float], digits: int) -> None:
    assert decimals(pd.DataFrame({"welfare": values}), "welfare", 2, 4) == digits


@pytest.mark.usefixtures("unpictured")
def test_runs_that_differ_in_more_than_the_protocol_are_told_so_first(write_run: WriteRun, tmp_path: Path) -> None:
    one: dict[str, Any] = {"negotiation": {"protocol": "club"}, "behaviour": {"kind": "constant", "imports": 0.1}}
    other = {"negotiation": {"protocol": "none"}, "behaviour": {"kind": "constant", "imports": 0.0}}
    folders = [write_run("a", scenario=one), write_run("b", scenario=other, seed=1), write_run("c")]
    said = "These runs differ in behaviour too: behaviour.imports (0.1, 0) and seed (0, 1)."
    found = compare(folders, tmp_path / "out")
    header, _, _ = read(found.report).partition("Hypervolume of the set")
    assert said in header
    assert any(said in line for line in found.lines())
    same = compare(
        [folders[0], write_run("d", scenario=one | {"negotiation": {"protocol": "none"}})], tmp_path / "same"
    )
    assert "differ in behaviour" not in read(same.report)


@pytest.mark.usefixtures("unpictured")
def test_units_of_the_table(write_run: WriteRun, tmp_path: Path) -> None:
    found = compare([write_run()], tmp_path / "out")
    schema = pq.read_schema(found.out / "comparison.parquet")
    units = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in schema}
    assert units["emissions_gtco2"] == "Gt CO2, sum of the years"
    assert units["output_tusd"] == "trillion USD, summed over the activity steps"


@pytest.mark.usefixtures("unpictured")
def test_a_bare_path_is_one_run_and_a_comparison_says_itself_in_a_line(write_run: WriteRun, tmp_path: Path) -> None:
    folder = write_run()
    found = compare(str(folder), str(tmp_path / "out"))
    assert repr(found) == "<Comparison of club-1: hypervolume 0.300; see .table and .report>"
    assert len(compare(folder, tmp_path / "other").runs) == 1


def test_one_run_is_enough(write_run: WriteRun, tmp_path: Path) -> None:
    found = compare([write_run()], tmp_path / "out")
    assert found.hypervolume == pytest.approx(0.3)
    assert "club-1 is the only run" in read(found.report)
    assert found.lines()[0] == "1 run of the climate negotiation, 2015-2115"


def test_lines_are_an_aligned_table_the_findings_and_the_place_of_the_page(three: list[Path], tmp_path: Path) -> None:
    runs = read_runs(three)
    table = table_of(runs)
    lines = Comparison(runs=runs, table=table, hypervolume=0.386, out=tmp_path / "out").lines()
    assert lines[0] == "3 runs of the climate negotiation, 2015-2115"
    head, *rows = lines[1:5]
    assert head.split()[:4] == ["run", "protocol", "behaviour", "policy"]
    assert len({len(row) for row in (head, *rows)}) == 1
    assert rows[0].split() == [
        "club-1", "club", "constant", "rules", "4.00", "3.15", "5,000", "5,000", "3,960", "110.00", "20", "5.0%",
        "0.600", "0.500", "yes", "0.0300",
    ]  # fmt: skip
    assert rows[2].split()[11] == "-"
    assert any("hypervolume is 0.386" in line for line in lines)
    assert lines[-1] == f"report: {tmp_path / 'out' / 'report.html'}"


def policy(name: str, sha256: str = "0" * 64) -> dict[str, Any]:
    """What summary.json says of a run whose regions follow a trained policy."""
    told = {"name": name, "sha256": sha256, "method": "ppo", "scenario": "climate-negotiation/club"}
    return {"behaviour": "trained", "policy": told}


@pytest.mark.usefixtures("unpictured")
def test_the_policy_of_each_run_is_named(three: list[Path], write_run: WriteRun, tmp_path: Path) -> None:
    runs = [*three[:2], write_run("mine", **policy("ppo")), write_run("replayed", actions_file="recorded.npz")]
    found = compare(runs, tmp_path / "out")
    said = (
        "club-1 and border-club-1 follow rules; mine follows the trained policy ppo; replayed follows recorded actions."
    )
    text = read(found.report)
    assert said in text
    assert any(said in line for line in found.lines())
    assert "policy (rules, ppo, recorded actions)" in text
    assert "mine club trained ppo 0 1" in text
    assert found.table["policy"].tolist() == ["rules", "rules", "ppo", "recorded actions"]
    assert "trained policy" not in read(compare(three, tmp_path / "rules").report)


def test_policies_of_one_name_are_told_apart_by_their_hash(write_run: WriteRun) -> None:
    same = [write_run(name, **policy("ppo", sha * 64)) for name, sha in (("x", "a"), ("y", "a"))]
    assert table_of(read_runs(same))["policy"].tolist() == ["ppo", "ppo"]
    assert "policy" not in beside_protocol(read_runs(same))
    runs = read_runs([*same, write_run("z", **policy("ppo", "b" * 64))])
    assert table_of(runs)["policy"].tolist() == ["ppo (aaaaaaaa)", "ppo (aaaaaaaa)", "ppo (bbbbbbbb)"]
    assert beside_protocol(runs)["policy"] == ["ppo (aaaaaaaa)", "ppo (aaaaaaaa)", "ppo (bbbbbbbb)"]


def test_names_stay_apart(write_run: WriteRun) -> None:
    folders = [write_run("a/climate-negotiation-club-1"), write_run("b/climate-negotiation-club-1"), write_run("mine")]
    assert [run.name for run in read_runs(folders)] == [str(folders[0]), str(folders[1]), "mine"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"world": "cbam"}, r"summary\.json: world: "),
        ({"climate_index": None}, r"summary\.json: climate_index: "),
        ({"economic_index": float("inf")}, r"summary\.json: economic_index: "),
        ({"interrupted": True}, "was interrupted"),
        ({"n_regions": 9}, "has other regions than .*club-1; runs must be of one world"),
        ({"years": [2015, 2110]}, r"years\.parquet: does not have the years of summary\.json, 2015-2110"),
        ({"years": [2015, 2110], "table": years()[lambda t: t["year"] < 2115]}, "has other years than"),
        ({"table": years()[lambda t: t["year"] != 2050]}, "has other years than"),
        ({"index_bounds": summary()["index_bounds"] | {"output_best_tusd": 9701.0}}, "has other index_bounds than"),
        ({"table": years()[lambda t: t["run"] == "reference"]}, "no rows of the policy run"),
        ({"table": years(replicas=2).iloc[1:]}, "a replica has not every year"),
        ({"table": years().drop(columns="temperature_c")}, "column temperature_c is missing"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused_by_name(
    write_run: WriteRun, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    folders = [write_run(), write_run("other", **change)]
    with pytest.raises(ReportError, match=message) as refusal:
        compare(folders, tmp_path / "out")
    assert str(refusal.value).startswith(str(folders[1]))
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out").exists()


def test_bounds_that_differ_by_rounding_are_those_of_the_same_world(write_run: WriteRun) -> None:
    bounds = summary()["index_bounds"]
    rounded = {key: value * (1 + 1e-13) for key, value in bounds.items()}
    assert len(read_runs([write_run(), write_run("other", index_bounds=rounded)])) == 2


def test_no_run_a_missing_one_and_the_same_twice_are_refused(write_run: WriteRun, tmp_path: Path) -> None:
    folder = write_run()
    with pytest.raises(ReportError, match="at least one run"):
        compare([], tmp_path / "out")
    with pytest.raises(ReportError, match=r"nowhere: no such run directory"):
        compare([folder, tmp_path / "nowhere"], tmp_path / "out")
    with pytest.raises(ReportError, match="is given twice"):
        compare([folder, folder / ".." / folder.name], tmp_path / "out")
    for name in ("years.parquet", "summary.json"):
        (folder / name).unlink()
        with pytest.raises(ReportError, match=f"{name}: is missing"):
            compare([folder], tmp_path / "out")


@pytest.mark.usefixtures("unpictured")
def test_a_folder_that_exists_is_refused_and_left_alone(write_run: WriteRun, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        compare([write_run()], tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.usefixtures("unpictured")
def test_without_a_name_the_first_free_folder_is_taken(
    write_run: WriteRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run()
    monkeypatch.chdir(tmp_path)
    assert [compare([folder]).out for _ in range(2)] == [Path("runs/compare-1"), Path("runs/compare-2")]


def test_equal_runs_give_equal_bytes(three: list[Path], tmp_path: Path) -> None:
    outs = [compare(three, tmp_path / name).out for name in ("a", "b")]
    files = [sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file()) for out in outs]
    assert files[0] == files[1]
    assert len(files[0]) == 5
    for file in files[0]:
        assert (outs[0] / file).read_bytes() == (outs[1] / file).read_bytes()


@pytest.mark.usefixtures("unpictured")
def test_page_needs_no_network_and_takes_hostile_names(write_run: WriteRun, tmp_path: Path) -> None:
    page = compare([write_run(HOSTILE.replace("/", "")), write_run()], tmp_path / "out").report
    html = page.read_text(encoding="utf-8")
    assert not re.search(r"<(link|img|script)[^>]+(href|src)=.(?!data:|#)", html)
    assert not re.search(r"<script>alert", html)


def test_differences_of_the_scenarios_are_shown(write_run: WriteRun, tmp_path: Path) -> None:
    one = {"name": "a", "seed": 0, "negotiation": {"protocol": "club", "options": {"floor": 0.4}}}
    other = {"name": "b", "seed": 0, "negotiation": {"protocol": "club", "options": {"floor": 0.2, "tariff": 0.3}}}
    text = read(compare([write_run("a", scenario=one), write_run("b", scenario=other)], tmp_path / "out").report)
    assert "negotiation.options.floor 0.4 0.2" in text
    assert "negotiation.options.tariff – 0.3" in text
    assert "negotiation.protocol" not in text


def test_replicas_give_bands_bars_and_brackets(write_run: WriteRun, tmp_path: Path) -> None:
    intervals = {"temperature_c": [3.9, 4.2], "climate_index": [0.55, 0.62], "economic_index": [0.48, 0.51]}
    run = write_run("many", years(replicas=3), replicas=3, intervals=intervals, temperature_c=4.1)
    found = compare([run, write_run()], tmp_path / "out")
    lines = temperature(found.runs, found.table)
    ends = lines.data[(lines.data["series"] == "many") & (lines.data["x"] == 2115)].iloc[0]
    assert (ends["y"], ends["low"], ends["high"]) == pytest.approx((4.1, 4.01, 4.19))
    assert "4.10 (3.90 to 4.20)" in read(found.report)
    point = next(one for one in plane_spec(plane(found.runs, found.table))["data"] if one.get("name") == "many")
    assert point["error_y"]["arrayminus"] == pytest.approx([0.05])


def test_the_shade_has_the_area_of_the_hypervolume(three: list[Path]) -> None:
    runs = read_runs(three)
    drawn = plane(runs, table_of(runs)).data[["x", "y"]].to_numpy(dtype=float)
    for points in (drawn, np.array([[0.5, 1.2], [0.7, -0.2], [0.5, 0.5]])):
        x, y = staircase(points).T
        area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
        assert area == pytest.approx(hypervolume(points))


@pytest.mark.parametrize(
    ("places", "panels"), [([(0.5, 0.5), (0.51, 0.52)], 2), ([(0.5, 0.5), (0.1, 0.9)], 1), ([(0.5, 0.5)], 1)]
)
def test_runs_that_stand_together_get_a_close_up(
    write_run: WriteRun, places: list[tuple[float, float]], panels: int
) -> None:
    folders = [write_run(f"{at}", economic_index=x, climate_index=y) for at, (x, y) in enumerate(places)]
    runs = read_runs(folders)
    assert len(views(plane(runs, table_of(runs)))) == panels


def test_plotly_accepts_every_figure(three: list[Path], tmp_path: Path) -> None:
    found = compare(three, tmp_path / "out")
    for item in compare_page.draw(found).values():
        assert not isinstance(item, LeftOut)
        drawn, picture = item
        plotly.graph_objects.Figure(drawn.interactive)
        json.dumps(drawn.interactive, allow_nan=False)
        assert picture.startswith(b"\x89PNG")
