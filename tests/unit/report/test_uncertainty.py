"""Intervals and ranking on the page: what they say, and that what failed is said too."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from carbonray.report import figures, read_run, tables
from carbonray.report.charts import Chart, LeftOut
from carbonray.report.uncertainty import ABSENT, figures_table, parameters_table, sentences


def drawn(folder: Path) -> dict[str, Chart | LeftOut]:
    return {item.key: item for item in figures(read_run(folder))}


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_the_titles_state_the_interval_and_what_decides_it(run_dir: Path) -> None:
    found = drawn(run_dir)
    assert plain(found["uncertainty"].title) == (
        "Leakage lies between 6.0 % and 14.0 %, for CBAM goods between 20.0 % and 30.0 %"
    )
    assert plain(found["ranking"].title) == (
        "70.0 % of the spread of leakage is due to trade elasticities; for CBAM goods 80.0 % to share that exporters "
        "bear"
    )


def test_draws_that_failed_are_told_in_the_caption_the_text_and_the_table(run_dir: Path) -> None:
    run, chart = read_run(run_dir), drawn(run_dir)["uncertainty"]
    words = "1 of 20 draws failed and are not in the intervals (the market did not clear)."
    assert isinstance(chart, Chart)
    table = figures_table(run)
    assert table is not None
    for text in (chart.caption, sentences(run.summary.uncertainty)[-1], table.note):
        assert words in text


def test_an_undefined_figure_of_the_run_as_assumed_is_no_number(run_dir: Path) -> None:
    run, chart = read_run(run_dir), drawn(run_dir)["uncertainty"]
    assert isinstance(chart, Chart)
    assert tables.of_chart(chart).rows[1][-1] == "–"
    table = figures_table(run)
    assert table is not None
    assert [row[1] for row in table.rows] == [plain(row[1]).replace(" ", "\u00a0") for row in table.rows]
    assert table.rows[1][1] == "undefined"


def test_the_parameters_stand_with_range_and_source(run_dir: Path) -> None:
    table = parameters_table(read_run(run_dir))
    assert table is not None
    assert table.rows[0] == ("Trade elasticities", "market.sigma_scale", "0.7, 1, ∞", "triangular", "a book (recall)")


def test_a_run_without_draws_says_so(write_run: Any, made: SimpleNamespace) -> None:
    folder = write_run(summary_changes={"uncertainty": None})
    for key in ("uncertainty", "ranking"):
        item = drawn(folder)[key]
        assert isinstance(item, LeftOut)
        assert item.reason == ABSENT
    assert sentences(None) == []


def test_a_ranking_of_too_few_draws_is_left_out_with_a_reason(write_run: Any, made: SimpleNamespace) -> None:
    told = made.summary()["uncertainty"]
    for ranked in told["ranking"]:
        ranked |= {"r2": None, "chance": None, "parameters": []}
    item = drawn(write_run(summary_changes={"uncertainty": told}))["ranking"]
    assert isinstance(item, LeftOut)
    assert item.reason.startswith("too few draws")
