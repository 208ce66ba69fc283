"""Work in independent pieces, carried out on processes of this machine or as tasks of a Ray cluster.

Pieces are numbered; what a number means, and what is answered for a piece that nobody finished, the work says.
"""

import pickle
from collections import Counter, deque
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from carbonray.config import ScenarioError
from carbonray.runtime.processes import available, crew

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Answer = TypeVar("Answer")

PLACES = ("process", "ray")
MOST_LOST = 3
"""Times that a piece is begun anew because what carried it out was killed."""


@dataclass(frozen=True, kw_only=True)
class Work(Generic[Shared, Task, Answer]):
    """What is to be done with every number; tasks are made as they are handed out."""

    function: Callable[[Shared, Task], Answer]  # of a module; it, what it takes and what it gives can be pickled
    shared: Shared  # sent to each process once
    task: Callable[[int], Task]
    lost: Callable[[int, str], Answer]  # the answer for a piece that nobody finished, and why


@dataclass(frozen=True, kw_only=True)
class Place:
    """Processes of this machine, or tasks of a Ray cluster."""

    on: str = "process"
    address: str | None = None  # of the cluster; one on this machine if left out
    jobs: int | None = None  # pieces under way at once; as many as cores if left out

    def answers(self, work: Work[Shared, Task, Answer], numbers: list[int]) -> Generator[Answer, None, None]:
        """Carry out pieces of a work; answers come as they are found. Closing it ends what is under way."""
        if not numbers:
            return
        if self.on == "ray":
            yield from on_ray(work, numbers, jobs=self.jobs, address=self.address)
        else:
            yield from on_processes(work, numbers, jobs=self.jobs)


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


def on_processes(
    work: Work[Shared, Task, Answer], numbers: list[int], *, jobs: int | None = None
) -> Generator[Answer, None, None]:
    """Carry out pieces on processes, as many at once as processes; one whose process is killed is begun anew.

    Args:
        work: to be done.
        numbers: of the pieces.
        jobs: processes; as many as cores, eight at most, if left out.
    """
    left, deaths = deque(numbers), Counter[int]()
    while left:
        dead: list[int] = []
        yield from _with_a_crew(work, left, dead, jobs or available())
        deaths.update(dead)
        left.extendleft(number for number in dead if deaths[number] <= MOST_LOST)
        for number in dead:
            if deaths[number] > MOST_LOST:
                yield work.lost(number, f"its process was killed {MOST_LOST + 1} times; is there memory for it?")


def _with_a_crew(
    work: Work[Shared, Task, Answer], left: deque[int], dead: list[int], jobs: int
) -> Generator[Answer, None, None]:
    """Answers until no piece is left; once a process is dead nothing more is begun, for its place would take it."""
    under_way: dict[Future[Answer], int] = {}
    with crew(work.function, work.shared, min(jobs, len(left))) as submit:
        while under_way or (left and not dead):
            while left and not dead and len(under_way) < jobs:
                number = left.popleft()
                under_way[submit(work.task(number))] = number
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                number = under_way.pop(future)
                error = future.exception()
                if error is None:
                    yield future.result()
                elif _is_death(error):
                    dead.append(number)
                else:
                    yield work.lost(number, (str(error).strip().splitlines() or [type(error).__name__])[-1])


def _is_death(error: BaseException) -> bool:
    """Whether a process ended, instead of telling what it failed of."""
    ended = EOFError | OSError | ValueError  # a pipe that is empty, broken or closed
    return isinstance(error, pickle.UnpicklingError) or isinstance(error.__cause__, ended)


def on_ray(
    work: Work[Shared, Task, Answer], numbers: list[int], *, jobs: int | None = None, address: str | None = None
) -> Generator[Answer, None, None]:
    """Carry out pieces as tasks; Ray begins one anew whose worker or node is killed, and nothing else.

    Args:
        work: to be done.
        numbers: of the pieces.
        jobs: tasks in flight; as many as the cluster has cores, now and whenever one is done, if left out.
        address: of the cluster; one on this machine if left out.

    Raises:
        ScenarioError: if the cluster cannot be reached, or has no cores and `jobs` is left out.
    """
    from carbonray.runtime.cluster import connected, cores

    with connected(address):  # says it in one line where Ray is not installed
        if jobs is None and not cores():
            raise ScenarioError("--on ray: the cluster has no cores to run on; if it grows when asked, give --jobs")
        import ray

        shared = ray.put(work.shared)
        remote = ray.remote(num_cpus=1, max_retries=MOST_LOST)(work.function)
        left, under_way = deque(numbers), dict[Any, int]()
        try:
            while left or under_way:
                while left and len(under_way) < (jobs or max(1, cores())):
                    number = left.popleft()
                    under_way[remote.remote(shared, work.task(number))] = number
                done, _ = ray.wait(list(under_way), num_returns=1)
                for ref in done:
                    yield _answer(work, ref, under_way.pop(ref))
        finally:
            for ref in under_way:
                ray.cancel(ref, force=True)


def _answer(work: Work[Shared, Task, Answer], ref: Any, number: int) -> Answer:
    """The answer of a task, or that its workers were killed each time."""
    import ray

    try:
        answer: Answer = ray.get(ref)
    except ray.exceptions.RayError as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        return work.lost(number, said[-1 if isinstance(error, ray.exceptions.RayTaskError) else 0])
    return answer
