"""The runs of a sweep on processes of this machine."""

import pickle
from collections import Counter, deque
from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, Future, wait

from carbonray.counterfactual.sweep_columns import Layout
from carbonray.counterfactual.sweep_plan import Plan
from carbonray.counterfactual.sweep_run import MOST_LOST, Answer, carry_out, lost
from carbonray.runtime.processes import available, crew


def on_processes(
    plan: Plan, layout: Layout, numbers: list[int], *, jobs: int | None = None
) -> Generator[Answer, None, None]:
    """Carry out runs on processes, as many at once as processes; a run whose process is killed is begun anew.

    Args:
        plan: with the runs.
        layout: of their tables.
        numbers: of the runs.
        jobs: processes; as many as cores, eight at most, if left out.
    """
    left, deaths = deque(numbers), Counter[int]()
    while left:
        dead: list[int] = []
        yield from _with_a_crew(plan, layout, left, dead, jobs or available())
        deaths.update(dead)
        left.extendleft(number for number in dead if deaths[number] <= MOST_LOST)
        for number in dead:
            if deaths[number] > MOST_LOST:
                yield lost(number, f"its process was killed {MOST_LOST + 1} times; is there memory for it?")


def _with_a_crew(
    plan: Plan, layout: Layout, left: deque[int], dead: list[int], jobs: int
) -> Generator[Answer, None, None]:
    """Answers until no run is left; once a process is dead nothing more is begun, for its place would take it."""
    under_way: dict[Future[Answer], int] = {}
    with crew(carry_out, layout, min(jobs, len(left))) as submit:
        while under_way or (left and not dead):
            while left and not dead and len(under_way) < jobs:
                number = left.popleft()
                under_way[submit(plan.run(number))] = number
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                number = under_way.pop(future)
                error = future.exception()
                if error is None:
                    yield future.result()
                elif _is_death(error):
                    dead.append(number)
                else:
                    yield lost(number, (str(error).strip().splitlines() or [type(error).__name__])[-1])


def _is_death(error: BaseException) -> bool:
    """Whether a process ended, instead of telling what it failed of."""
    ended = EOFError | OSError | ValueError  # a pipe that is empty, broken or closed
    return isinstance(error, pickle.UnpicklingError) or isinstance(error.__cause__, ended)
