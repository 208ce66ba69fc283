"""Live metrics of a run on Ray, which every node offers to Prometheus as `ray_carbonray_*`."""

import time
from collections.abc import Mapping

NAMES = {
    "step": "Steps done.",
    "steps_per_second": "Steps a second, smoothed.",
    "shard_seconds": "Seconds that a shard computed in the last step.",
    "leakage_rate": "Leakage so far, all sectors, fraction.",
    "temperature_c": "Warming of the atmosphere so far, degrees C above 1900.",
}
"""Every metric, without the prefix `carbonray_`."""
SMOOTHING = 0.1
"""Weight of the last step in the step rate."""


class Gauges:
    """The gauges of one shard of a run."""

    def __init__(self, run: str, shard: str) -> None:
        """Register them with this process's Ray."""
        from ray.util.metrics import Gauge

        self._labels = {"run": run, "shard": shard}
        self._gauges = {
            name: Gauge(f"carbonray_{name}", description, tag_keys=("run", "shard"))
            for name, description in NAMES.items()
        }
        self._told: tuple[float, int] | None = None  # when, and at which step
        self._rate = 0.0

    def _set(self, name: str, value: float) -> None:
        self._gauges[name].set(value, tags=self._labels)

    def shard(self, seconds: float) -> None:
        """Tell what a step took of this shard."""
        self._set("shard_seconds", seconds)

    def run(self, step: int, so_far: Mapping[str, float]) -> None:
        """Tell how far the run is."""
        self._set("step", step)
        for name, value in so_far.items():
            self._set(name, value)
        now = time.perf_counter()
        if self._told is not None and step > self._told[1]:
            rate = (step - self._told[1]) / (now - self._told[0])
            self._rate = rate if self._rate == 0 else self._rate + SMOOTHING * (rate - self._rate)
            self._set("steps_per_second", self._rate)
        self._told = now, step
