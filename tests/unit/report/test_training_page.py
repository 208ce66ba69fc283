"""Learning curves: the numbers of the table, the interval by hand, what is refused, and what the page says."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects
import pytest

from carbonray.learn.order import TrainingOrder
from carbonray.report import ReportError, training_page, write_report
from carbonray.report.charts import Chart, LeftOut
from carbonray.report.interactive import spec
from carbonray.report.stills import png
from carbonray.report.training_figures import RETURN, charts, curves
from carbonray.report.training_page import cards, trainings_table
from carbonray.report.training_runs import read_trainings
from carbonray.report.training_words import found as said
from carbonray.report.training_words import lead
from carbonray.runtime.outputs import OutputError

STUDENT = 4.302652729911275
"""Quantile 0.975 with two degrees of freedom, from a table."""
HOSTILE = """<script>alert("1")</script> & {{ 7 * 7 }}"""
WriteTraining = Callable[..., Path]


def table(*, last: float = 4.0, steps: tuple[float, ...] = (100, 200, 300, 400), **columns: Any) -> pd.DataFrame:
    """Four iterations: return rises from 1 in a straight line; leakage is measured in the second and the last."""
    count = len(steps)
    made = {
        "trial": 0, "training_iteration": range(1, count + 1), "agent_steps": np.array(steps, dtype=float),
        "mean_return": np.linspace(1.0, last, count), "leakage_rate": [None, 0.1, *[None] * (count - 3), 0.2],
        "convergence_distance": [None, *np.linspace(0.9, -0.01, count - 1)], "entropy": np.linspace(0.8, 0.5, count),
        "converged": 0.0, "iteration_agent_steps": 100.0, "agent_steps_learned": 400.0, "sampling_seconds": 0.5,
        "learning_seconds": 2.0,
    }  # fmt: skip
    return pd.DataFrame(made | columns).astype({name: float for name in ("leakage_rate",) if name not in columns})


@pytest.fixture
def write_training(tmp_path: Path) -> WriteTraining:
    """Write the folder of a training, with another table or another order if given."""

    def write(name: str = "one", rows: pd.DataFrame | None = None, **changes: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        scenario = {"name": "mine", "years": 3, "firms": {"number": 960}, "policy": {"cbam": True}}
        asked: dict[str, Any] = {"world": "cbam", "scenario": scenario, "budget": 400, "seed": 1}
        TrainingOrder.model_validate(asked | changes).write(folder)
        (table() if rows is None else rows).to_parquet(folder / "training.parquet", index=False)
        return folder

    return write


@pytest.fixture
def three(write_training: WriteTraining) -> list[Path]:
    """Returns that end at 1, 2 and 3; the last training is half an iteration ahead of the others, and stops early."""
    uneven = table(last=3.0, steps=(50, 150, 250))
    return [
        write_training("a", table(last=1.0), seed=1),
        write_training("b", table(last=2.0), seed=2),
        write_training("c", uneven, seed=3),
    ]


@pytest.fixture
def unpictured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the drawing of the PNGs, where only the page's text matters."""
    monkeypatch.setattr(training_page, "png", lambda chart: chart.key.encode())


def drawn(*folders: Path) -> dict[str, Chart]:
    return {item.key: item for item in charts(read_trainings(folders)) if isinstance(item, Chart)}


def line(chart: Chart, series: str) -> pd.DataFrame:
    rows: pd.DataFrame = chart.data[chart.data["series"] == series]
    return rows


def test_curves_are_the_columns_of_the_table(write_training: WriteTraining) -> None:
    folder = write_training()
    written, found = pd.read_parquet(folder / "training.parquet"), drawn(folder)
    columns = {"return": "mean_return", "leakage": "leakage_rate", "distance": "convergence_distance",
               "entropy": "entropy"}  # fmt: skip
    assert list(found) == list(columns)
    for key, column in columns.items():
        kept = written.dropna(subset=[column])
        rows = line(found[key], "Seed 1")
        assert rows["x"].tolist() == kept["agent_steps"].tolist()
        assert rows["y"].tolist() == kept[column].tolist()
        assert rows["low"].isna().all()
        trace = next(each for each in spec(found[key])["data"] if each["name"] == "Seed 1")
        assert (trace["x"], trace["y"]) == (rows["x"].tolist(), rows["y"].tolist())


def test_the_tolerance_is_a_line_with_a_shade_around_zero(write_training: WriteTraining) -> None:
    rows = line(drawn(write_training(tolerance=0.07))["distance"], "Tolerance")
    assert rows["x"].tolist() == [200, 400]
    assert rows[["y", "low", "high"]].to_numpy().tolist() == [[0.07, -0.07, 0.07]] * 2


def test_mean_and_interval_by_hand_as_far_as_all_have_come(three: list[Path]) -> None:
    chart = drawn(*three)["return"]
    rows = line(chart, "Mean of 3 trainings").set_index("x")
    assert rows.index.tolist() == [100, 150, 200, 250]
    at_200 = np.array([1.0, 1 + 1 / 3, 2.5])  # of returns 1 to 1, 1 to 2 in three steps, 1 to 3 in two of 100
    half = STUDENT * at_200.std(ddof=1) / np.sqrt(3)
    assert rows.loc[200, "y"] == pytest.approx(at_200.mean())
    assert rows.loc[200, ["low", "high"]].tolist() == pytest.approx([at_200.mean() - half, at_200.mean() + half])
    assert set(chart.thin) == {"Seed 1", "Seed 2", "Seed 3"}
    assert line(chart, "Seed 1")["x"].tolist() == [100, 200, 300, 400]


def test_an_interval_of_returns_one_two_three(write_training: WriteTraining) -> None:
    folders = [write_training(f"{last}", table(last=last), seed=int(last)) for last in (1.0, 2.0, 3.0)]
    told = curves(read_trainings(folders), RETURN)
    assert told is not None
    assert told.ends == (1.0, 2.0)
    assert told.bounds == pytest.approx((2 - STUDENT / np.sqrt(3), 2 + STUDENT / np.sqrt(3)))
    assert told.change == pytest.approx((1 - STUDENT / np.sqrt(3), 1 + STUDENT / np.sqrt(3)))
    assert "which cannot be told from chance" in " ".join(said(read_trainings(folders)))
    assert drawn(*folders)["return"].title.endswith("does not change beyond chance, 1.00 to 2.00")
    card = cards(read_trainings(folders))[0]
    assert (card.label, card.value) == ("Return at last, mean of 3", "2.00")
    assert card.detail == "95 % interval \u22120.48 to 4.48; 1.00 at first"


def test_a_change_beyond_chance_is_not_called_chance(write_training: WriteTraining) -> None:
    folders = [write_training(f"{seed}", table(last=3 + seed / 10), seed=seed) for seed in (1, 2, 3)]
    words = " ".join(said(read_trainings(folders)))
    assert "a change of +1.95 to +2.45 (95 % interval over 3 trainings)." in words
    assert "chance" not in words.partition("Leakage")[0]


def test_one_training_has_no_interval(write_training: WriteTraining, unpictured: None, page_of: Any) -> None:
    page = page_of(write_report(write_training()))
    assert "This is one training, so there is no interval" in page.text
    assert "95 %" not in page.text


def test_where_only_some_have_a_value_it_is_said(write_training: WriteTraining) -> None:
    folders = [write_training("a", seed=1), write_training("b", table(leakage_rate=np.nan), seed=2)]
    chart = drawn(*folders)["leakage"]
    assert chart.series == ["Seed 1"]
    assert chart.caption.endswith("Seed 2 has no such value.")


def test_trainings_that_never_met_have_no_mean(write_training: WriteTraining) -> None:
    late = table(steps=(500, 600, 700, 800))
    folders = [write_training("a", seed=1), write_training("b", late, seed=2)]
    found = charts(read_trainings(folders))
    assert all(isinstance(item, LeftOut) for item in found)
    assert found[0].reason == "no decisions that one training reached, another reached too"  # type: ignore[union-attr]
    assert said(read_trainings(folders)) == ["There are too few iterations to tell whether anything was learned."]


@pytest.mark.parametrize(
    ("change", "key", "reason"),
    [
        ({"rows": table().drop(columns="entropy"), "algorithm": "vdn"}, "entropy", "vdn learns what choices are worth"),
        ({"rows": table().drop(columns="leakage_rate"), "alone": 8}, "leakage", "only some agents learned"),
        ({"rows": table(leakage_rate=np.nan)}, "leakage", "it was not measured, or undefined whenever it was"),
        ({"rows": table().iloc[:1]}, "distance", "a single iteration has none before it"),
    ],
)
def test_what_a_training_has_not_is_left_out_with_the_reason(
    write_training: WriteTraining, change: dict[str, Any], key: str, reason: str
) -> None:
    found = {item.key: item for item in charts(read_trainings([write_training(**change)]))}
    item = found[key]
    assert isinstance(item, LeftOut)
    assert item.reason.startswith(reason)


def test_the_climate_is_told_by_its_warming(write_training: WriteTraining) -> None:
    rows = table(temperature_rise_c=[None, 3.5, None, 3.4]).drop(columns="leakage_rate")
    folder = write_training(rows=rows, world="climate-negotiation", scenario={"name": "club"})
    assert list(drawn(folder)) == ["return", "warming", "distance", "entropy"]
    assert drawn(folder)["warming"].title == "Warming falls from 3.50\u00a0°C to 3.40\u00a0°C"
    assert cards(read_trainings([folder]))[1].value == "3.40\u00a0°C"


@pytest.mark.parametrize(
    ("rows", "budget", "ended", "title"),
    [
        (table(converged=[0.0, 0.0, 0.0, 1.0]), 1000, "At rest", "Agents came to rest: 10 distances in a row are"),
        (table(), 400, "Budget spent", "Agents did not come to rest: the last iterations are \u22120.01 apart"),
        (table(), 1000, "Interrupted", "Agents did not come to rest"),
    ],
)
def test_how_it_ended(write_training: WriteTraining, rows: pd.DataFrame, budget: float, ended: str, title: str) -> None:
    folder = write_training(rows=rows, budget=budget)
    found = next(card for card in cards(read_trainings([folder])) if card.label == "How it ended")
    assert found.value == ended
    assert found.detail == "after 4 iterations and 400 decisions of agents"
    assert drawn(folder)["distance"].title.startswith(title)


def test_rates_are_decisions_over_seconds(write_training: WriteTraining) -> None:
    row = trainings_table(read_trainings([write_training()])).rows[0]
    assert row == (
        "Seed 1", "budget spent", "4", "400", "1.00", "4.00", "10.0\u00a0%", "20.0\u00a0%", "200", "200",
    )  # fmt: skip


def test_iterations_played_again_after_a_failure_count_once(write_training: WriteTraining) -> None:
    again = table(steps=(100, 200, 300, 200, 300, 400), mean_return=[1.0, 8.0, 9.0, 2.0, 3.0, 4.0])
    assert line(drawn(write_training(rows=again))["return"], "Seed 1")["y"].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_of_a_search_the_kept_trial_stands_out(write_training: WriteTraining, unpictured: None, page_of: Any) -> None:
    rows = pd.concat([table(last=2.0), table(last=5.0, trial=1), table(last=3.0, trial=2)])
    folder = write_training(rows=rows, searches=3)
    chart = drawn(folder)["return"]
    assert chart.series[0] == "Trial 1, kept"
    assert set(chart.thin) == {"Trial 0", "Trial 2"}
    assert line(chart, "Trial 1, kept")["y"].iloc[-1] == 5.0
    text = page_of(write_report(folder)).text
    assert "they are no draws of one thing and have no interval" in text
    assert "--tune 3" in text


def spoil(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: (folder / "training.json").unlink(), r"one: is no folder of a training \(training.json is mis"),
        (spoil("training.json", b"{"), r"one/training.json: is spoilt"),
        (spoil("training.json", b'{"world": "cbam"}'), r"one/training.json: is spoilt"),
        (lambda folder: (folder / "training.parquet").unlink(), r"one/training.parquet: is missing; .* --resume "),
        (spoil("training.parquet", b"PAR1"), r"one/training.parquet: is not a Parquet file"),
        (table().drop(columns="mean_return"), r"one/training.parquet: column mean_return is missing"),
        (table(mean_return=[1.0, np.nan, 2.0, 3.0]), r"training.parquet: column mean_return row 1 is not finite"),
        (table(entropy=[1.0, np.inf, 2.0, 3.0]), r"training.parquet: column entropy row 1 is not finite"),
        (table(mean_return=list("abcd")), r"training.parquet: column mean_return is not numeric"),
        (table().iloc[:0], r"training.parquet: has no rows"),
    ],
)
def test_a_bad_folder_is_refused_in_one_line(write_training: WriteTraining, harm: Any, message: str) -> None:
    folder = write_training(rows=harm if isinstance(harm, pd.DataFrame) else None)
    if callable(harm):
        harm(folder)
    with pytest.raises(ReportError, match=message) as refusal:
        training_page.write_training_report([folder])
    assert "\n" not in str(refusal.value)
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"algorithm": "vdn"}, "algorithm vdn, .*one with ppo"),
        ({"scenario": {"name": "mine", "years": 3, "firms": {"number": 960}, "policy": {"cbam": False}}},
         "scenario key policy.cbam no, .*one with yes"),
        ({"world": "climate-negotiation"}, "world climate-negotiation, .*one with cbam"),
        ({"settings": {"hidden": 16}}, "setting hidden 16, .*one with 64"),
        ({"budget": 500}, "budget 500, .*one with 400"),
        ({"runners": 2}, "runners 2, .*one with 0"),
        ({"seed": 1}, "has the seed of .*one, 1, so it is no other draw"),
        ({"searches": 3}, "searched settings; only trainings with the same ones"),
        ({"settings": {"speed": 1}}, "--learn speed: ppo knows"),
    ],
)  # fmt: skip
def test_trainings_that_are_no_one_experiment_are_refused(
    write_training: WriteTraining, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    folders = [write_training(), write_training("other", **({"seed": 2} | change))]
    with pytest.raises(ReportError, match=message) as refusal:
        write_report(*folders, out=tmp_path / "out")
    assert str(refusal.value).startswith(str(folders[1]))
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out").exists()


def test_what_does_not_change_a_training_may_differ(write_training: WriteTraining) -> None:
    other = {"seed": 2, "learners": 2, "changes": ("years=3",), "settings": {"hidden": "64"}}
    assert len(read_trainings([write_training(), write_training("other", **other)])) == 2


def test_the_same_folder_twice_is_refused(write_training: WriteTraining) -> None:
    folder = write_training()
    with pytest.raises(ReportError, match="is given twice"):
        read_trainings([folder, folder / ".." / folder.name])


def test_a_run_is_no_training(run_dir: Path, write_training: WriteTraining) -> None:
    for folders in ((write_training(), run_dir), (run_dir, run_dir)):
        with pytest.raises(ReportError, match=r"run: is no folder of a training"):
            write_report(*folders)


@pytest.mark.usefixtures("unpictured")
def test_one_training_is_written_into_its_folder_several_into_a_new_one(
    three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_report(three[0]) == three[0] / "report.html"
    assert write_report(three[0]).exists()  # again
    assert sorted(path.stem for path in (three[0] / "figures").iterdir()) == [
        "distance",
        "entropy",
        "leakage",
        "return",
    ]
    assert [write_report(*three) for _ in range(2)] == [Path(f"runs/trainings-{at}/report.html") for at in (1, 2)]
    assert write_report(*three, out=tmp_path / "out") == tmp_path / "out" / "report.html"
    assert not (three[1] / "report.html").exists()
    with pytest.raises(OutputError, match="exists already"):
        write_report(*three, out=tmp_path / "out")


@pytest.mark.usefixtures("unpictured")
def test_the_page_says_what_was_trained_and_what_it_does_not_mean(
    three: list[Path], tmp_path: Path, page_of: Any
) -> None:
    page = page_of(write_report(*three, out=tmp_path / "out"))
    assert "All firms learn by ppo, each for itself, in cbam/mine and in its reference side by side." in page.text
    assert "carbonray train cbam/mine --algorithm ppo --firms 960 --years 3 --budget 400 --seed 2" in page.text
    assert "3 trainings, with a budget of 400 decisions." in page.text
    assert "budget spent in 2; interrupted in 1. Means go as far as all have come, 250 decisions." in page.text
    assert "in mean absolute deviations of a step's reward" in page.text
    assert "Where agents compete, each may do its best and all earn less." in page.text
    assert "not that they found the best, nor an equilibrium" in page.text
    assert "It is no forecast" in page.text
    assert '<th scope="row">100</th><td>Mean of 3 trainings</td>' in page.html
    assert '<th scope="row">100</th><td>Seed 1</td>' not in page.html  # those are in training.parquet
    assert len(page.all("h1")) == 1
    assert all(image["alt"] for image in page.all("img"))
    assert not re.search(r"<(link|img|script)[^>]+(href|src)=.(?!data:|#)", page.html)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"team": "economy"}, "All firms learn by ppo, all for one common purse, in cbam/mine"),
        ({"alone": 8}, "8 firms learn by ppo, each for itself, among others who follow rules, in cbam/mine"),
        (
            {"alone": 1, "against": "p"},
            "One firm learns by ppo, each for itself, among others who follow the policy p,",
        ),
    ],
)
def test_who_learns(write_training: WriteTraining, change: dict[str, Any], words: str) -> None:
    assert lead(read_trainings([write_training(**change)])).startswith(words)


@pytest.mark.parametrize(("team", "why"), [("agent", "they compete, or learned"), ("economy", "they learned too lit")])
def test_a_return_that_falls_is_explained(write_training: WriteTraining, team: str, why: str) -> None:
    words = said(read_trainings([write_training(rows=table(last=-1.0), team=team)]))
    assert words[1].startswith(f"Agents earn less than at first: {why}")


@pytest.mark.usefixtures("unpictured")
def test_hostile_names_stay_words(write_training: WriteTraining, page_of: Any) -> None:
    scenario = {"name": HOSTILE, "years": 3, "firms": {"number": 960}}
    page = page_of(write_report(write_training(scenario=scenario)))
    assert HOSTILE in page.text
    assert "<script>alert" not in page.html


def test_every_figure_is_drawn_twice_and_the_same_again(three: list[Path]) -> None:
    for chart in drawn(*three).values():
        plotly.graph_objects.Figure(spec(chart))
        json.dumps(spec(chart), allow_nan=False)
        assert png(chart).startswith(b"\x89PNG")
    chart = drawn(*three)["return"]
    assert png(chart) == png(chart)
    assert [trace["name"] for trace in spec(chart)["data"] if trace["showlegend"]] == ["Mean of 3 trainings"]
    assert spec(chart)["data"][0]["line"]["width"] == 1  # thin lines lie beneath
    assert [trace["mode"] for trace in spec(chart)["data"]] == ["lines"] * 4 + ["lines+markers"]  # three, band, mean
