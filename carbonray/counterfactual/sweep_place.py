"""Where the runs of a sweep are carried out."""

from collections.abc import Generator
from dataclasses import dataclass

from carbonray.config import ScenarioError
from carbonray.counterfactual.sweep_columns import Layout
from carbonray.counterfactual.sweep_plan import Plan
from carbonray.counterfactual.sweep_process import on_processes
from carbonray.counterfactual.sweep_ray import on_ray
from carbonray.counterfactual.sweep_run import Answer

PLACES = ("process", "ray")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Processes of this machine, or tasks of a Ray cluster."""

    on: str = "process"
    address: str | None = None  # of the cluster; one on this machine if left out
    jobs: int | None = None  # runs under way at once; as many as cores if left out

    def answers(self, plan: Plan, layout: Layout, numbers: list[int]) -> Generator[Answer, None, None]:
        """Carry out runs of a plan; answers come as they are found. Closing it ends what is under way."""
        if not numbers:
            return
        if self.on == "ray":
            yield from on_ray(plan, layout, numbers, jobs=self.jobs, address=self.address)
        else:
            yield from on_processes(plan, layout, numbers, jobs=self.jobs)


def place_for(on: str | None = None, *, address: str | None = None, jobs: int | None = None) -> Place:
    """The place that is asked for: Ray where an address is given, else processes, if none is named.

    Raises:
        ScenarioError: if there is no such place, or what is asked of it makes no sense.
    """
    place = on or ("process" if address is None else "ray")
    if place not in PLACES:
        raise ScenarioError(f"--on {place}: choose process or ray")
    if place == "process" and address is not None:
        raise ScenarioError(f"--address {address}: is for --on ray")
    if jobs is not None and jobs < 1:
        raise ScenarioError(f"--jobs {jobs}: at least one run must be under way")
    return Place(on=place, address=address, jobs=jobs)
