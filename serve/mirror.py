"""What the firms' state is, in memory: a fold of the log, caught up with whatever other replicas wrote."""

import threading
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from serve.tables import firm, observation


class Row(NamedTuple):
    """An observation as the log has it."""

    firm_id: str
    cell: str | None
    observed_us: int
    output_musd_per_year: float
    emissions_t_per_year: float
    price_index: float | None


class State(NamedTuple):
    """A firm."""

    last: int  # position of its last arrival
    latest: int  # of its latest observation by event time
    observed_us: int
    cell: str | None
    output_musd_per_year: float
    emissions_t_per_year: float
    price_index: float | None


def folded(state: State | None, position: int, row: Row) -> State:
    """A firm's state after one more arrival: the latest event time wins, of equal ones the later arrival."""
    if state is None:
        return State(position, position, row[2], row[1], row[3], row[4], row[5])
    if row[2] < state[2]:
        return State(position, state[1], state[2], state[3] or row[1], *state[4:])
    return State(position, position, row[2], row[1] or state[3], row[3], row[4], row[5])


class Mirror:
    """Firms by name up to a position of the log."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.firms: dict[str, State] = {}
        self.position = 0  # 0 before anything was read
        self._lock = threading.Lock()

    def catch_up(self, connection: Connection) -> None:
        """Read what the log has beyond; the first time, the table of states."""
        with self._lock:
            if self.position == 0:
                self._load(connection)
            beyond = select(observation).where(observation.c.position > self.position)
            for position, *values in connection.execute(beyond.order_by(observation.c.position)):
                row = Row(*values[:6])
                self.firms[row.firm_id] = folded(self.firms.get(row.firm_id), position, row)
                self.position = position

    def _load(self, connection: Connection) -> None:
        columns = (observation.c[name] for name in State._fields[4:])
        states = select(firm.c.firm_id, firm.c.last, firm.c.latest, firm.c.observed_us, firm.c.cell, *columns)
        for name, *values in connection.execute(states.join(observation, observation.c.position == firm.c.latest)):
            self.firms[name] = State(*values)
        self.position = max((state.last for state in self.firms.values()), default=0)

    def take(self, changed: Mapping[str, State], position: int) -> None:
        """Take over what this replica itself has committed, unless a reader has seen it in the log already."""
        with self._lock:
            if position > self.position:
                self.firms.update(changed)
                self.position = position

    def all(self) -> dict[str, State]:
        """States of all firms."""
        with self._lock:
            return dict(self.firms)

    def of(self, names: Iterable[str]) -> dict[str, State]:
        """States of the firms among these."""
        with self._lock:
            return {name: self.firms[name] for name in names if name in self.firms}


def last_position(connection: Connection) -> int:
    """Of the log."""
    return connection.execute(select(func.max(observation.c.position))).scalar() or 0
