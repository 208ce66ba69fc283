"""How the figures of trained agents are told, by role."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from carbonray.report.wording import billions, megatonnes, number, percent


def _degrees(value: float) -> str:
    return f"{number(value, 2)}\u00a0°C"


def _utility(value: float) -> str:
    return number(value, 3)


def _kilograms(value: float) -> str:
    return f"{number(1000 * value, 1)}\u00a0kg/USD"


def _gigatonnes(value: float) -> str:
    return f"{number(value, 2)}\u00a0Gt"


def _trillions(value: float) -> str:
    return f"{number(value, 2)}\u00a0tn\u00a0USD"


@dataclass(frozen=True)
class Words:
    """How a figure is told."""

    label: str
    show: Callable[[float], str]
    drawn: str = ""  # in points of itself, or in % of the rules' value; not drawn if empty

    def change(self, value: float) -> str:
        """A difference."""
        return percent(value, signed=True).replace("%", "points") if self.drawn == "points" else self.show(value)


FIGURES: Mapping[str, Mapping[str, Words]] = {
    "firm": {
        "leakage_rate": Words("Leakage, all sectors", percent, "points"),
        "leakage_rate_cbam_goods": Words("Leakage, CBAM goods", percent, "points"),
        "reward_per_size": Words("Profit over output at rest, mean of the firms", percent, "points"),
        "output_per_size": Words("Output over output at rest, mean of the firms", percent, "points"),
        "emissions_per_size": Words("Emissions over output at rest, mean of the firms", _kilograms, "%"),
        "profit_musd": Words("Profit of the firms, a year", billions),
        "output_musd": Words("Output of the firms, a year", billions, "%"),
        "emissions_mt": Words("Emissions of the firms, a year", megatonnes, "%"),
        "abatement_cost_musd": Words("Abatement cost of the economy, a year", billions, "%"),
    },
    "region": {
        "temperature_c": Words("Warmer than 1900 in the last year", _degrees),
        "leakage_rate": Words("Leakage to non-members", percent, "points"),
        "reward_per_size": Words("Utility of a region and step", _utility, "%"),
        "mitigation": Words("Mitigation rate, mean of the regions", percent, "points"),
        "emissions_gtco2": Words("Emissions of the regions, a year", _gigatonnes, "%"),
        "output_tusd": Words("Output of the regions, a year", _trillions, "%"),
        "consumption_tusd": Words("Consumption of the regions, a year", _trillions, "%"),
    },
}
"""By role and name of the figure, in the order of the table."""
