"""The page of a negotiation: what it says, that it is whole, safe, and the same bytes for the same run."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import plotly.graph_objects
import pytest

from carbonray.data.scenarios import load, names
from carbonray.report import negotiation_page
from carbonray.report.charts import Chart, LeftOut
from carbonray.report.negotiation_data import ALL_SHARES
from carbonray.report.negotiation_gallery import figures
from carbonray.report.negotiation_interactive import spec
from carbonray.report.negotiation_limits import VARIETY
from carbonray.report.negotiation_page import write_negotiation_report
from carbonray.report.negotiation_run import read_negotiation_run
from carbonray.report.negotiation_stills import png
from carbonray.report.negotiation_tables import by_region, key_figures, of_chart
from carbonray.report.pages import write_report
from carbonray.report.run_directory import ReportError
from carbonray.runtime.simulate_negotiation import simulate_negotiation

pytestmark = pytest.mark.slow  # a page each: eleven seconds together

HOSTILE = """<script>alert("1")</script> & 'é' {{ 7 * 7 }}"""
KEYS = ["temperature", "emissions", "membership", "economy", "imports", "tariffs", "mitigation", "consumption", "index"]


@pytest.fixture
def unpictured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the drawing of the PNGs, where only the page's text matters."""
    monkeypatch.setattr(negotiation_page, "png", lambda chart: chart.key.encode())


def titles(folder: Path) -> dict[str, str]:
    return {item.key: item.title.replace("\u00a0", " ") for item in figures(read_negotiation_run(folder))}


def left_out(folder: Path) -> dict[str, str]:
    return {item.key: item.reason for item in figures(read_negotiation_run(folder)) if isinstance(item, LeftOut)}


@pytest.mark.usefixtures("unpictured")
def test_says_the_headline_in_plain_words(write_run: Any, page_of: Any) -> None:
    text = page_of(write_report(write_run())).text
    assert (
        "In 2115 it is 3.85 °C warmer than in 1900 with the agreement, and 4.85 °C if nobody is bound: 1.00 °C" in text
    )
    assert "the world emits 2,700 Gt CO2 instead of 3,000 Gt CO2 (−10.0 %)" in text
    assert "In 2115, 3 of 27 regions are members. By name: R2, R3 and R30." in text
    assert "output +7.8 %, consumption −1.0 %, welfare −2.0 %" in text
    assert "Members emit 120 Gt CO2 less than in the reference, others 60.0 Gt CO2 more" in text
    assert "So 50.0 % of the members' cut reappears elsewhere" in text
    assert "rates are ninths up to 1 instead of tenths up to 0.9, −0.25 °C" in text
    assert "What tariffs take is lost" in text
    assert "Purchases do not react to tariffs" in text
    assert "without trade it is a quarter of what is consumed at home" in text
    assert "if nobody is bound, emissions go from 27 Gt CO2 a year in 2020 to 27 Gt CO2 in 2115" in text
    assert "27 regions are fictional" in text
    assert "Zhang et al. 2022" in text
    assert "no basis for actual policy" in text


def test_every_figure_has_a_picture_a_text_and_a_file(write_run: Any, page_of: Any) -> None:
    folder = write_run()
    page = page_of(write_negotiation_report(folder))
    assert [item.key for item in figures(read_negotiation_run(folder)) if isinstance(item, Chart)] == KEYS
    assert sorted(path.stem for path in (folder / "figures").iterdir()) == sorted(KEYS)
    assert len(page.all("img")) == len(KEYS)
    assert all(image["alt"] for image in page.all("img"))
    assert all(header.get("scope") in ("col", "row") for header in page.all("th"))
    assert len(page.all("h1")) == 1


def test_titles_state_what_the_data_show(write_run: Any) -> None:
    found = titles(write_run())
    assert found["temperature"].startswith("By 2115 it is 3.85 °C warmer than in 1900 with the agreement, 4.85 °C if")
    assert found["emissions"] == "Members emit 40.0 % less, others 5.0 % more over the years"
    assert found["membership"] == "3 of 27 regions are members in 2115, with 11.1 % of output and 11.1 % of emissions"
    assert (
        found["economy"]
        == "Over the run output is 7.8 % above the reference and consumption is 1.0 % below the reference"
    )
    assert found["imports"] == "Over the run regions import 5.6 % less than in the reference"
    assert found["tariffs"] == "In 2115 members charge others 20.0 % on average, others them 0 %"
    assert found["mitigation"] == "In 2115 members cut 40.0 % of their emissions on average, others 0 %"
    assert found["consumption"] == "Over the run consumption falls most in R30, −10.0 %"
    assert found["index"] == (
        "Climate index 0.30 and economic index 0.55 if nobody is bound; with the agreement 0.60 and 0.50"
    )


def test_tables_hold_what_was_run(write_run: Any) -> None:
    run = read_negotiation_run(write_run())
    rows = {row[0]: [cell.replace("\u00a0", " ") for cell in row] for row in key_figures(run).rows}
    assert rows["Temperature in 2115"] == ["Temperature in 2115", "3.85 °C", "4.85 °C", "−1.00 °C"]
    assert rows["Welfare"] == ["Welfare", "49.000", "50.000", "−2.0 %"]
    regions = by_region(run)
    assert len(regions.rows) == 27
    first = [cell.replace("\u00a0", " ") for cell in regions.rows[0]]
    assert first == [
        "R2", "yes", "0.90", "−10.0 %", "−10.0 %", "−10.0 %", "40.0 %", "60.0", "−40.0 %", "20.0 %",
    ]  # fmt: skip
    assert [row[0] for row in regions.rows[:4]] == ["R2", "R3", "R4", "R5"]


def test_a_member_in_some_replicas_is_told_as_a_share(write_run: Any, made: SimpleNamespace) -> None:
    table = made.regions(replicas=4)
    table.loc[(table["replica"] > 0) & (table["region"] == "R2"), "member"] = False
    regions = by_region(read_negotiation_run(write_run(replicas=4, regions=table)))
    assert [row[1].replace("\u00a0", " ") for row in regions.rows[:3]] == ["25.0 %", "yes", "no"]
    assert "of the replicas" in regions.note


def test_numbers_of_every_figure_are_told(write_run: Any) -> None:
    for chart in figures(read_negotiation_run(write_run())):
        assert isinstance(chart, Chart)
        table = of_chart(chart)
        assert table.rows
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert not any("nan" in cell for row in table.rows for cell in row)


@pytest.mark.usefixtures("unpictured")
def test_without_negotiation_nothing_is_compared(write_run: Any, made: SimpleNamespace, page_of: Any) -> None:
    changes = {"scenario": "none", "protocol": "none"} | made.same
    folder = write_run(
        members=(), summary_changes=changes, scenario_changes={"name": "none", "negotiation": {"protocol": "none"}}
    )
    text = page_of(write_negotiation_report(folder)).text
    assert "No agreement binds anybody in this run" in text
    assert "In 2115 it is 4.85 °C warmer than in 1900." in text
    assert "By 2115 it is 4.85 °C warmer than in 1900 Nobody" not in text
    for word in ("With agreement", "with the agreement", "undefined", "Leakage to non-members", "instead of 3,000"):
        assert word not in text
    absent = left_out(folder)
    assert set(absent) == {"membership", "economy", "tariffs", "mitigation", "consumption"}
    assert titles(folder)["emissions"] == "Emissions fall from 27.0 Gt CO2 to 27.0 Gt CO2 a year"


@pytest.mark.usefixtures("unpictured")
def test_a_run_in_which_nobody_joins_says_so(write_run: Any, made: SimpleNamespace, page_of: Any) -> None:
    text = page_of(write_negotiation_report(folder := write_run(members=(), summary_changes=made.same))).text
    assert "No region is a member in 2115, nor ever before." in text
    assert "with the agreement or without" in text
    assert "Output, consumption and welfare are those of the reference." in text
    assert "No leakage rate: no region is ever a member, so no emissions can leak." in text
    assert left_out(folder)["membership"] == "no region ever joins"
    for word in ("None", "nan", "inf "):
        assert word not in text


@pytest.mark.usefixtures("unpictured")
def test_everybody_a_member_leaves_nobody_to_leak_to(write_run: Any, made: SimpleNamespace, page_of: Any) -> None:
    everyone = tuple(made.regions()["region"].unique())
    reason = "every region is a member in every step, so there is nobody to leak to"
    changes = {"members_last": 27.0, "leakage_rate": None, "rise_others_gtco2": 0.0, "undefined_reason": reason}
    folder = write_run(members=everyone, summary_changes=changes)
    text = page_of(write_negotiation_report(folder)).text
    assert f"No leakage rate: {reason}." in text
    assert "In 2115, 27 of 27 regions are members." in text
    assert titles(folder)["emissions"] == "The world emits 40.0 % less over the years"
    assert titles(folder)["membership"] == "All 27 regions are members in every step"
    drawn = {item.key: item for item in figures(read_negotiation_run(folder)) if isinstance(item, Chart)}
    assert drawn["membership"].series == [ALL_SHARES]
    assert not any("●" in label for label in drawn["mitigation"].labels)


@pytest.mark.usefixtures("unpictured")
def test_an_evaluation_leads_with_its_seeds_and_says_why_leakage_is_undefined(write_run: Any, page_of: Any) -> None:
    warm = {"trained": 4.5, "rule": 5.5, "difference": -1.0, "difference_interval": [-1.5, -0.5]}
    reason = "every region is a member in most steps, so there is nobody to leak to"
    figures_told = [{"name": "temperature_c", "seeds": 2, **warm}, {"name": "leakage_rate", "seeds": 0}]
    learning = {"role": "region", "seeds": [4, 5], "figures": figures_told,
                "undefined": [{"run": "trained", "reason": reason, "seeds": [4, 5]}]}  # fmt: skip
    policy = {"name": "mine", "method": "ppo", "scenario": "climate-negotiation/club"}
    changes = {"interrupted": True, "seed": 4, "learning": learning, "policy": policy}
    page = page_of(write_negotiation_report(write_run(summary_changes=changes)))
    over_seeds, heading, run = page.text.partition("The trained run of seed 4")
    assert "<title>Evaluation of a trained policy: three</title>" in page.html
    assert len(page.all("h1")) == 1
    assert "Trained regions beside rule regions: three" in over_seeds
    assert "Means over 2 seeds. Warmer than 1900 in the last year: 4.50 °C instead of 5.50 °C" in over_seeds
    assert "a difference of −1.00 °C (95 % interval −1.50 to −0.50 °C)" in over_seeds
    assert f"Leakage is undefined with trained regions in 2 of 2 seeds: {reason}." in over_seeds
    assert "The evaluation was stopped before its last seed" in over_seeds
    assert heading
    assert "In plain words" in run
    assert "Interrupted" not in page.text


@pytest.mark.usefixtures("unpictured")
def test_replicas_have_bands_and_one_replica_has_none(write_run: Any, page_of: Any) -> None:
    changes = {"intervals": {"temperature_c": [3.86, 3.94], "leakage_rate": [0.4, 0.6]}}
    many = write_run("many", replicas=2, summary_changes=changes, scenario_changes={"behaviour": {"kind": "random"}})
    text = page_of(write_negotiation_report(many)).text
    assert "nine of ten replicas 3.86 °C to 3.94 °C" in text
    assert "over 2 replicas nine of ten end between 3.86 °C and 3.94 °C" in text
    assert "nine of ten replicas 40.0 % to 60.0 %" in text
    assert "Bands hold nine of ten replicas" in text
    assert "Nine of ten replicas" in text
    one = page_of(write_negotiation_report(write_run("one"))).text
    assert "replicas are alike" in one
    assert "ine of ten" not in one


@pytest.mark.usefixtures("unpictured")
def test_an_interrupted_run_is_drawn_to_where_it_came(write_run: Any, page_of: Any) -> None:
    changes = {"interrupted": True, "switches": []}
    folder = write_run(last=2020, summary_changes=changes)
    text = page_of(write_negotiation_report(folder)).text
    assert "Interrupted: this run ends in 2020, earlier than planned." in text
    assert "it covers whole steps only" in text
    assert "What the model's oddities do is left out" in text
    assert titles(folder)["mitigation"].startswith("In 2020 ")


@pytest.mark.usefixtures("unpictured")
def test_optional_keys_may_be_absent(write_run: Any, made: SimpleNamespace, page_of: Any) -> None:
    folder = write_run()
    optional = (
        "intervals", "switches", "climate_index", "economic_index", "climate_index_reference", "leakage_rate",
        "economic_index_reference", "index_bounds", "abatement_members_gtco2", "rise_others_gtco2", "wall_seconds",
        "undefined_reason", "actions_file", "peak_memory_mib", "region_steps_per_second",
    )  # fmt: skip
    bare = {key: value for key, value in made.summary().items() if key not in optional}
    (folder / "summary.json").write_text(json.dumps(bare), encoding="utf-8")
    text = page_of(write_negotiation_report(folder)).text
    assert "Climate and economic index is left out: the run was made without its two extremes." in text
    assert "None" not in text


@pytest.mark.usefixtures("unpictured")
def test_a_picture_of_an_earlier_run_does_not_stay(write_run: Any, made: SimpleNamespace) -> None:
    folder = write_run(members=(), summary_changes=made.same)
    (folder / "figures").mkdir()
    (folder / "figures" / "membership.png").write_bytes(b"old")
    write_negotiation_report(folder)
    assert not (folder / "figures" / "membership.png").exists()


def test_a_folder_that_cannot_be_written_is_named(write_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_run()
    (folder / "figures").write_text("a file", encoding="utf-8")
    monkeypatch.setattr(negotiation_page, "png", lambda chart: b"")
    with pytest.raises(ReportError, match="figures: cannot be written"):
        write_negotiation_report(folder)


@pytest.mark.slow
def test_same_run_gives_the_same_bytes(write_run: Any, tmp_path: Path) -> None:
    folder = write_run(replicas=2)
    first = write_negotiation_report(folder).read_bytes()
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)
    assert write_negotiation_report(copy).read_bytes() == first
    assert write_negotiation_report(folder).read_bytes() == first
    for picture in (folder / "figures").iterdir():
        assert (copy / "figures" / picture.name).read_bytes() == picture.read_bytes()


@pytest.mark.usefixtures("unpictured")
def test_loads_nothing_from_outside(write_run: Any, page_of: Any) -> None:
    page = page_of(write_negotiation_report(write_run()))
    for _, attributes in page.tags:
        for name in ("src", "href", "data", "action", "poster", "srcset"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    assert not re.search(r"https?:|url\(|@import", re.sub(r"<script>.*?</script>", "", page.html, flags=re.DOTALL))


@pytest.mark.usefixtures("unpictured")
def test_text_of_the_run_is_escaped(write_run: Any, made: SimpleNamespace, page_of: Any) -> None:
    hostile = {"R2": "<b>$R2$</b>"}
    regions = made.regions().replace({"region": hostile})
    trade = made.trade().replace({"importer": hostile, "exporter": hostile})
    folder = write_run(
        summary_changes={"scenario": HOSTILE, "actions_file": "</script><img src=x>.npz", "undefined_reason": HOSTILE},
        scenario_changes={"summary": HOSTILE},
        regions=regions,
        trade=trade,
    )
    page = page_of(write_negotiation_report(folder))
    assert HOSTILE in page.text
    assert not re.search(r"<(script>alert|img src=x|b>)", page.html)
    assert len(page.all("script")) == 2
    drawn = {item.key: item for item in figures(read_negotiation_run(folder)) if isinstance(item, Chart)}
    assert "&lt;b&gt;$R2$&lt;/b&gt; ●" in spec(drawn["mitigation"])["data"][0]["y"]
    assert png(drawn["mitigation"]).startswith(b"\x89PNG")


@pytest.mark.usefixtures("unpictured")
def test_recorded_actions_and_a_protocol_of_ones_own_are_named_without_their_folder(
    write_run: Any, page_of: Any
) -> None:
    own = "/home/somebody/rules.py:mine"
    folder = write_run(
        summary_changes={"protocol": own, "actions_file": "played.npz"},
        scenario_changes={"negotiation": {"protocol": own}},
    )
    text = page_of(write_negotiation_report(folder)).text
    assert "The protocol is rules.py:mine. The rules are the user's own function." in text
    assert "the actions recorded in played.npz" in text
    assert "A protocol of the user's own, rules.py:mine. Recorded actions of played.npz." in text
    assert "Both runs replay the same recorded actions" in text
    assert "it does not say that the agreement changes nothing" not in text
    assert "carbonray simulate my-scenario.yaml --actions played.npz" in text


@pytest.mark.usefixtures("unpictured")
def test_recorded_actions_that_change_nothing_are_explained_beside_the_headline(
    write_run: Any, made: SimpleNamespace, page_of: Any
) -> None:
    folder = write_run(members=(), summary_changes=made.same | {"actions_file": "played.npz"})
    text = page_of(write_negotiation_report(folder)).text
    headline, _, rest = text.partition("In plain words")
    assert "it does not say that the agreement changes nothing" in headline
    assert "with the agreement or without" not in rest


@pytest.mark.parametrize(
    ("negotiation", "said"),
    [
        ({"protocol": "none"}, "No negotiation: every region for itself."),
        ({"protocol": "bilateral"}, "Regions bind each other pair by pair to a mitigation rate."),
        ({"protocol": "club"}, "A club with a mitigation floor of 40 % and a tariff of 20 % on everybody outside."),
        (
            {"protocol": "club", "options": {"floor": 0.25, "tariff": 0.125}},
            "A club with a mitigation floor of 25 % and a tariff of 12.5 % on everybody outside.",
        ),
        (
            {"protocol": "border-club", "options": {"floor": 0.6}, "binding": False},
            "A club with a mitigation floor of 60 % and a carbon charge at its border; here it binds nobody.",
        ),
        (
            {"protocol": "/home/me/rules.py:mine", "options": {"cap": 3, "who": ["R2", "R3"]}},
            "A protocol of the user's own, rules.py:mine (cap: 3, who: R2, R3).",
        ),
    ],
)
def test_the_subtitle_is_what_was_run_and_not_what_the_scenario_says_of_itself(
    write_run: Any, negotiation: dict[str, Any], said: str
) -> None:
    run = read_negotiation_run(write_run(scenario_changes={"summary": "Stale.", "negotiation": negotiation}))
    assert negotiation_page.lead(run).replace("\u00a0", " ") == said


@pytest.mark.usefixtures("unpictured")
def test_changes_are_told_with_their_range_over_the_replicas(write_run: Any, page_of: Any) -> None:
    intervals = {
        "temperature_c": [3.7, 4.0], "temperature_change_c": [-1.1, -0.9], "welfare_change": [-2.0, 0.5],
        "consumption_change_share": [-0.02, -0.001],
    }  # fmt: skip
    folder = write_run(replicas=2, summary_changes={"intervals": intervals, "temperature_change_c": -1.0})
    text = page_of(write_negotiation_report(folder)).text
    assert "4.85 °C if nobody is bound: −1.00 °C; change in nine of ten replicas −1.10 °C to −0.90 °C" in text
    assert "In nine of ten replicas the change is −1.10 °C to −0.90 °C." in text
    assert "In nine of ten replicas: consumption −2.0 % to −0.1 %, welfare −2.00 units to +0.50 units." in text
    assert "So whether welfare rises or falls depends on the draw." in text
    rows = {row[0]: row[3].replace("\u00a0", " ") for row in key_figures(read_negotiation_run(folder)).rows}
    assert rows["Temperature in 2115"] == "−1.00 °C (−1.10 °C to −0.90 °C)"
    assert rows["Emissions, sum"] == "−10.0 %"


def test_a_jump_in_the_last_year_is_no_title(write_run: Any, made: SimpleNamespace) -> None:
    table = made.regions()
    policy = (table["run"] == "policy") & (table["year"] == 2115)
    table.loc[policy & (table["region"] == "R4"), ["consumption_tusd", "imports_tusd"]] *= 3.0
    found = titles(write_run(regions=table, years=made.years(table)))
    assert found["economy"].endswith("consumption is 1.0 % below the reference")
    assert "R4, +10.0 %" in found["consumption"]  # twice a twentieth more over the run, and not +200 %


@pytest.mark.usefixtures("unpictured")
def test_switches_without_rates_say_why(write_run: Any, made: SimpleNamespace, page_of: Any) -> None:
    rows = [row for row in made.summary()["switches"] if row["switch"] != "rates"]
    text = page_of(write_negotiation_report(write_run(summary_changes={"switches": rows}))).text
    assert "None of the model's oddities that were switched moves the temperature" in text
    assert "This one moves consumption most: tariff revenue reaches consumers instead of being lost, +2.0 %." in text
    assert "The switch rates is not among them" in text


def test_what_is_said_of_variety_holds_for_the_built_in_scenario() -> None:
    told = {}
    for imports in ("0.1", "0"):
        scenario = load("climate-negotiation/none", [f"behaviour.imports={imports}"])
        told[imports] = simulate_negotiation(scenario, robust=False).summary
    for key, show in (("consumption_tusd", "{:,.0f}"), ("welfare", "{:.1f}")):
        alone, trading = (show.format(told[imports][key]) for imports in ("0", "0.1"))
        assert f"{alone} instead of {trading}" in VARIETY


@pytest.mark.parametrize("replicas", [1, 2])
def test_plotly_accepts_every_figure(write_run: Any, replicas: int) -> None:
    for chart in figures(read_negotiation_run(write_run(replicas=replicas))):
        assert isinstance(chart, Chart)
        plotly.graph_objects.Figure(spec(chart))
        json.dumps(spec(chart), allow_nan=False)


def test_a_century_has_few_ticks_and_room_at_its_ends(write_run: Any) -> None:
    chart = next(item for item in figures(read_negotiation_run(write_run())) if item.key == "temperature")
    assert isinstance(chart, Chart)
    axis = spec(chart)["layout"]["xaxis"]
    assert axis["dtick"] == 20
    assert axis["range"] == [2012.0, 2118.0]


def test_an_index_beyond_the_extremes_stays_in_the_figure(write_run: Any) -> None:
    run = read_negotiation_run(write_run(summary_changes={"economic_index": 1.4, "climate_index": -0.2}))
    chart = next(item for item in figures(run) if item.key == "index")
    assert isinstance(chart, Chart)
    layout = spec(chart)["layout"]
    assert layout["xaxis"]["range"][1] > 1.4
    assert layout["yaxis"]["range"][0] < -0.2


@pytest.mark.parametrize("name", names("climate-negotiation"))
def test_a_run_of_each_built_in_scenario_is_reported(tmp_path: Path, name: str, page_of: Any, unpictured: None) -> None:
    scenario = load(f"climate-negotiation/{name}", ["behaviour.kind=random"], replicas=2)
    folder = simulate_negotiation(scenario, robust=False).write(tmp_path / "run", finish=write_negotiation_report)
    text = page_of(folder / "report.html").text
    assert f"carbonray simulate climate-negotiation/{name} --set replicas=2 --set behaviour.kind=random" in text
    assert "nan" not in text
    assert "None" not in text
