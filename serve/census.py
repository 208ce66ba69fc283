"""What observations are held against: cells that exist, plants of the built-in list, and what is made and emitted."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from carbonray.client.messages_firms import Observation
from carbonray.data.placing import MEGA, Placed
from carbonray.worlds.cbam import Economy
from serve.clock import microseconds
from serve.mirror import Row, State
from serve.predictions import UnknownError

FIRST = datetime(1990, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
"""How far clocks may be ahead of ours."""
CLEANEST, DIRTIEST = 1e-3, 1e2
"""Emissions per output, relative to the cell's mean, beyond which a unit must be wrong: kt or kg for t."""
UNITS = (
    f"is below 1/{1 / CLEANEST:,.0f} of what its cell emits for such an output, or above {DIRTIEST:,.0f} times that; "
    "give t CO2 and million USD a year"
)
LARGER = "is more than all of its cell makes; give million USD a year"


class Census:
    """Firms that are known, and cells."""

    def __init__(self, placed: Placed, economy: Economy) -> None:
        """Take them from an economy and the plants placed in it."""
        cells = economy.cells
        self._cell_of = {
            plant: cells[cell] for plant, cell in zip(placed.table["plant_id"], placed.named.cell, strict=True)
        }
        mean = economy.emissions / MEGA / economy.output.clip(1e-300)
        self._intensity = dict(zip(cells, mean.tolist(), strict=True))  # t CO2 a million USD
        self._output = dict(zip(cells, economy.output.tolist(), strict=True))  # million USD a year

    def knows_all(self, observations: Sequence[Observation], known: Mapping[str, State]) -> bool:
        """Whether every row names its cell, or its firm has one already."""
        return all(one.cell or one.firm_id in self._cell_of or one.firm_id in known for one in observations)

    def rows_of(self, observations: Sequence[Observation], now: datetime, known: Mapping[str, State]) -> list[Row]:
        """Rows of the log.

        Args:
            observations: as they came.
            now: what the time is.
            known: firms of which observations came before; they need not name their cell again.

        Raises:
            UnknownError: naming the first row that cannot be placed in space or time, or cannot be in these units.
        """
        first, last = microseconds(FIRST), microseconds(now + AHEAD)
        rows = []
        for number, one in enumerate(observations):
            time, cell = microseconds(one.observed_at), one.cell
            if not first <= time <= last:
                raise UnknownError(f"observations.{number}.observed_at", "lies before 1990 or ahead of now")
            own = self._cell_of.get(one.firm_id, cell)
            if own is None:
                own = known[one.firm_id].cell if one.firm_id in known else None
            if own is None:
                raise UnknownError(f"observations.{number}.cell", "is needed: nothing is known of this firm")
            if cell is not None and cell != own:
                raise UnknownError(f"observations.{number}.cell", "is not the cell of this plant of the built-in list")
            if own not in self._intensity:
                raise UnknownError(
                    f"observations.{number}.cell", "is no REGION-SECTOR of the economy, such as EU26-STL"
                )
            # -0.0 + 0.0 is 0.0: SQLite keeps no sign of zero, and a row must come out as it was hashed
            output, emissions = one.output_musd_per_year + 0.0, one.emissions_t_per_year + 0.0
            if output > self._output[own]:
                raise UnknownError(f"observations.{number}.output_musd_per_year", LARGER)
            usual = output * self._intensity[own]
            if emissions and usual and not CLEANEST * usual <= emissions <= DIRTIEST * usual:
                raise UnknownError(f"observations.{number}.emissions_t_per_year", UNITS)
            rows.append(Row(one.firm_id, cell, time, output, emissions, one.price_index))
        return rows
