"""The page of an evaluation: the seeds first, figures of one unit each, and then the run of the first seed."""

from pathlib import Path
from typing import Any

import pytest

from carbonray.report import page, write_report
from carbonray.report.interactive import spec
from carbonray.report.learning import section
from carbonray.report.learning_figures import KEYS, charts
from carbonray.report.stills import png
from carbonray.report.summary_model import Learning, TrainedPolicy

POLICY = {"name": "mine", "method": "ppo", "scenario": "cbam/law"}


def figure(name: str, rule: float, difference: float, half: float | None = None) -> dict[str, Any]:
    """A figure of two seeds; without half the width of an interval it has none."""
    bounds = None if half is None else [difference - half, difference + half]
    return {"name": name, "seeds": 2, "trained": rule + difference, "rule": rule, "difference": difference,
            "difference_interval": bounds}  # fmt: skip


RATE = figure("leakage_rate", 0.1, 0.05, 0.02)
AMOUNT = figure("emissions_mt", 200.0, -10.0, 20.0)


def told(*figures: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"role": "firm", "seeds": [3, 4], "figures": figures} | changes


@pytest.fixture
def evaluated(write_run: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(page, "png", lambda chart: chart.key.encode())
    folder: Path = write_run(summary_changes={"seed": 3, "policy": POLICY, "learning": told(RATE, AMOUNT)})
    return folder


def test_rates_are_drawn_in_points_and_amounts_in_per_cent_of_rules() -> None:
    rates, amounts = charts(Learning.model_validate(told(RATE, AMOUNT)))
    assert rates.data[["series", "y", "low", "high"]].to_numpy().tolist() == [
        ["Leakage, all sectors", pytest.approx(5), pytest.approx(3), pytest.approx(7)]
    ]
    assert amounts.data[["series", "y", "low", "high"]].to_numpy().tolist() == [
        ["Emissions of the firms, a year", pytest.approx(-5), pytest.approx(-15), pytest.approx(5)]
    ]
    assert rates.title == "Trained firms differ from the rules beyond chance in 1 of 1 rates"
    assert amounts.title == "Trained firms differ from the rules beyond chance in 0 of 1 amounts"
    assert "in percentage points" in rates.caption
    assert "in % of the value under rules" in amounts.caption
    assert rates.x_title != amounts.x_title
    for chart in (rates, amounts):
        assert spec(chart)["layout"]["xaxis"]["rangemode"] == "tozero"
        assert png(chart).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("figures", "keys"),
    [
        ((RATE,), KEYS[:1]),
        ((AMOUNT,), KEYS[1:]),
        ((figure("leakage_rate", 0.1, 0.05), figure("emissions_mt", 0.0, 1.0, 0.5)), ()),
    ],
)
def test_a_figure_without_data_is_left_out(figures: tuple[dict[str, Any], ...], keys: tuple[str, ...]) -> None:
    assert tuple(chart.key for chart in charts(Learning.model_validate(told(*figures)))) == keys


def test_the_seeds_stand_before_the_run_of_the_first(evaluated: Path, page_of: Any) -> None:
    seen = page_of(write_report(evaluated))
    over_seeds, heading, run = seen.text.partition("The trained run of seed 3")
    assert "<title>Evaluation of a trained policy: small</title>" in seen.html
    assert [len(seen.all(tag)) for tag in ("h1", "title")] == [1, 1]
    assert "Trained firms beside rule firms: small" in over_seeds
    assert (
        "Means over 2 seeds. Leakage, all sectors: 15.0 % instead of 10.0 %, a difference of +5.0 points" in over_seeds
    )
    assert "(95 % interval +3.0 to +7.0 points)." in over_seeds
    assert "rules 200 Mt; difference −10.0 Mt, 95 % interval −30.0 to +10.0 Mt" in over_seeds
    assert heading
    assert "Firms follow the trained policy mine." in run
    assert "In plain words" in run
    assert "In plain words" not in over_seeds
    assert seen.html.count('id="figures"') == 1
    for key in KEYS:
        assert f'id="figure-{key}"' in seen.html.partition("The trained run of seed 3")[0]


def test_pictures_of_an_evaluation_do_not_outlive_it(evaluated: Path, write_run: Any) -> None:
    write_report(evaluated)
    pictures = {path.stem for path in (evaluated / "figures").iterdir()}
    assert set(KEYS) <= pictures
    (evaluated / "summary.json").write_bytes((write_run("usual") / "summary.json").read_bytes())
    write_report(evaluated)
    assert not set(KEYS) & {path.stem for path in (evaluated / "figures").iterdir()}


def test_other_runs_keep_their_title(run_dir: Path, page_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "png", lambda chart: chart.key.encode())
    seen = page_of(write_report(run_dir))
    assert "<title>Carbon leakage: small</title>" in seen.html
    assert "Evaluation" not in seen.text


def test_of_one_trained_firm_the_others_are_said_to_follow_rules(
    write_run: Any, page_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "png", lambda chart: chart.key.encode())
    folder = write_run(summary_changes={"policy": POLICY, "learning": told(RATE, one=True)})
    text = page_of(write_report(folder)).text
    assert "The run of seed 3 with a single trained firm" in text
    assert "A single firm in each replica follows the trained policy mine, all others follow rules" in text
    assert "Firms follow the trained policy" not in text


def test_one_seed_is_not_called_a_mean() -> None:
    one = Learning.model_validate(told(figure("leakage_rate", 0.1, 0.05) | {"seeds": 1}, seeds=[3]))
    found = section(one, TrainedPolicy.model_validate(POLICY))
    assert found is not None
    assert found.lead.startswith("Seed 3 alone. ")
