"""Figures for Prometheus, summed over the replicas of a node."""

import os
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Variable that names the folder where replicas of a node leave their figures; without it each tells its own."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """Counters of one replica."""

    def __init__(self, *, of_ray: bool = False) -> None:
        """All at zero.

        Args:
            of_ray: whether this is a replica on Ray, whose nodes each tell what their own replicas did.
        """
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "carbonray_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "carbonray_request_seconds", "From the first byte to the answer.", ("route",),
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self._rows = Counter("carbonray_observations", "Observations stored.", registry=self.registry)
        self._policies = Counter("carbonray_policies", "Policies predicted.", registry=self.registry)

        self._of_ray = _of_ray() if of_ray else {}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method if method.isupper() and len(method) < 8 else "other", route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def rows(self, count: int) -> None:
        """Count observations that were stored."""
        self._rows.inc(count)
        if self._of_ray:
            self._of_ray["observations"].inc(count)

    def policies(self, count: int) -> None:
        """Count policies that were predicted."""
        self._policies.inc(count)
        if self._of_ray:
            self._of_ray["policies"].inc(count)

    def page(self) -> bytes:
        """In Prometheus' text format."""
        if not os.environ.get(FOLDER):
            return generate_latest(self.registry)
        summed = CollectorRegistry()
        multiprocess.MultiProcessCollector(summed)  # type: ignore[no-untyped-call]
        return generate_latest(summed)


def _of_ray() -> dict[str, Any]:
    """Counters that a node's own page of metrics has, wherever a request came in."""
    from ray.util.metrics import Counter as OfRay

    return {
        "observations": OfRay("carbonray_observations", description="Observations stored."),
        "policies": OfRay("carbonray_policies", description="Policies predicted."),
    }
