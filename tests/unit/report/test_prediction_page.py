"""Pages of a prediction and of a predictor: what they say, draw, withhold and leave out."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects
import predictors
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from carbonray.cli import app
from carbonray.data.names import SECTORS
from carbonray.predict import folder as folders
from carbonray.predict import judge
from carbonray.predict.build import JUDGED
from carbonray.predict.domain import Outside
from carbonray.predict.folder import PredictError
from carbonray.predict.prediction import Prediction, predict_leakage
from carbonray.report import ReportError, prediction_page
from carbonray.report.charts import Chart, LeftOut
from carbonray.report.pairs import HELD, MISSED
from carbonray.report.predicted_words import between, beyond, input_value, quantity_label
from carbonray.report.prediction_figures import DRAWERS, bars, charts, fan, tornado
from carbonray.report.prediction_page import write_prediction
from carbonray.report.prediction_tables import drivers, key_figures, nearest
from carbonray.report.prediction_words import lead
from carbonray.report.predictor_page import scatters, write_build_report, write_card
from carbonray.report.wording import megatonnes, percent
from carbonray.runtime.outputs import OutputError

HOSTILE = """<script>alert("1")</script> & {{ 7 * 7 }}"""
UNSEEN = ("policy.price.2035=500", "policy.retaliation=0.3")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return predictors.saved(tmp_path_factory.mktemp("built") / "predictor")


@pytest.fixture(scope="module")
def found(built: Path) -> Prediction:
    return predict_leakage("law", built=built)


@pytest.fixture(scope="module")
def flagged(built: Path) -> Prediction:
    return predict_leakage("law", built=built, settings=UNSEEN)


@pytest.fixture(scope="module")
def checked(found: Prediction) -> Prediction:
    """As if it had been simulated: a tenth more of everything."""
    return replace(found, simulated={name: 1.1 * values for name, values in found.answers.mean.items()})


@pytest.fixture
def unpictured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the drawing of the PNGs, where only the page's text matters."""
    drawers = {kind: (draw, lambda chart: chart.key.encode()) for kind, (draw, _) in DRAWERS.items()}
    monkeypatch.setattr(prediction_page, "DRAWERS", drawers)


def drawn(found: Prediction) -> dict[str, Chart]:
    return {item.key: item for item in charts(found) if isinstance(item, Chart)}


@pytest.mark.usefixtures("unpictured")
class TestFolder:
    def test_it_has_all_tables_with_units(self, found: Prediction, tmp_path: Path) -> None:
        out = tmp_path / "out"
        assert write_prediction(found, out) == out / "report.html"
        names = ("cells", "drivers", "nearest", "partners", "plants", "sectors", "years")
        assert {path.name for path in out.iterdir()} == {
            *(f"{name}.parquet" for name in names), "figures", "config.yaml", "prediction.json", "report.html",
        }  # fmt: skip
        assert {path.stem for path in (out / "figures").iterdir()} == {"years", "sectors", "partners", "drivers"}
        pd.testing.assert_frame_equal(pd.read_parquet(out / "years.parquet"), found.years)
        assert units(out / "years.parquet", "leakage_rate_low", "foreign_increase_mt", "revenue_musd_high") == [
            "share", "Mt CO2 a year", "million USD of 2011 a year",
        ]  # fmt: skip
        assert units(out / "sectors.parquet", "prediction", "high") == ["Mt CO2", "Mt CO2"]
        assert units(out / "drivers.parquet", "leaked_mt_low", "width") == ["Mt CO2", "share"]
        assert units(out / "nearest.parquet", "price.2030", "leaked_mt_10_years", "distance") == [
            "EUR of 2026 / t CO2", "Mt CO2", "simulated ranges",
        ]  # fmt: skip
        assert units(out / "cells.parquet", "leaked_mt", "carbon_cost_share") == ["Mt CO2 a year", "fraction"]

    def test_its_rankings_are_whole_and_say_their_year(self, found: Prediction, tmp_path: Path) -> None:
        write_prediction(found, tmp_path / "out", year=2030)
        for name, plants in (("cells", False), ("plants", True)):
            ranked = found.risk(2030, plants=plants)
            table = pd.read_parquet(tmp_path / "out" / f"{name}.parquet")
            assert set(table.pop("year")) == {2030}
            pd.testing.assert_frame_equal(table, ranked, check_dtype=False)
        assert units(
            tmp_path / "out" / "plants.parquet", "leaked_mt", "output_musd", "official_indicator",
            "abatement_cost_share", "trade_exposure", "year",
        ) == [
            "Mt CO2 a year", "million USD of 2011 at base-year prices, a year", "kg CO2 / EUR of 2026", "fraction",
            "fraction", "calendar year",
        ]  # fmt: skip

    def test_its_json_is_json_where_figures_are_unknown(self, flagged: Prediction, tmp_path: Path) -> None:
        write_prediction(flagged, tmp_path / "out")
        told = json.loads((tmp_path / "out" / "prediction.json").read_text(), parse_constant=pytest.fail)
        assert told == flagged.to_dict()
        assert not told["reliable"]
        assert told["headlines"][0]["low"] is None

    def test_a_folder_that_exists_is_refused(self, found: Prediction, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="exists already"):
            write_prediction(found, tmp_path)

    def test_a_refused_year_leaves_nothing(self, found: Prediction, tmp_path: Path) -> None:
        with pytest.raises(PredictError, match="--year 2050"):
            write_prediction(found, tmp_path / "out", year=2050)
        assert not list(tmp_path.iterdir())

    def test_half_a_folder_is_never_there(
        self, found: Prediction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(prediction_page, "write_json", fail)
        with pytest.raises(OutputError, match="No space left"):
            write_prediction(found, tmp_path / "out")
        assert not list(tmp_path.iterdir())


def units(path: Path, *columns: str) -> list[str]:
    schema = pyarrow.parquet.read_schema(path)
    return [schema.field(name).metadata[b"unit"].decode() for name in columns]


@pytest.mark.usefixtures("unpictured")
class TestPage:
    def test_it_leads_with_the_rates_and_their_intervals(self, found: Prediction, tmp_path: Path, page_of: Any) -> None:
        page = page_of(write_prediction(found, tmp_path / "out"))
        row = found.headlines.set_index("quantity").loc["leakage_rate_10_years"]
        interval = f"{percent(row['low'])[:-2]} to {percent(row['high'])}"
        rate = f"{percent(row['prediction'])} ({interval})".replace("\u00a0", " ")
        assert f"Leakage over 2026–2035 is predicted at {rate} of the fall at home, for CBAM goods at" in page.text
        assert "in brackets the 90 % interval" in page.text
        assert "It does not hold the world" in page.text
        assert "no run was made for it." in page.text
        assert "carbonray predict cbam/law" in page.text
        assert 'role="alert"' not in page.html
        assert len(page.all("h1")) == 1
        assert all(image["alt"] for image in page.all("img"))
        assert not re.search(r"<(link|img|script)[^>]+(href|src)=.(?!data:|#)", page.html)

    def test_it_ranks_cells_and_twenty_plants_beside_the_official_indicator(
        self, found: Prediction, tmp_path: Path, page_of: Any
    ) -> None:
        page = page_of(write_prediction(found, tmp_path / "out", year=2030))
        first = found.risk(2030).iloc[0]
        assert "Exposed sectors in 2030" in page.text
        assert f"1. {SECTORS[first['sector']].capitalize()}" in page.text
        assert page.text.count("goods of") == 16 + 20
        assert "Official indicator" in page.text

    def test_a_flagged_case_says_so_loudly_and_has_no_interval(
        self, flagged: Prediction, tmp_path: Path, page_of: Any
    ) -> None:
        page = page_of(write_prediction(flagged, tmp_path / "out"))
        assert 'role="alert"' in page.html
        assert "Nothing like this was simulated. What follows is a guess, without intervals." in page.text
        assert "carbon price 2035: 500 EUR/t, where 15.0 to 300 EUR/t was simulated, and" in page.text
        assert "policy.retaliation differs from what all runs had" in page.text
        assert "carbonray simulate cbam/law --set policy.price.2035=500.0 --set policy.retaliation=0.3" in page.text
        assert " to " not in lead(flagged)
        assert "in brackets" not in page.text
        for chart in drawn(flagged).values():
            assert chart.kind == "tornado" or chart.data["low"].isna().all()
            assert "error_x" not in json.dumps(DRAWERS[chart.kind][0](chart))
            assert "fill" not in json.dumps(DRAWERS[chart.kind][0](chart)["data"])
            assert "interval" not in chart.caption or "Intervals of single bars" in chart.caption

    def test_what_was_simulated_stands_beside_it(self, checked: Prediction, tmp_path: Path, page_of: Any) -> None:
        page = page_of(write_prediction(checked, tmp_path / "out"))
        assert "; simulated" in page.text
        assert "but the one beside it" in page.text
        figures = drawn(checked)
        dots = figures["years"].data.query("series == 'Simulated'")
        np.testing.assert_allclose(dots["y"][:10], checked.years["leakage_rate_simulated"])
        assert [one["mode"] for one in DRAWERS["lines"][0](figures["years"])["data"]].count("markers") == 2
        assert DRAWERS["whiskers"][0](figures["sectors"])["data"][-1]["name"] == "Simulated"

    def test_sums_run_on_where_a_scenario_is_shorter(self, built: Path, tmp_path: Path, page_of: Any) -> None:
        short = predict_leakage("law", built=built, settings=["years=6"])
        page = page_of(write_prediction(short, tmp_path / "out"))
        assert "The scenario ends in 2031; sums run on to 2035" in page.text
        assert "Exposed sectors in 2031" in page.text
        assert len(short.years) == 6

    def test_hostile_names_stay_words(self, found: Prediction, tmp_path: Path, page_of: Any) -> None:
        named = replace(found, scenario=found.scenario.model_copy(update={"name": HOSTILE, "summary": HOSTILE}))
        page = page_of(write_prediction(named, tmp_path / "out"))
        assert HOSTILE in page.text
        assert "<script>alert" not in page.html


class TestFigures:
    @pytest.mark.slow
    def test_every_figure_is_drawn_twice_and_the_same_again(self, checked: Prediction) -> None:
        for chart in drawn(checked).values():
            interactive, still = DRAWERS[chart.kind]
            plotly.graph_objects.Figure(interactive(chart))
            json.dumps(interactive(chart), allow_nan=False)
            assert still(chart).startswith(b"\x89PNG")
        assert still(chart) == still(chart)

    def test_flagged_figures_are_drawn_too(self, flagged: Prediction) -> None:
        for chart in drawn(flagged).values():
            interactive, still = DRAWERS[chart.kind]
            json.dumps(interactive(chart), allow_nan=False)
            assert still(chart).startswith(b"\x89PNG")

    def test_half_of_the_cases_lie_in_the_dark_band(self, found: Prediction) -> None:
        data = drawn(found)["years"].data
        assert len(data) == 20
        assert (data["low"] < data["inner_low"]).all()
        assert (data["inner_high"] < data["high"]).all()

    def test_years_without_a_rate_are_counted_and_not_drawn(self, found: Prediction) -> None:
        gone = without_rates(found, slice(2))
        chart = fan(gone)
        assert isinstance(chart, Chart)
        assert len(chart.data) == 16
        assert "4 values are undefined" in chart.caption
        assert isinstance(fan(without_rates(found, slice(None))), LeftOut)

    def test_bars_fall_to_the_left(self, found: Prediction) -> None:
        chart = bars(found, "partners")
        assert isinstance(chart, Chart)
        np.testing.assert_array_equal(chart.data["series"] == "Fall", found.partners["prediction"] < 0)
        spec = DRAWERS["whiskers"][0](chart)
        assert spec["layout"]["xaxis"]["range"][0] < chart.data["low"].min()

    def test_bars_of_a_tornado_start_at_the_prediction(self, found: Prediction) -> None:
        chart = tornado(found)
        assert isinstance(chart, Chart)
        rate = found.headlines["prediction"][0]
        low, high = DRAWERS["tornado"][0](chart)["data"]
        assert low["base"] == high["base"] == rate
        np.testing.assert_allclose(np.array(low["x"]) + rate, found.drivers["leakage_rate_low"][:10])
        assert len(drivers(found).rows) == 18

    def test_a_tornado_without_a_rate_is_left_out(self, found: Prediction) -> None:
        mean = dict(found.answers.mean) | {"leakage_rate_10_years": np.array([np.nan])}
        item = tornado(replace(found, answers=replace(found.answers, mean=mean)))
        assert isinstance(item, LeftOut)
        assert "undefined" in item.reason


def without_rates(found: Prediction, years: slice) -> Prediction:
    mean: dict[str, Any] = dict(found.answers.mean)
    for name in ("leakage_rate", "leakage_rate_cbam_goods"):
        mean[name] = mean[name].copy()
        mean[name][:, years] = np.nan
    return replace(found, answers=replace(found.answers, mean=mean))


class TestWords:
    @pytest.mark.parametrize(
        ("low", "high", "show", "words"),
        [
            (0.1, 0.2, percent, "10.0 to 20.0 %"),
            (-2.0, 3.0, megatonnes, "−2.0 to 3.0 Mt"),
            (np.nan, 1.0, percent, "–"),
            (None, None, percent, "–"),
        ],
    )
    def test_an_interval_has_its_unit_once(self, low: Any, high: Any, show: Any, words: str) -> None:
        assert between(low, high, show).replace("\u00a0", " ") == words

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("leakage_rate", "Leakage rate, by year"),
            ("leakage_rate_10_years_cbam_goods", "Leakage rate, over 10 years, CBAM goods"),
            ("leaked_mt_10_years_by_partner", "Rise abroad, over 10 years, by partner"),
            ("foreign_increase_mt_by_sector", "Rise abroad, by year, by sector"),
            ("support_home_musd", "Support at home, by year"),
        ],
    )
    def test_quantities_have_names(self, name: str, words: str) -> None:
        assert quantity_label(name) == words

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("price.2030", 88.0, "88.0 EUR/t"),
            ("partner_price.CHN", 120.0, "120 EUR/t"),
            ("cbam", 1.0, "yes"),
            ("coverage.STL", 0.95, "95.0 %"),
            ("support_home", 0.0, "0 %"),
            ("factor_supply", 2.0, "2.00"),
        ],
    )
    def test_inputs_have_units(self, name: str, value: float, words: str) -> None:
        assert input_value(predictors.ground().layout, name, value).replace("\u00a0", " ") == words

    def test_inputs_beyond_the_runs_are_told_by_group(self) -> None:
        outside = [
            Outside(name=name, value=value, low=0.0, high=100.0)
            for name, value in (("price.2030", 110.0), ("price.2031", 150.0), ("partner_price.CHN", -5.0))
        ]
        said = [line.replace("\u00a0", " ") for line in beyond(predictors.ground().layout, outside)]
        assert said == [
            "carbon price 2031: 150 EUR/t, where 0.0 to 100 EUR/t was simulated, and 1 more like it",
            "carbon price in China: -5.0 EUR/t, where 0.0 to 100 EUR/t was simulated".replace("-", "−"),
        ]

    def test_nearest_runs_say_where_they_differ(self, found: Prediction) -> None:
        table = nearest(found)
        assert len(table.rows) == 5
        assert all(row[-1].count("(here ") == 3 for row in table.rows)

    def test_key_figures_have_a_column_for_what_was_simulated(self, found: Prediction, checked: Prediction) -> None:
        assert len(key_figures(found).columns) == 3
        assert key_figures(checked).columns[-1] == "Simulated"


class TestPredictor:
    def test_the_card_is_a_page(self, built: Path, tmp_path: Path, page_of: Any) -> None:
        card = folders.load(built).card
        page = page_of(write_card(card, tmp_path / "out"))
        assert "Made by hand." in page.text
        assert "Leakage over 10 years, all goods" in page.text
        assert "Rise abroad, over 10 years, by partner" in page.text
        assert "Beyond the axes" not in page.text
        with pytest.raises(OutputError, match="exists already"):
            write_card(card, tmp_path / "out")

    @pytest.mark.usefixtures("unpictured")
    def test_a_build_has_a_scatter_of_its_test_cases(self, built: Path, tmp_path: Path, page_of: Any) -> None:
        made = predictors.model()
        table = judge.judged(made, predictors.cases(made, 3))
        (tmp_path / JUDGED).write_bytes(folders.table_bytes(table))
        card = folders.load(built).card
        page = page_of(write_build_report(tmp_path, card))
        held = card.measured["coverage"]["leakage_rate_10_years"]["0.9"]
        assert f"All goods: {100 * held:.0f} of 100 intervals hold what was simulated" in page.text
        assert {path.name for path in (tmp_path / "figures").iterdir()} == {"judged.png", "judged_cbam_goods.png"}

    def test_a_build_from_before_has_none_and_says_so(self, built: Path, tmp_path: Path, page_of: Any) -> None:
        page = page_of(write_build_report(tmp_path, folders.load(built).card))
        assert f"the folder has no {JUDGED}" in page.text

    def test_spoilt_points_are_refused(self, built: Path, tmp_path: Path) -> None:
        (tmp_path / JUDGED).write_text("no table")
        with pytest.raises(ReportError, match=JUDGED):
            write_build_report(tmp_path, folders.load(built).card)

    def test_points_are_told_apart_by_their_interval(self) -> None:
        name = "leakage_rate_10_years"
        columns: Mapping[str, list[float]] = {
            "": [0.1, 0.2, 0.3, 0.4], "_low": [0.0, 0.19, -np.inf, 0.3], "_high": [0.2, 0.21, np.inf, 0.5],
            "_simulated": [0.15, 0.25, 0.9, np.nan],
        }  # fmt: skip
        table = pd.DataFrame(
            {f"{name}{goods}{end}": values for goods in ("", "_cbam_goods") for end, values in columns.items()}
        )
        charts = [item for item in scatters(table) if isinstance(item, Chart)]
        assert [item.key for item in charts] == ["judged", "judged_cbam_goods"]
        assert list(charts[0].data["series"]) == [HELD, HELD, MISSED]
        assert charts[0].title == "All goods: 2 of 3 intervals hold what was simulated"
        for draw in DRAWERS["pairs"]:
            draw(charts[0])
        json.dumps(DRAWERS["pairs"][0](charts[0]), allow_nan=False)


@pytest.mark.usefixtures("unpictured")
class TestCommandLine:
    def test_predict_writes_a_folder_and_prints_its_report(self, built: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        done = CliRunner().invoke(app, ["predict", "law", "--predictor", str(built), "--out", str(out)])
        assert done.exit_code == 0, done.output
        assert f"report: {out / 'report.html'}" in done.stdout
        assert "leakage, all goods, 10 years" in done.stdout

    def test_json_stays_json_beside_a_folder(self, built: Path, tmp_path: Path) -> None:
        words = ["predict", "law", "--predictor", str(built), "--out", str(tmp_path / "out"), "--json"]
        done = CliRunner().invoke(app, words)
        assert json.loads(done.stdout)["scenario"] == "law"
        assert "report: " in done.stderr

    def test_show_writes_the_card(self, built: Path, tmp_path: Path) -> None:
        done = CliRunner().invoke(app, ["predictor", "show", "--predictor", str(built), "--out", str(tmp_path / "out")])
        assert done.stdout.endswith(f"report: {tmp_path / 'out' / 'report.html'}\n")
