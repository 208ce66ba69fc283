"""Ask a service of carbonray: predictions, observations, exposure and simulations over HTTP, with typed answers.

>>> from carbonray.client import Client
>>> with Client("http://127.0.0.1:8000") as service:
...     reply = service.predict({"price_eur_per_t": {"2026": 80, "2035": 200}})
...     reply.predictions[0].headlines.leakage_rate_10_years

Needs `pip install 'carbonray[client]'`.
"""

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from carbonray.client.messages import LeakageReply, LeakageRequest, ModelList, PolicyCase, Problem, ScenarioList
from carbonray.client.messages_firms import (
    FirmReply,
    Observation,
    ObservationBatch,
    Receipt,
    RiskReply,
    Simulation,
    SimulationList,
    SimulationRequest,
)
from carbonray.config import ScenarioError

M = TypeVar("M", bound=BaseModel)

LOCAL = "http://127.0.0.1:8000"
"""Where `make serve` listens."""
KEY = "CARBONRAY_KEY"
"""Variable that holds the API key where none is given."""
AGAIN = (408, 429, 502, 503, 504)
"""Answers after which the same is asked again: it was not done, or doing it twice is doing it once."""
LONGEST = 30.0
"""Seconds waited at most before the next try, whatever the service asks for."""


class ServiceError(ScenarioError):
    """A service that refuses or does not answer; one line naming the field or the address."""

    def __init__(self, line: str, *, status: int | None = None, problem: Problem | None = None) -> None:
        """Keep what was answered, where anything was."""
        super().__init__(line)
        self.status, self.problem = status, problem


class Client:
    """A connection to a service."""

    def __init__(
        self,
        address: str = LOCAL,
        *,
        key: str | None = None,
        timeout: float = 30.0,
        tries: int = 5,
        transport: Any = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Prepare it; nothing is asked yet.

        Args:
            address: of the service.
            key: an API key; that of the environment's CARBONRAY_KEY if left out.
            timeout: seconds for an answer.
            tries: how often something is asked at most.
            transport: of httpx, for tests.
            sleep: waits so many seconds.

        Raises:
            ServiceError: if httpx is not installed, or the address is none.
        """
        try:
            import httpx
        except ModuleNotFoundError:
            raise ServiceError("asking a service needs httpx; pip install 'carbonray[client]'") from None

        if not address.startswith(("http://", "https://")):
            raise ServiceError(f"{address}: give the address as http://HOST:PORT")
        given = key or os.environ.get(KEY)
        headers = {"authorization": f"Bearer {given}"} if given else {}
        self._address, self._tries, self._sleep = address.rstrip("/"), max(1, tries), sleep
        self._http = httpx.Client(base_url=self._address, headers=headers, timeout=timeout, transport=transport)
        self._failures: tuple[type[Exception], ...] = (httpx.TransportError,)

    def __enter__(self) -> Self:
        """This client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def predict(
        self, *policies: PolicyCase | Mapping[str, Any], level: float = 0.9, cube: bool = False
    ) -> LeakageReply:
        """Leakage of one or many policies, in order.

        Raises:
            ServiceError: if a policy is refused, or the service does not answer.
        """
        asked = checked(LeakageRequest, {"policies": list(policies) or [{}], "level": level, "cube": cube})
        return self._ask(LeakageReply, "POST", "/v1/leakage/predict", asked)

    def observe(
        self, observations: Sequence[Observation | Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> Receipt:
        """Store observations; they are durable once this returns, and stored once however often it was tried.

        Raises:
            ServiceError: if a row is refused, or the service does not answer.
        """
        asked = checked(ObservationBatch, {"observations": list(observations)})
        key = {"idempotency-key": idempotency_key or str(uuid4())}
        return self._ask(Receipt, "POST", "/v1/firms/observations", asked, headers=key)

    def firm(self, firm_id: str, *, limit: int = 50, before: int | None = None) -> FirmReply:
        """A firm's state and history."""
        return self._ask(FirmReply, "GET", f"/v1/firms/{firm_id}", params={"limit": limit, "before": before})

    def risk(self, kind: str = "plants", **asked: Any) -> RiskReply:
        """Plants or cells, who leaks most first.

        Args:
            kind: plants or cells.
            asked: scenario, year, sector, country, company, observed, offset, limit.
        """
        return self._ask(RiskReply, "GET", "/v1/risk", params={"kind": kind, **asked})

    def simulate(
        self, target: str = "law", *, idempotency_key: str | None = None, settings: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Simulation:  # fmt: skip
        """Submit a run; see `simulation` for how it stands.

        Args:
            target: SCENARIO or WORLD/SCENARIO.
            idempotency_key: yours, so that the run is submitted once.
            settings: scenario keys and their values.
            changes: firms, years, replicas, seed.
        """
        asked = checked(SimulationRequest, {"target": target, "settings": dict(settings or {}), **changes})
        key = {"idempotency-key": idempotency_key or str(uuid4())}
        return self._ask(Simulation, "POST", "/v1/simulations", asked, headers=key)

    def simulation(self, id: str) -> Simulation:
        """How a run stands, and its result once it has succeeded."""
        return self._ask(Simulation, "GET", f"/v1/simulations/{id}")

    def simulations(self) -> SimulationList:
        """Runs, newest first."""
        return self._ask(SimulationList, "GET", "/v1/simulations")

    def cancel(self, id: str) -> Simulation:
        """Stop a run."""
        return self._ask(Simulation, "DELETE", f"/v1/simulations/{id}")

    def scenarios(self) -> ScenarioList:
        """Built-in scenarios."""
        return self._ask(ScenarioList, "GET", "/v1/scenarios")

    def models(self) -> ModelList:
        """Predictors of the service."""
        return self._ask(ModelList, "GET", "/v1/models")

    def _ask(self, kind: type[M], method: str, path: str, body: BaseModel | None = None, **options: Any) -> M:
        """Ask until it is answered, refused, or was tried often enough."""
        headers = {"content-type": "application/json", **options.pop("headers", {})}
        params = {name: value for name, value in options.pop("params", {}).items() if value is not None}
        content = None if body is None else body.model_dump_json(exclude_none=True)
        said = f"{self._address}: does not answer"
        for tried in range(1, self._tries + 1):
            wait: float | None = None
            try:
                answer = self._http.request(method, path, content=content, headers=headers, params=params)
            except self._failures as error:
                said = f"{self._address}: does not answer ({type(error).__name__})"
            else:
                if answer.is_success:
                    return kind.model_validate_json(answer.content)
                refused = _refusal(self._address, answer)
                if answer.status_code not in AGAIN or tried == self._tries:
                    raise refused
                said, wait = str(refused), _asked_to_wait(answer.headers.get("retry-after"))
            if tried < self._tries:
                self._sleep(wait if wait is not None else _backoff(tried))
        raise ServiceError(said)


def checked(kind: type[M], values: Mapping[str, Any]) -> M:
    """What is asked, refused here for whatever the service would refuse it for.

    Raises:
        ServiceError: naming the field and its rule.
    """
    try:
        return kind.model_validate(_with_words(values))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "[key]")
        rule = "unknown field" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        raise ServiceError(f"{where}: {rule}" if where else rule) from None


def _with_words(value: Any) -> Any:
    """Years as JSON has them: its keys are words."""
    if isinstance(value, Mapping):
        return {str(key) if isinstance(key, int) else key: _with_words(held) for key, held in value.items()}
    return [_with_words(each) for each in value] if isinstance(value, list) else value


def _backoff(tried: int) -> float:
    """Seconds before the next try: twice as long each time, and not the same for all clients."""
    return min(LONGEST, 0.1 * float(2**tried)) * (0.5 + random.random())


def _asked_to_wait(told: str | None) -> float | None:
    """Seconds that the service asks to wait; none if it says none, or a date."""
    return min(LONGEST, float(told)) * (1 + random.random() / 4) if told and told.isdecimal() else None


def _refusal(address: str, answer: Any) -> ServiceError:
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        return ServiceError(f"{address}: answers {answer.status_code}", status=answer.status_code)
    return ServiceError(problem.detail, status=answer.status_code, problem=problem)
