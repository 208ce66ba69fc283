"""carbonray: where do emissions go when a region prices carbon, and which policy keeps them from leaking?

>>> import carbonray
>>> result = carbonray.simulate("law", firms=2000, years=2)
>>> result.summary["leakage_rate"]
>>> result.steps.plot("step", ["leakage_rate", "leakage_rate_cbam_goods"])
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from carbonray.backtest.runner import backtest as run_backtest
    from carbonray.config import Scenario as Scenario
    from carbonray.config_climate import NegotiationScenario as NegotiationScenario
    from carbonray.counterfactual.frontier import frontier as frontier
    from carbonray.counterfactual.sweep import resume_sweep as resume_sweep
    from carbonray.counterfactual.sweep import sweep as sweep
    from carbonray.data.load_world import load_world as load_world
    from carbonray.data.scenarios import load as load_scenario
    from carbonray.learn.evaluate import evaluate as evaluate
    from carbonray.learn.train import resume_training as resume_training
    from carbonray.learn.train import train as train
    from carbonray.predict.build import build_predictor as build_predictor
    from carbonray.predict.prediction import predict_leakage as predict_leakage
    from carbonray.predict.predictor import predictor as load_predictor
    from carbonray.report.compare_page import compare as compare
    from carbonray.runtime.simulate import resume as resume
    from carbonray.runtime.simulate import simulate as simulate
    from carbonray.runtime.simulate_cbam import equilibrium as equilibrium

_PLACES = {
    "run_backtest": ("carbonray.backtest.runner", "backtest"),
    "compare": ("carbonray.report.compare_page", "compare"),
    "frontier": ("carbonray.counterfactual.frontier", "frontier"),
    "simulate": ("carbonray.runtime.simulate", "simulate"),
    "evaluate": ("carbonray.learn.evaluate", "evaluate"),
    "train": ("carbonray.learn.train", "train"),
    "resume_training": ("carbonray.learn.train", "resume_training"),
    "resume": ("carbonray.runtime.simulate", "resume"),
    "resume_sweep": ("carbonray.counterfactual.sweep", "resume_sweep"),
    "sweep": ("carbonray.counterfactual.sweep", "sweep"),
    "equilibrium": ("carbonray.runtime.simulate_cbam", "equilibrium"),
    "Scenario": ("carbonray.config", "Scenario"),
    "NegotiationScenario": ("carbonray.config_climate", "NegotiationScenario"),
    "build_predictor": ("carbonray.predict.build", "build_predictor"),
    "load_predictor": ("carbonray.predict.predictor", "predictor"),
    "predict_leakage": ("carbonray.predict.prediction", "predict_leakage"),
    "load_scenario": ("carbonray.data.scenarios", "load"),
    "load_world": ("carbonray.data.load_world", "load_world"),
}

__all__ = [
    "NegotiationScenario", "Scenario", "build_predictor", "compare", "equilibrium", "evaluate", "frontier",
    "load_predictor", "load_scenario", "load_world", "predict_leakage", "resume", "resume_sweep", "resume_training",
    "run_backtest", "simulate", "sweep", "train",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Import on first use, so that `carbonray --help` does not wait for torch."""
    from importlib import import_module

    if name not in _PLACES:
        raise AttributeError(f"module 'carbonray' has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)
