"""The runs of a sweep as tasks of a Ray cluster: never more in flight than it has cores for."""

from collections import deque
from collections.abc import Generator
from typing import Any

from carbonray.config import ScenarioError
from carbonray.counterfactual.sweep_columns import Layout
from carbonray.counterfactual.sweep_plan import Plan
from carbonray.counterfactual.sweep_run import MOST_LOST, Answer, carry_out, lost


def on_ray(
    plan: Plan, layout: Layout, numbers: list[int], *, jobs: int | None = None, address: str | None = None
) -> Generator[Answer, None, None]:
    """Carry out runs as tasks; Ray begins one anew whose worker or node is killed, and nothing else.

    Args:
        plan: with the runs.
        layout: of their tables.
        numbers: of the runs.
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

        shared = ray.put(layout)
        task = ray.remote(num_cpus=1, max_retries=MOST_LOST)(carry_out)
        left, under_way = deque(numbers), dict[Any, int]()
        try:
            while left or under_way:
                while left and len(under_way) < (jobs or max(1, cores())):
                    number = left.popleft()
                    under_way[task.remote(shared, plan.run(number))] = number
                done, _ = ray.wait(list(under_way), num_returns=1)
                for ref in done:
                    yield _answer(ref, under_way.pop(ref))
        finally:
            for ref in under_way:
                ray.cancel(ref, force=True)


def _answer(ref: Any, number: int) -> Answer:
    """The answer of a task, or that its workers were killed each time."""
    import ray

    try:
        answer: Answer = ray.get(ref)
    except ray.exceptions.RayError as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        return lost(number, said[-1 if isinstance(error, ray.exceptions.RayTaskError) else 0])
    return answer
