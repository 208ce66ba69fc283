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
    from carbonray.data.scenarios import load as load_scenario
    from carbonray.runtime.simulate import equilibrium as equilibrium
    from carbonray.runtime.simulate import simulate as simulate

_PLACES = {
    "run_backtest": ("carbonray.backtest.runner", "backtest"),
    "simulate": ("carbonray.runtime.simulate", "simulate"),
    "equilibrium": ("carbonray.runtime.simulate", "equilibrium"),
    "Scenario": ("carbonray.config", "Scenario"),
    "load_scenario": ("carbonray.data.scenarios", "load"),
}

__all__ = ["Scenario", "equilibrium", "load_scenario", "run_backtest", "simulate"]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Import on first use, so that `carbonray --help` does not wait for torch."""
    from importlib import import_module

    if name not in _PLACES:
        raise AttributeError(f"module 'carbonray' has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)
