"""The predictor that ships: what it says beside the simulation, what it flags, and what it refuses."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import carbonray
from carbonray.config import Scenario, ScenarioError
from carbonray.data.scenarios import load
from carbonray.predict import folder as folders
from carbonray.predict.drivers import TURNS
from carbonray.predict.folder import BUILT_IN, PredictError
from carbonray.predict.model import Model
from carbonray.predict.prediction import Prediction, predict_leakage, simulate_case
from carbonray.predict.predictor import Predictor, predictor
from carbonray.predict.quantities import Figures, quantities
from carbonray.predict.space import YEARS, economy_draw, firms_of, law_draws


@pytest.fixture(scope="module")
def built() -> Predictor:
    return predictor()


def ask(built: Predictor, name: str = "law", settings: Sequence[str] = ()) -> Prediction:
    return predict_leakage(name, settings=settings, built=built)


class TestBesideTheSimulation:
    @pytest.mark.parametrize(
        ("name", "settings"),
        [
            ("law", ()),
            ("no-cbam", ()),
            ("aggressive", ()),
            ("law", ("market.sigma_scale=1.2", "policy.price.2035=220")),
        ],
    )
    def test_intervals_hold_scenarios_that_nobody_drew(
        self, built: Predictor, name: str, settings: Sequence[str]
    ) -> None:
        found = predict_leakage(name, settings=settings, built=built, level=0.95, check=True)
        assert not found.flags.any
        rows = found.headlines.set_index("quantity")
        for quantity in ("leakage_rate_10_years", "leakage_rate_10_years_cbam_goods", "home_reduction_mt_10_years"):
            row = rows.loc[quantity]
            assert row["low"] <= row["simulated"] <= row["high"], quantity

    @pytest.mark.slow
    def test_intervals_hold_as_often_as_they_say_on_fresh_seeds(self, built: Predictor) -> None:
        """128 laws in 16 economies of a seed that no build has: 90 % hold, give or take what so few tell."""
        base, partners = built.saved.base, built.model.layout.partners
        inside, misses = [], []
        for number in range(16):
            economy = economy_draw(base, partners, seed=77, stream="test", number=number)
            economy = firms_of(economy, built.saved.card.firms)
            laws = law_draws(economy.policy, seed=77, stream="test", number=number, count=8)
            scenarios = [economy.model_copy(update={"policy": law}) for law in laws]
            answers = built.ask(scenarios)
            told = quantities(together([simulate_case(one, built) for one in scenarios]), built.model.place)
            truth, mean = (each["leakage_rate"].ravel() for each in (told, answers.mean))
            low, high = (each["leakage_rate"].ravel() for each in (answers.low, answers.high))
            known = np.isfinite(truth) & np.isfinite(low)
            inside += ((low <= truth) & (truth <= high))[known].tolist()
            large = known & (np.abs(truth) > 0.01)
            misses += (np.abs(mean - truth) / np.abs(truth))[large].tolist()
        assert len(inside) > 800
        assert 0.84 < np.mean(inside) < 0.96
        assert np.mean(misses) < 0.15

    def test_the_card_has_the_figures_asked_for(self, built: Predictor) -> None:
        measured = built.saved.card.measured
        for name in ("leakage_rate_10_years", "leakage_rate_10_years_cbam_goods", "leakage_rate"):
            assert measured["accuracy"][name]["mape"] < 0.15
            assert measured["accuracy"][name]["r"] > 0.9
        for name, held in measured["coverage"].items():
            assert 0.88 < held["0.9"] < 0.92, name
        assert measured["corner"]["flagged"] == 1.0
        mape = measured["accuracy"]["leakage_rate_10_years"]["mape"]
        assert all(mape < other["leakage_rate_10_years"]["mape"] for other in measured["baselines"].values())


def together(parts: Sequence[Figures]) -> Figures:
    names = ("foreign", "home", "output", "money")
    return Figures(**{name: np.concatenate([getattr(each, name) for each in parts]) for name in names})


class TestFigures:
    def test_sectors_and_partners_add_up_to_the_whole(self, built: Predictor) -> None:
        found = ask(built)
        whole = found.headlines.set_index("quantity").loc["leaked_mt_10_years", "prediction"]
        assert found.sectors["prediction"].sum() == pytest.approx(whole, rel=1e-4)
        assert found.partners["prediction"].sum() == pytest.approx(whole, rel=1e-4)

    def test_totals_are_those_of_the_cells(self, built: Predictor) -> None:
        model: Model = built.model
        rows = ask(built).case.row[None]
        quick, slow = model.predict(rows).mean, quantities(model.figures(rows), model.place)
        for name, values in slow.items():
            np.testing.assert_allclose(quick[name], values, rtol=2e-4, atol=2e-4 * np.nanmax(np.abs(values)) + 1e-6)

    def test_a_batch_says_what_each_says_alone(self, built: Predictor) -> None:
        scenarios: list[Scenario] = [load("law"), load("no-cbam"), load("aggressive")]
        whole = built.ask(scenarios)
        for place, one in enumerate(scenarios):
            alone = built.ask([one])
            for name in ("leakage_rate", "leaked_mt_10_years_by_partner", "revenue_musd"):
                np.testing.assert_allclose(whole.mean[name][place], alone.mean[name][0], rtol=1e-3, atol=1e-4)

    def test_wider_levels_have_wider_intervals(self, built: Predictor) -> None:
        case = built.case(load("law"))
        widths = [
            float(np.subtract(*built.answer(["law"], [case], level).one("leakage_rate_10_years")[::-2]))
            for level in (0.5, 0.8, 0.9, 0.95)
        ]
        assert widths == sorted(widths)
        assert widths[0] > 0

    def test_a_charge_with_less_deducted_leaks_less(self, built: Predictor) -> None:
        rates = [
            ask(built, settings=[f"policy.cbam_factor={{2026: {share}}}"]).headlines["prediction"][0]
            for share in (0.0, 0.25, 0.5, 0.75, 1.0)
        ]
        assert rates == sorted(rates)
        assert rates[-1] > rates[0] + 0.002

    def test_drivers_are_told_widest_first(self, built: Predictor) -> None:
        table = ask(built).drivers
        assert len(table) == len(TURNS)
        assert table["width"].is_monotonic_decreasing
        ends = table.set_index("driver")
        assert ends.loc["support_abroad", "leakage_rate_high"] < ends.loc["support_abroad", "leakage_rate_low"] - 0.1

    def test_nearest_runs_are_near(self, built: Predictor) -> None:
        found = ask(built).nearest
        assert found["distance"].is_monotonic_increasing
        assert set(found.columns) >= {"economy", "differs_in", "leakage_rate_10_years", "price.2030"}

    def test_risk_adds_up_to_the_leaked_tonnes_of_the_year(self, built: Predictor) -> None:
        found = ask(built)
        told = built.model.figures(found.case.row[None]).foreign[0, YEARS.index(2034)].sum()
        assert found.risk(2034)["leaked_mt"].sum() == pytest.approx(told, rel=1e-6)
        plants = found.risk(2034, plants=True)
        assert len(plants) > 500
        assert plants["rank"].is_monotonic_increasing


class TestFlags:
    def test_a_price_above_any_simulated_has_no_interval(self, built: Predictor) -> None:
        found = ask(built, settings=["policy.price.2035=400"])
        assert found.flags.any
        assert found.to_dict()["reliable"] is False
        assert any(line.startswith("price.2035 = 400 lies outside") for line in found.flags.lines())
        assert found.headlines[["low", "high"]].isna().all().all()
        assert found.lines()[0].startswith("law: NOT SIMULATED LIKE THIS")

    def test_a_key_that_is_no_input_is_named(self, built: Predictor) -> None:
        found = ask(built, settings=["policy.retaliation=0.3"])
        assert found.flags.unknown == ("policy.retaliation",)
        assert found.flags.any

    def test_no_policy_has_no_rate(self, built: Predictor) -> None:
        assert ask(built, "no-policy").flags.any

    def test_it_is_all_json(self, built: Predictor) -> None:
        told = json.loads(json.dumps(ask(built).to_dict(), allow_nan=False))
        assert told["reliable"] is True
        assert len(told["years"]) == len(YEARS)


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "settings", "said"),
        [
            (
                "law",
                ("economy=goods-2011",),
                "this predictor was built for goods-2026, and goods-2011 is not that table",
            ),
            ("test-arm", (), "this predictor was built for goods-2026"),
            ("law", ("years=12",), "years: 2026-2037 asked, this predictor knows 2026-2035; simulate it"),
            ("law", ("start_year=2027", "years=5"), "years: 2027-2031 asked"),
            ("climate-negotiation/none", (), "has no leakage to predict"),
        ],
    )
    def test_what_it_was_not_built_for(self, built: Predictor, name: str, settings: Sequence[str], said: str) -> None:
        with pytest.raises(ScenarioError) as error:
            ask(built, name, settings)
        assert said in str(error.value)
        assert "\n" not in str(error.value)

    def test_a_level_that_was_not_calibrated(self, built: Predictor) -> None:
        with pytest.raises(PredictError, match=r"level: 0\.85 was not calibrated; choose 0\.5, 0\.8, 0\.9, 0\.95"):
            predict_leakage("law", built=built, level=0.85)

    def test_a_year_out_of_the_run(self, built: Predictor) -> None:
        with pytest.raises(PredictError, match="--year 2040: the run has 2026-2035"):
            ask(built).risk(2040)

    @pytest.mark.parametrize("name", [folders.MODEL, folders.RUNS])
    def test_a_file_of_which_one_byte_is_another(self, tmp_path: Path, name: str) -> None:
        place = tmp_path / "mine"
        shutil.copytree(BUILT_IN, place)
        content = bytearray((place / name).read_bytes())
        content[len(content) // 2] ^= 1
        (place / name).write_bytes(content)
        with pytest.raises(PredictError, match=rf"mine/{name}: is not the file that card\.json names \(sha256 "):
            predictor(place)

    def test_a_folder_that_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(PredictError, match="is no folder of a predictor"):
            predictor(tmp_path)
        (tmp_path / folders.CARD).write_text("{}")
        with pytest.raises(PredictError, match=r"card\.json: is spoilt"):
            predictor(tmp_path)

    def test_tables_that_have_changed_since(self, tmp_path: Path) -> None:
        place = tmp_path / "mine"
        shutil.copytree(BUILT_IN, place)
        card = json.loads((place / folders.CARD).read_text())
        card["datasets"] = dict.fromkeys(card["datasets"], "0" * 64)
        (place / folders.CARD).write_text(json.dumps(card))
        with pytest.raises(PredictError, match="was built for goods-2026, and goods-2026 is not that table"):
            predictor(place)


def test_it_is_reached_from_the_package(built: Predictor) -> None:
    found = carbonray.predict_leakage("law", built=built)
    assert "over 10 years" in repr(found)
    assert carbonray.load_predictor().saved.card == built.saved.card
