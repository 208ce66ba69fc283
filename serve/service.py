"""What a replica holds: the store, the keys, the firms' states, the predictor, and the two queues before them."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import pandas as pd
from anyio import to_thread

from carbonray.client.messages import LeakageRequest, PolicyCase
from carbonray.data.placing import place
from carbonray.data.plants import load_plants
from carbonray.predict.inputs import Case
from serve.census import Census
from serve.exposure import LIST, Exposure
from serve.keys import Keyring
from serve.log import Batch, Log, Stored
from serve.metrics import Metrics
from serve.mirror import Mirror
from serve.predictions import Leakage, scenario_of
from serve.reply import json_of
from serve.settings import Settings, Swap
from serve.simulations import Simulations
from serve.store import migrate, open_store
from serve.together import Together

IN_ONE_GO = 256
"""Policies that are predicted in one go, where they come in several requests."""
ROWS_IN_ONE_GO = 20_000
"""Observations of one transaction, where they come in several requests."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Policies of a request, and whom they are asked."""

    leakage: Leakage
    request: LeakageRequest
    cases: Sequence[Case]

    def __len__(self) -> int:
        return len(self.cases)


class Service:
    """A replica's own."""

    def __init__(self, settings: Settings, swap: Swap, *, of_ray: bool = False) -> None:
        """Open the store and read the predictor.

        Args:
            settings: of the application.
            swap: which predictor answers.
            of_ray: whether this is a replica on Ray.

        Raises:
            SQLAlchemyError: if the store does not answer.
            PredictError: if the predictor cannot be read.
        """
        self.settings, self.metrics = settings, Metrics(of_ray=of_ray)
        self.engine = open_store(settings.store_url)
        migrate(self.engine)
        self.keys, self.mirror = Keyring(self.engine, settings.keys_seconds), Mirror()
        self.log = Log(self.engine, self.mirror)
        self.swap(swap)
        waiting = settings.waiting
        self.predicting: Together[Asked, bytes] = Together(predicted, name="predict", most=IN_ONE_GO, waiting=waiting)
        self.appending: Together[Batch, Stored] = Together(
            self.log.append, name="append", most=ROWS_IN_ONE_GO, waiting=waiting
        )
        self.simulations = Simulations(self.engine, settings)
        self._ranking = threading.Lock()

    def swap(self, swap: Swap) -> None:
        """Answer with another predictor from now on; what is under way ends with the one that it began with.

        Raises:
            PredictError: if it cannot be read; the one before stays.
        """
        leakage = Leakage(swap.model)
        others = tuple(Leakage(folder) for folder in swap.others)
        predicted([Asked(leakage=leakage, request=(warm := _WARM), cases=leakage.cases(warm.policies))])
        economy = leakage.predictor.saved.economy
        self.leakage, self.others = leakage, others
        self.census = Census(place(load_plants(LIST), economy), economy)
        self._exposure = lru_cache(32)(partial(_exposure, leakage))

    def catch_up(self) -> None:
        """Read what other replicas have stored.

        Raises:
            SQLAlchemyError: if the store does not answer.
        """
        with self.engine.connect() as connection:
            self.mirror.catch_up(connection)

    def ranking(self, scenario: str, year: int, kind: str) -> tuple[pd.DataFrame, int]:
        """Plants or cells with all that was acknowledged before, and the position of the log that is counted.

        Raises:
            ScenarioError: if the predictor does not know the scenario or year.
            SQLAlchemyError: if the store does not answer.
        """
        with self._ranking:
            self.catch_up()
            position = self.mirror.position
            table: pd.DataFrame = self._exposure(scenario, year).table(kind, self.mirror.all(), position)
            return table, position

    async def predict(self, request: LeakageRequest) -> bytes:
        """The reply as JSON.

        Raises:
            UnknownError: naming a field that cannot be asked about.
            BusyError: if too many wait.
        """
        leakage = self.leakage
        many = len(request.policies) > 8
        cases = await to_thread.run_sync(leakage.cases, request.policies) if many else leakage.cases(request.policies)
        return await self.predicting.ask(Asked(leakage=leakage, request=request, cases=cases))

    async def close(self) -> None:
        """Finish what is under way, and leave the store."""
        await asyncio.gather(self.predicting.finish(), self.appending.finish())
        self.engine.dispose()


def predicted(asked: Sequence[Asked]) -> list[bytes | Exception]:
    """Replies as JSON; requests of one predictor and level are predicted in one go."""
    found: dict[int, bytes | Exception] = {}
    groups: dict[tuple[int, float], list[int]] = {}
    for number, one in enumerate(asked):
        groups.setdefault((id(one.leakage), one.request.level), []).append(number)
    for (_, level), numbers in groups.items():
        leakage = asked[numbers[0]].leakage
        answers = leakage.ask([case for number in numbers for case in asked[number].cases], level)
        first = 0
        for number in numbers:
            one = asked[number]
            found[number] = json_of(leakage.tell(one.request, one.cases, answers, first))
            first += len(one)
    return [found[number] for number in range(len(asked))]


_WARM = LeakageRequest.model_validate({"policies": [{}]})


def _exposure(leakage: Leakage, scenario: str, year: int) -> Exposure:
    return Exposure(leakage.predictor, scenario_of(PolicyCase(scenario=scenario)), year)


def opened(settings: Mapping[str, Any], swap: Mapping[str, Any] | None = None, *, of_ray: bool = False) -> Service:
    """A service from plain values, as Ray hands them over."""
    return Service(Settings.model_validate(settings), Swap.model_validate(swap or {}), of_ray=of_ray)
