"""History: drive the model with what was observed, compare with what happened, beside naive forecasts.

>>> import carbonray.backtest
>>> result = carbonray.backtest.run(firms=2000)
>>> result.scores
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from carbonray.backtest.runner import backtest as run

__all__ = ["run"]


def __getattr__(name: str) -> Any:
    """Import on first use: a single module of the room does not wait for torch."""
    if name != "run":
        raise AttributeError(f"module 'carbonray.backtest' has no attribute {name!r}")
    from carbonray.backtest.runner import backtest

    return backtest
