"""The page: what it says, that it is whole, safe, and the same bytes for the same run."""

import json
import re
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import plotly.graph_objects
import pytest

from carbonray.data.scenarios import load
from carbonray.report import Chart, border, figures, page, read_run, write_report
from carbonray.report.interactive import spec
from carbonray.report.stills import png
from carbonray.report.tables import command

HOSTILE = """<script>alert("1")</script> & 'é' {{ 7 * 7 }}"""


@pytest.fixture
def unpictured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the drawing of the PNGs, where only the page's text matters."""
    monkeypatch.setattr(page, "png", lambda chart: chart.key.encode())


@pytest.mark.usefixtures("unpictured")
def test_says_the_headline_in_plain_words(run_dir: Path, page_of: Any) -> None:
    text = page_of(write_report(run_dir)).text
    assert "In 2030 HOM emits 40.0 Mt CO2 less" in text
    assert "So 10.0 % of the fall at home reappears abroad" in text
    assert "For the CBAM goods alone the rate is 25.0 %" in text
    assert "80.0 % of the fall at home is in services" in text
    assert "buyers changing to other origins (+5.0 Mt)" in text
    assert "with it the rate at rest is 30.0 % instead of 12.0 %" in text
    assert "without it the total rate is −2.0 % instead of 10.0 %" in text
    assert "competitiveness leakage only" in text
    assert "no basis for actual policy" in text


def test_every_figure_has_a_picture_a_text_and_a_file(run_dir: Path, page_of: Any) -> None:
    seen = page_of(write_report(run_dir))
    keys = [chart.key for chart in figures(read_run(run_dir)) if isinstance(chart, Chart)]
    assert keys == [
        "leakage", "emissions", "partners", "sectors", "trade", "border", "output", "costs", "hotspots",
        "uncertainty", "ranking", "sensitivity",
    ]  # fmt: skip
    assert sorted(path.stem for path in (run_dir / "figures").iterdir()) == sorted(keys)
    assert len(seen.all("img")) == len(keys)
    assert all(image["alt"] for image in seen.all("img"))
    assert all(header.get("scope") in ("col", "row") for header in seen.all("th"))
    assert len(seen.all("h1")) == 1


def test_titles_state_what_the_data_show(run_dir: Path) -> None:
    titles = {chart.key: chart.title.replace("\u00a0", " ") for chart in figures(read_run(run_dir))}
    assert titles["leakage"] == "Leakage settles near 10.0 % of the fall in HOM; for CBAM goods 25.0 %"
    assert titles["emissions"] == "HOM emits 40.0 Mt CO2 less, other regions 4.0 Mt more"
    assert titles["partners"] == "Emissions rise most in FOR, +4.0 Mt"
    assert titles["trade"] == "Covered sectors of HOM: imports rise by 10.0 % and exports fall by 50.0 %"
    assert titles["output"] == "Output at home falls most in metals, −5.0 %"
    assert titles["costs"].startswith("In 2030 firms at home pay 2.0 bn USD for carbon after free allocation")
    assert (
        titles["sensitivity"]
        == "Leakage at rest lies between 5.0 % and 10.0 %, for CBAM goods between 10.0 % and 20.0 %"
    )


def test_the_border_charge_stands_per_tonne_and_per_euro(
    write_run: Any, made: SimpleNamespace, unpictured: None
) -> None:
    folder = write_run(summary_changes={"years": [2030, 2031]}, charges=made.charges())
    charts = {chart.key: chart for chart in figures(read_run(folder))}
    assert charts["border"].title == "In 2031 a tonne of metals from FOR pays 100 EUR"
    table = border.table(read_run(folder))
    assert table is not None
    cells = [cell.replace("\u00a0", " ") for cell in table.rows[0]]
    assert cells == ["Metals, FOR", "0.04", "2.00", "1.00", "50", "100", "10.0 %", "20.0 %"]


@pytest.mark.usefixtures("unpictured")
def test_the_most_exposed_plants_and_companies_are_named(write_run: Any, made: SimpleNamespace, page_of: Any) -> None:
    plants = made.plants()
    companies = plants.iloc[:1].assign(plants=2, net_carbon_cost_musd=80.0)
    folder = write_run(plants=plants, companies=companies)
    charts = {chart.key: chart for chart in figures(read_run(folder))}
    assert charts["exposed"].title == "In 2030 Works One (Metal plc) pays most for its carbon: 75 million USD net"
    text = page_of(write_report(folder)).text
    assert "Most exposed companies" in text
    assert "most exposed of 2 plants" in text
    assert "It is no forecast for a plant" in text


@pytest.mark.usefixtures("unpictured")
def test_a_run_without_charges_says_so(write_run: Any, made: SimpleNamespace, page_of: Any) -> None:
    nothing = made.charges().iloc[:1].assign(charge_musd=0.0, charge_eur_per_eur=0.0, charge_eur_per_t=0.0)
    seen = page_of(write_report(write_run(charges=nothing)))
    assert "What a tonne pays at the border is left out" in seen.text
    folder = write_run("older")
    (folder / "charges.parquet").unlink()
    assert "What a tonne pays at the border is left out" in page_of(write_report(folder)).text


@pytest.mark.usefixtures("unpictured")
def test_null_leakage_is_undefined_with_its_reason(write_run: Any, made: SimpleNamespace, page_of: Any) -> None:
    undefined = dict.fromkeys(("leakage_rate", "leakage_rate_cbam_goods", "leaked_mt", "leaked_mt_cbam_goods"))
    changes = undefined | {"undefined_reason": "emissions at home <rise>", "home_reduction_mt": -1.0}
    folder = write_run(summary_changes=changes, steps=made.steps(falls=False))
    seen = page_of(write_report(folder))
    assert "Leakage, all sectors undefined" in re.sub(
        r"\s+", " ", seen.text.replace("sectorsundefined", "sectors undefined")
    )
    assert "No leakage rate: emissions at home <rise>." in seen.text
    assert "Leakage over time is left out: emissions at home <rise>." in seen.text
    assert "None" not in seen.text
    assert "nan" not in seen.text.lower().replace("finance", "")
    assert not (folder / "figures" / "leakage.png").exists()


@pytest.mark.usefixtures("unpictured")
def test_optional_parts_are_left_out_with_a_reason(write_run: Any, made: SimpleNamespace, page_of: Any) -> None:
    folder = write_run()
    needed = (
        "scenario",
        "years",
        "leakage_rate",
        "leakage_rate_cbam_goods",
        "home_reduction_mt",
        "foreign_increase_mt",
    )
    bare = {key: value for key, value in made.summary().items() if key in needed}
    (folder / "summary.json").write_text(json.dumps(bare), encoding="utf-8")
    text = page_of(write_report(folder)).text
    for title in ("Sensitivity to elasticities", "Ablation", "Leakage at rest", "Leakage by sector", "By partner"):
        assert f"{title} is left out: " in text
    assert "None" not in text


@pytest.mark.usefixtures("unpictured")
def test_run_that_changes_nothing_says_so(write_run: Any, made: SimpleNamespace, page_of: Any) -> None:
    rates = dict.fromkeys(("leakage_rate", "leakage_rate_cbam_goods"))
    zero = {"home_reduction_mt": 0.0, "foreign_increase_mt": 0.0, "foreign_increase_by_partner_mt": {"FOR": 0.0}}
    steps = made.steps(falls=False)
    steps[[name for name in steps if name.endswith("_mt")]] = 0.0
    folder = write_run(summary_changes=rates | zero, steps=steps, hotspots=made.hotspots().iloc[:0])
    text = page_of(write_report(folder)).text
    assert "HOM emits as much CO2 as in the same world without its policy" in text
    assert "Emissions are those of the reference" in text
    assert "Emissions of no partner region change" in text
    assert "Supply chain is left out: no edge" in text


@pytest.mark.usefixtures("unpictured")
def test_interval_stands_under_the_headline_number(write_run: Any, made: SimpleNamespace, page_of: Any) -> None:
    folder = write_run(
        summary_changes={"replicas": 2, "intervals": {"leakage_rate": [0.08, 0.12]}, "uncertainty": None},
        steps=made.steps(replicas=2),
    )
    text = page_of(write_report(folder)).text
    assert "95 % interval 8.00 to 12.00 %" in text
    assert "Bands are 95 % intervals" in text


@pytest.mark.slow
def test_same_run_gives_the_same_bytes(run_dir: Path, tmp_path: Path) -> None:
    first = write_report(run_dir).read_bytes()
    copy = tmp_path / "elsewhere"
    shutil.copytree(run_dir, copy)
    assert write_report(copy).read_bytes() == first
    assert write_report(run_dir).read_bytes() == first
    for picture in (run_dir / "figures").iterdir():
        assert (copy / "figures" / picture.name).read_bytes() == picture.read_bytes()


@pytest.mark.usefixtures("unpictured")
def test_loads_nothing_from_outside(run_dir: Path, page_of: Any) -> None:
    seen = page_of(write_report(run_dir))
    for _, attributes in seen.tags:
        for name in ("src", "href", "data", "action", "poster", "srcset"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    outside_scripts = re.sub(r"<script>.*?</script>", "", seen.html, flags=re.DOTALL)
    assert not re.search(r"https?:|url\(|@import", outside_scripts)


@pytest.mark.usefixtures("unpictured")
def test_text_of_the_run_is_escaped(write_run: Any, made: SimpleNamespace, page_of: Any) -> None:
    sector = "<b>MET</b>"
    folder = write_run(
        summary_changes={"scenario": HOSTILE, "output_change_by_sector": {sector: -0.1}},
        scenario_changes={"summary": HOSTILE},
        hotspots=made.hotspots().assign(from_sector="</script><img src=x>"),
    )
    seen = page_of(write_report(folder))
    assert HOSTILE in seen.text
    assert not re.search(r"<(script>alert|img src=x|b>MET)", seen.html)
    assert len(seen.all("script")) == 2
    output = next(chart for chart in figures(read_run(folder)) if chart.key == "output")
    assert isinstance(output, Chart)
    assert spec(output)["data"][0]["y"] == ["&lt;b&gt;MET&lt;/b&gt;"]


def test_plotly_accepts_every_figure(write_run: Any, made: SimpleNamespace) -> None:
    for chart in figures(read_run(write_run(steps=made.steps(replicas=2), plants=made.plants()))):
        assert isinstance(chart, Chart)
        plotly.graph_objects.Figure(spec(chart))
        json.dumps(spec(chart), allow_nan=False)


def test_pictures_are_png_and_take_dollar_signs(write_run: Any) -> None:
    run = read_run(write_run(summary_changes={"output_change_by_sector": {"$a$ _b^": -0.1}}))
    charts = [chart for chart in figures(run) if isinstance(chart, Chart)]
    assert all(png(chart).startswith(b"\x89PNG") for chart in charts if chart.key in ("output", "hotspots"))


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"name": "small"}, None),
        ({"name": "law", "seed": 3}, "--set seed=3"),
        ({"name": "law", "home": ["HOM"]}, "--set 'home=[HOM]'"),
        ({"name": "law"}, "--set 'policy.coverage={MET: 0.5}'"),
    ],
)
def test_command_runs_the_scenario_again(write_run: Any, changes: dict[str, Any], wanted: str | None) -> None:
    scenario = read_run(write_run(scenario_changes=changes)).scenario
    found = command(scenario)
    assert found is None if wanted is None else found is not None and wanted in found
    if found is not None:
        settings = [word for word in shlex.split(found)[3:] if word != "--set"]
        assert load(scenario.name, settings) == scenario
