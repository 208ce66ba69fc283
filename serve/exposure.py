"""Who leaks most, with the data received: `carbonray predict --risk` with what plants were seen to make.

Where a plant sent data, its output and intensity stand in place of those inferred for the base year; a firm of the
home region that is on no list becomes a plant.  What leaks from a cell grows with its output, and is split over its
plants by what they pay.
"""

from collections.abc import Mapping, Set
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.config import Scenario
from carbonray.data.placing import LARGEST_SHARE, MEGA, Placed
from carbonray.data.worlds import plants_of
from carbonray.predict.prediction import Prediction
from carbonray.predict.predictor import Predictor
from carbonray.predict.risk import cell_risk, plant_risk
from carbonray.worlds.cbam.named_firms import NamedFirms
from serve.mirror import State

Array = NDArray[np.float64]

LIST = "eu"
"""The built-in list of plants that are ranked."""
SMALLEST = 1e-6
"""Million USD a year that a plant is taken to make at least, so that its shares are defined."""


class Exposure:
    """Rankings of one scenario and year."""

    def __init__(self, asked: Predictor, scenario: Scenario, year: int) -> None:
        """Predict it.

        Raises:
            ScenarioError: if the predictor does not know it.
        """
        firms = scenario.firms.model_copy(update={"plants": LIST})
        self.year, self._scenario = year, scenario.model_copy(update={"firms": firms})
        self._economy = asked.saved.economy
        case = asked.case(scenario)
        answers = asked.answer([scenario.name], [case])
        self._impact = Prediction(scenario=scenario, asked=asked, case=case, answers=answers).impact(year)
        placed = plants_of(self._scenario, self._economy)
        assert placed is not None
        self._placed = placed
        self._home = frozenset(cell for cell in self._economy.cells if cell.partition("-")[0] in scenario.home)
        self._made: tuple[int, dict[str, pd.DataFrame]] = (-1, {})

    @cached_property
    def _cells(self) -> pd.DataFrame:
        return cell_risk(self._scenario, self._economy, self._impact, self.year).set_index("cell", drop=False)

    @cached_property
    def _unobserved(self) -> pd.DataFrame:
        table = plant_risk(self._scenario, self._economy, self._placed, self._impact, self.year)
        return table.set_index("plant_id")

    def table(self, kind: str, states: Mapping[str, State], position: int) -> pd.DataFrame:
        """Plants or cells, ranked, with the states of firms at a position of the log."""
        if self._made[0] != position:
            self._made = (position, {})
        made = self._made[1]
        if kind not in made:
            made[kind] = self._rank(kind, states)
        return made[kind]

    def _rank(self, kind: str, states: Mapping[str, State]) -> pd.DataFrame:
        placed = observed(self._placed, self._economy.cells, self._economy.output, states, self._home)
        grown = self._growth(placed)
        plants = plant_risk(self._scenario, self._economy, placed, self._impact, self.year)
        before = self._unobserved["leaked_mt"].reindex(plants["plant_id"]).fillna(0.0)
        intensity = pd.Series(placed.named.intensity, placed.table["plant_id"])
        seen = placed.table.set_index("plant_id")["observed_us"].reindex(plants["plant_id"]).to_numpy()
        plants = plants.assign(
            leaked_mt=plants["leaked_mt"] * grown.reindex(plants["cell"]).to_numpy(),
            leaked_mt_unobserved=before.to_numpy(),
            emissions_mt=plants["output_musd"] * intensity.reindex(plants["plant_id"]).to_numpy(),
            observed_us=seen,
            observed_plants=(seen >= 0).astype(int),
        )
        return _ranked(plants if kind == "plants" else self._of_cells(plants, placed, grown))

    def _growth(self, placed: Placed) -> "pd.Series[float]":
        """Output of each cell with the data received, relative to the base year's."""
        cells, listed = self._economy.cells, set(self._placed.table["plant_id"])
        on_list = placed.table["plant_id"].isin(listed).to_numpy()
        now = np.bincount(placed.named.cell[on_list], placed.named.output[on_list], len(cells))
        then = np.bincount(self._placed.named.cell, self._placed.named.output, len(cells))
        return pd.Series(1 + (now - then) / self._economy.output.clip(SMALLEST), cells)

    def _of_cells(self, plants: pd.DataFrame, placed: Placed, grown: "pd.Series[float]") -> pd.DataFrame:
        table, cells = self._cells, list(self._economy.cells)
        where = [cells.index(cell) for cell in table["cell"]]
        change = placed.named.output * placed.named.intensity
        base = self._placed.named.output * self._placed.named.intensity
        on_list = placed.table["plant_id"].isin(set(self._placed.table["plant_id"])).to_numpy()
        emissions = (
            self._economy.emissions
            + np.bincount(placed.named.cell[on_list], change[on_list], len(cells))
            - np.bincount(self._placed.named.cell, base, len(cells))
        )
        of_cell = plants.groupby("cell")
        ratio = grown.reindex(table["cell"]).to_numpy()
        return table.assign(
            leaked_mt_unobserved=table["leaked_mt"],
            leaked_mt=table["leaked_mt"] * ratio,
            output_musd=self._economy.output[where] * ratio,
            emissions_mt=emissions[where],
            observed_us=of_cell["observed_us"].max().reindex(table["cell"]).fillna(-1).astype("int64").to_numpy(),
            observed_plants=of_cell["observed_plants"].sum().reindex(table["cell"]).fillna(0).astype(int).to_numpy(),
        )


def observed(
    placed: Placed, cells: tuple[str, ...], cell_output: Array, states: Mapping[str, State], home: Set[str]
) -> Placed:
    """Plants with what was seen of them in place of what was inferred, and firms of no list that name a cell at home.

    Where they would hold more than 0.95 of a cell's output, all of them are scaled down alike.
    """
    table, named = placed.table, placed.named
    own = set(table["plant_id"])
    place = {name: number for number, name in enumerate(cells)}
    others = [(name, state) for name, state in states.items() if name not in own and state.cell in home]
    extra = pd.DataFrame([_listed(name, state, cells) for name, state in others], columns=list(table.columns))
    table = pd.concat([table, extra], ignore_index=True) if others else table
    cell = np.concatenate([named.cell, [place[state.cell or ""] for _, state in others]]).astype(np.int64)
    output, intensity, allocation = (
        np.concatenate([values, np.ones(len(others))]) for values in (named.output, named.intensity, named.allocation)
    )
    found = [states.get(name) for name in table["plant_id"]]
    for number, state in enumerate(found):
        if state is not None:
            output[number] = max(state.output_musd_per_year, SMALLEST)
            closed = state.output_musd_per_year < SMALLEST  # what it still emits is of no output
            intensity[number] = 0.0 if closed else MEGA * state.emissions_t_per_year / output[number]
    held = np.bincount(cell, output, len(cells))
    output *= np.minimum(1.0, LARGEST_SHARE * cell_output / held.clip(SMALLEST))[cell]
    order = np.lexsort((-output, cell))
    firms = NamedFirms(cell=cell[order], output=output[order], intensity=intensity[order], allocation=allocation[order])
    table = table.assign(observed_us=[-1 if state is None else state.observed_us for state in found])
    return Placed(named=firms, table=table.iloc[order].reset_index(drop=True))


def _listed(name: str, state: State, cells: tuple[str, ...]) -> dict[str, Any]:
    region, _, sector = (state.cell or "").rpartition("-")
    return {"plant_id": name, "name": name, "company": "", "country": region, "region": region, "sector": sector}


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    rank = table["leaked_mt"].rank(ascending=False, method="min").astype("int64")
    return table.assign(rank=rank).sort_values("rank", kind="stable", ignore_index=True)
